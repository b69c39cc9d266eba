// What a key or a button does. Each says what happened.

const STEP = { "start-back": ["start", false], "start-on": ["start", true], "end-back": ["end", false], "end-on": ["end", true] };

const KEYS = {
  j: "next", k: "previous", a: "accept", r: "reject", 0: "reset", s: "assertion", S: "assertion-back",
  "[": "start-back", "{": "start-on", "]": "end-on", "}": "end-back", h: "start-back", H: "start-on", l: "end-on",
  L: "end-back", w: "step", n: "add", e: "ends", u: "undo", A: "accept-all", g: "give-back", "?": "keys", Delete: "reject",
}; // prettier-ignore

function commandOf(event) {
  if (event.isComposing) return null;
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key === "Enter") return "done";
  if (command && !event.shiftKey && event.key === "z") return "undo";
  const typedWithAltGraph = event.getModifierState("AltGraph") || (event.ctrlKey && event.altKey);
  if ((command || event.altKey) && !(typedWithAltGraph && "[]{}".includes(event.key))) return null;
  if (/^[1-9]$/.test(event.key)) return `label-${Number(event.key) - 1}`;
  return Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
}

function perform(desk, command) {
  const { state } = desk;
  if (command === "keys") return toggleKeys(desk);
  if (desk.locked) return desk.say("Wait: the note is on its way.");
  if (desk.lost && command === "done") return desk.lock("next", "Asking for it.");
  if (desk.lost) return desk.say("Nothing more is kept of this: Ctrl+Enter brings what is yours now.");
  if (command !== "give-back") desk.asked = null;
  if (command.startsWith("label-")) return relabel(desk, desk.task.labels[Number(command.slice(6))]);
  if (command in STEP) return moveEnd(desk, ...STEP[command]);
  const free = { next: () => go(desk, 1), previous: () => go(desk, -1), add: () => addMissed(desk), undo: () => undone(desk) };
  const whole = { "accept-all": acceptAll, "give-back": giveBack, done, step: changeStep };
  if (command in free) return free[command]();
  if (command in whole) return whole[command](desk);
  const item = currentItem(state);
  if (!item) return desk.say("There is no span: select text, and press n to add one.");
  const own = { accept, reject, reset, assertion: nextAssertion, "assertion-back": previousAssertion, ends: endsFromSelection };
  return own[command](desk, item);
}

function toggleKeys(desk) {
  desk.parts.keys.open = !desk.parts.keys.open;
  desk.say(desk.parts.keys.open ? "The keys are shown below the note." : "The keys are hidden.");
}

function go(desk, by) {
  const { state } = desk;
  const place = state.items.findIndex((item) => item.id === state.current);
  const target = state.items[place < 0 ? 0 : place + by];
  if (!target) return desk.say(state.items.length ? `This is the ${by > 0 ? "last" : "first"} span.` : "There is no span.");
  state.current = target.id;
  desk.show();
  desk.sayCurrent();
}

function accept(desk, item) {
  change(desk.state, item, { verdict: "right" });
  decided(desk, item);
}

function reject(desk, item) {
  if (item.kind === "missed") {
    remove(desk.state, item);
    return desk.changed(`Taken away: ${surfaceOf(desk.note, item)}.`);
  }
  change(desk.state, item, { ...item.shown, verdict: "wrong" });
  decided(desk, item);
}

function decided(desk, item) {
  const said = `${surfaceOf(desk.note, item)}: ${verdictOf(item)}.`;
  const open = firstOpen(desk.state, desk.state.items.indexOf(item));
  if (open) desk.state.current = open.id;
  desk.changed(open ? `${said} Now ${nameOf(desk.note, open)}.` : `${said} All is decided: Ctrl+Enter hands it in.`);
}

function reset(desk, item) {
  if (item.kind === "missed") return desk.say("You added it: r takes it away.");
  change(desk.state, item, { ...item.shown, verdict: "open" });
  desk.changed(`As the model has it, not decided: ${nameOf(desk.note, item)}.`);
}

function relabel(desk, label) {
  if (label === undefined) return desk.say(`There are ${counted(desk.task.labels.length, "label")}.`);
  const item = currentItem(desk.state);
  if (!item) return desk.say("There is no span: select text, and press n to add one.");
  desk.state.label = item.kind === "missed" ? label : desk.state.label;
  change(desk.state, item, { label, verdict: "right" });
  desk.changed(`${nameOf(desk.note, item)}.`);
}

function nextAssertion(desk, item, by = 1) {
  const kinds = desk.task.assertions;
  const place = (kinds.indexOf(item.assertion) + by + kinds.length) % kinds.length;
  change(desk.state, item, { assertion: kinds[place], verdict: "right" });
  desk.changed(`${surfaceOf(desk.note, item)}: ${item.assertion}.`);
}

function previousAssertion(desk, item) {
  nextAssertion(desk, item, -1);
}

function changeStep(desk) {
  desk.state.step = desk.state.step === "word" ? "character" : "word";
  desk.show();
  desk.say(`Ends move by one ${desk.state.step}.`);
}

function moveEnd(desk, edge, forward) {
  const item = currentItem(desk.state);
  if (!item) return desk.say("There is no span: select text, and press n to add one.");
  const place = moved(desk.note, item, edge, forward, desk.state.step);
  if (place === null) return desk.say(`The ${edge} cannot go further.`);
  change(desk.state, item, { [edge]: place, verdict: "right" });
  desk.changed(`Now “${surfaceOf(desk.note, item)}”.`);
}

function endsFromSelection(desk, item) {
  const found = desk.selected();
  if (!found) return desk.say("Select the right words in the note first.");
  change(desk.state, item, { start: found[0], end: found[1], verdict: "right" });
  desk.changed(`Now “${surfaceOf(desk.note, item)}”.`);
}

function addMissed(desk) {
  const found = desk.selected() ?? desk.wordAtCaret();
  if (!found) return desk.say("Select words in the note first: arrow keys with Shift, or the mouse.");
  const item = add(desk.state, ...found);
  desk.changed(`Added: ${nameOf(desk.note, item)}. 1 to 9 change its label.`);
}

function undone(desk) {
  if (!undo(desk.state)) return desk.say("There is nothing to take back.");
  desk.changed("Taken back.");
  desk.sayCurrent("Taken back. ");
}

function acceptAll(desk) {
  const open = desk.state.items.filter((item) => item.kind === "mention" && item.verdict === "open");
  if (open.length === 0) return desk.say("No mention is left.");
  remember(desk.state);
  for (const item of open) item.verdict = "right";
  desk.changed(`${counted(open.length, "mention")} accepted. Suggestions that are left alone count as rejected.`);
}

function giveBack(desk) {
  if (desk.state.past.length > 0 && desk.asked !== "give-back") {
    desk.asked = "give-back";
    return desk.say("This gives the note to somebody else, and what you decided on it is gone: press g again to do it.");
  }
  desk.lock("back", "Giving it back.");
}

function done(desk) {
  const { state, note } = desk;
  const open = state.items.filter((item) => item.kind === "mention" && item.verdict === "open");
  const [one, other] = overlapping(state) ?? [];
  if (open.length > 0) {
    state.current = open[0].id;
    desk.show();
    return desk.say(`Not yet: ${counted(open.length, "mention")} not decided. Decide, or press A to accept all that are left.`);
  }
  if (one) {
    state.current = other.id;
    desk.show();
    return desk.say(`Not yet: ${nameOf(note, one)} and ${nameOf(note, other)} overlap. Reject one, or move its ends.`);
  }
  desk.lock("done", "Handing in.");
}
