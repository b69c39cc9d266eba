// What is seen. A note comes from anywhere: its words are text of text nodes, and never HTML.

function element(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function showNote(desk) {
  const { note, state, parts } = desk;
  const selected = selectionIn(parts.note);
  parts.note.replaceChildren(...segments(note, state.items).map((segment) => markOf(desk, segment)));
  if (selected) select(parts.note, selected.start, selected.end, selected.backward);
}

// The text, cut wherever a span begins or ends, each piece with the spans over it.
function segments(note, items) {
  const spans = items.filter((item) => item.start < item.end && item.start < note.text.length);
  const cuts = new Set([0, note.text.length]);
  for (const item of spans) cuts.add(item.start).add(Math.min(item.end, note.text.length));
  const places = [...cuts].sort((one, other) => one - other);
  const found = [];
  let first = 0;
  for (let index = 0; index + 1 < places.length; index += 1) {
    const [start, end] = [places[index], places[index + 1]];
    while (first < spans.length && spans[first].start < start && spans[first].end <= start) first += 1;
    const over = [];
    for (let at = first; at < spans.length && spans[at].start <= start; at += 1) {
      if (spans[at].end >= end) over.push(spans[at]);
    }
    found.push({ text: note.text.slice(start, end), start, over });
  }
  return found;
}

function markOf(desk, { text, start, over }) {
  if (over.length === 0) return document.createTextNode(text);
  const inner = over.find((item) => item.id === desk.state.current) ?? over.at(-1);
  const classes = ["mark", `label-${desk.task.labels.indexOf(inner.label) % 9}`, classOf(inner), `is-${inner.verdict}`];
  if (over.some((item) => item.id === desk.state.current)) classes.push("current");
  const tags = over.filter((item) => item.start === start).map((item) => tagOf(desk.letters, item));
  const mark = element("span", { class: classes.join(" "), "data-items": over.map((item) => item.id).join(" ") });
  mark.append(...(tags.length > 0 ? tagged(text, tags.join(" ")) : [text]));
  return mark;
}

// The letters stay on the line of the first word, or of its beginning where it is long.
function tagged(text, tag) {
  const [beginning] = /^\S{0,16}/u.exec(text);
  return [element("span", { class: "beginning", "data-tag": tag }, beginning), text.slice(beginning.length)];
}

function classOf(item) {
  return item.kind === "mention" ? (item.accepted ? "accepted" : "queried") : item.kind;
}

function showList(desk) {
  const { state, parts } = desk;
  parts.list.hidden = state.items.length === 0;
  parts.nothing.hidden = state.items.length > 0;
  parts.list.replaceChildren(...state.items.map((item) => optionOf(desk, item)));
  const current = currentItem(state);
  if (current) parts.list.setAttribute("aria-activedescendant", `desk-${current.id}`);
  else parts.list.removeAttribute("aria-activedescendant");
}

function optionOf(desk, item) {
  const isCurrent = item.id === desk.state.current;
  const tag = element("b", { class: "tag" }, tagOf(desk.letters, item));
  const surface = element("span", { class: "surface" }, surfaceOf(desk.note, item));
  const said = `${item.label}, ${item.assertion} · ${kindOf(item)} · ${verdictOf(item)}`;
  return element(
    "div",
    {
      id: `desk-${item.id}`,
      role: "option",
      class: `option label-${desk.task.labels.indexOf(item.label) % 9} ${classOf(item)} is-${item.verdict}`,
      "aria-selected": String(isCurrent),
      "aria-label": nameOf(desk.note, item),
      "data-item": item.id,
    },
    tag,
    surface,
    element("span", { class: "said" }, said),
  );
}

function showHead(desk) {
  const { task, parts } = desk;
  parts.name.textContent = `${task.source}/${task.source_id}`;
  const told = Object.entries(task.metadata ?? {}).filter(([, value]) => value !== null && value !== "");
  parts.about.textContent = told.map(([name, value]) => `${name}: ${value}`).join(" · ");
  parts.labels.replaceChildren(
    ...task.labels.slice(0, 9).map((label, place) =>
      element("button", { type: "button", "data-do": `label-${place}`, class: `label-${place}` }, `${label} `, key(place + 1)),
    ),
  );
}

function key(name) {
  return element("kbd", {}, String(name));
}

function showLeft(desk) {
  const { state, parts } = desk;
  const open = (kind) => state.items.filter((item) => item.kind === kind && item.verdict === "open").length;
  const left = [counted(open("mention"), "mention"), counted(open("suggestion"), "suggestion")];
  parts.left.textContent = `Not decided: ${left.join(", ")}`;
  parts.step.textContent = state.step;
  const current = currentItem(state);
  parts.which.textContent = current ? nameOf(desk.note, current) : "no span";
}

// ---- what is selected in the note ------------------------------------------------------------------

function selectionIn(root) {
  const selection = document.getSelection();
  if (!selection || selection.rangeCount === 0 || !root.contains(selection.anchorNode)) return null;
  if (!root.contains(selection.focusNode)) return null;
  const anchor = unitOf(root, selection.anchorNode, selection.anchorOffset);
  const focus = unitOf(root, selection.focusNode, selection.focusOffset);
  return { start: Math.min(anchor, focus), end: Math.max(anchor, focus), backward: focus < anchor };
}

function unitOf(root, node, offset) {
  const range = document.createRange();
  range.setStart(root, 0);
  range.setEnd(node, offset);
  return range.toString().length;
}

function select(root, start, end, backward = false) {
  const [from, to] = [placeOf(root, start), placeOf(root, end)];
  const [anchor, focus] = backward ? [to, from] : [from, to];
  document.getSelection().setBaseAndExtent(...anchor, ...focus);
}

function placeOf(root, unit) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let left = unit;
  let last = null;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (left <= node.length) return [node, left];
    left -= node.length;
    last = node;
  }
  return last ? [last, last.length] : [root, 0];
}
