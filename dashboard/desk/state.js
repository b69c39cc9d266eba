// What is decided: an item for each span that the model shows, and for each mention that it missed.

const RIGHT = ["start", "end", "label", "assertion"];

function readState(note, task, draft) {
  const items = ["mention", "suggestion"].flatMap((kind) =>
    task[`${kind}s`].map((span) => itemOf(note, kind, span, answerOf(draft, kind, span.number))),
  );
  const state = { items, current: null, past: [], serial: 0, label: task.labels[0], step: "word" };
  for (const span of draft?.missed ?? []) insert(state, missedItem(state, inUnits(note, span)));
  sort(state);
  state.current = firstOpen(state)?.id ?? state.items[0]?.id ?? null;
  return state;
}

function answerOf(draft, kind, number) {
  return (draft?.[`${kind}s`] ?? []).find((one) => one.number === number) ?? null;
}

function inUnits(note, span) {
  return { ...span, start: toUnits(note, span.start), end: toUnits(note, span.end) };
}

function itemOf(note, kind, span, answer) {
  const found = inUnits(note, span);
  const shown = Object.fromEntries(RIGHT.map((name) => [name, found[name]]));
  const item = { id: `${kind}-${span.number}`, kind, number: span.number, accepted: span.accepted, shown, ...shown };
  if (answer === null) return { ...item, verdict: "open" };
  if (answer.decision === "reject") return { ...item, verdict: "wrong" };
  const given = Object.fromEntries(RIGHT.filter((name) => answer[name] != null).map((name) => [name, answer[name]]));
  if ("start" in given) given.start = toUnits(note, given.start);
  if ("end" in given) given.end = toUnits(note, given.end);
  return { ...item, ...given, verdict: "right" };
}

function missedItem(state, span) {
  state.serial += 1;
  const { start, end, label, assertion } = { assertion: "present", ...span };
  return { id: `missed-${state.serial}`, kind: "missed", number: null, verdict: "right", start, end, label, assertion };
}

function insert(state, item) {
  state.items = [...state.items, item];
}

function sort(state) {
  state.items.sort((one, other) => one.start - other.start || one.end - other.end);
}

function currentItem(state) {
  return state.items.find((item) => item.id === state.current) ?? null;
}

function firstOpen(state, after = -1) {
  const open = (item) => item.verdict === "open";
  return state.items.slice(after + 1).find(open) ?? state.items.find(open) ?? null;
}

function isChanged(item) {
  return item.kind !== "missed" && RIGHT.some((name) => item[name] !== item.shown[name]);
}

function remember(state) {
  state.past.push({ items: state.items.map((item) => ({ ...item })), current: state.current });
}

function undo(state) {
  const before = state.past.pop();
  if (before) Object.assign(state, before);
  return before !== undefined;
}

function change(state, item, given) {
  remember(state);
  Object.assign(item, given);
  sort(state);
}

function remove(state, item) {
  const place = state.items.indexOf(item);
  remember(state);
  state.items = state.items.filter((one) => one !== item);
  state.current = (state.items[place] ?? state.items[place - 1] ?? null)?.id ?? null;
}

function add(state, start, end) {
  remember(state);
  const item = missedItem(state, { start, end, label: state.label });
  insert(state, item);
  sort(state);
  state.current = item.id;
  return item;
}

// Right spans may not share characters; a suggestion without an answer counts as rejected.
function overlapping(state) {
  let widest = null;
  for (const item of state.items.filter((one) => one.verdict === "right")) {
    if (widest && widest.end > item.start) return [widest, item];
    widest = item;
  }
  return null;
}

function decisionsOf(note, state, seconds) {
  const out = { seconds, mentions: [], suggestions: [], missed: [] };
  for (const item of state.items) {
    const points = { start: toPoints(note, item.start), end: toPoints(note, item.end) };
    const right = { ...points, label: item.label, assertion: item.assertion };
    if (item.kind === "missed") out.missed.push(right);
    else if (item.verdict !== "open") out[`${item.kind}s`].push({ number: item.number, ...answer(item, right) });
  }
  return out;
}

function answer(item, right) {
  if (item.verdict === "wrong") return { decision: "reject" };
  return isChanged(item) ? { decision: "change", ...right } : { decision: "accept" };
}
