// The desk in the browser. Python sends a task; what is decided goes back as numbers, offsets and labels.

const DESKS = new WeakMap();
const KEPT_AFTER = 250; // milliseconds in which further decisions go with the first
const RENEWED_AFTER = 60; // seconds at the note after which its claim is made longer, decisions or not
const PATIENCE = 15_000; // milliseconds

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".desk");
  let desk = DESKS.get(root);
  if (!desk) {
    desk = makeDesk(root);
    DESKS.set(root, desk);
  }
  desk.send = (message) => component.setTriggerValue("sent", message);
  desk.receive(data);
  return desk.end;
}

function makeDesk(root) {
  const parts = Object.fromEntries(Array.from(root.querySelectorAll("[data-part]"), (one) => [one.dataset.part, one]));
  const desk = { root, parts, task: null, clock: null, stamp: 0, waiting: null, kept: null, asked: null, locked: false };
  Object.assign(desk, talking(desk), sending(desk), selecting(desk));
  desk.receive = (data) => receive(desk, data);
  desk.show = () => show(desk);
  desk.changed = (said) => {
    desk.show();
    desk.say(said);
    desk.keepSoon();
  };
  const stop = listen(desk);
  desk.end = () => {
    desk.keepNow();
    stop();
    DESKS.delete(root);
  };
  parts.keys.open = window.matchMedia("(min-width: 48rem)").matches;
  return desk;
}

function receive(desk, data) {
  if (data.turn !== desk.turn) begin(desk, data);
  desk.parts.until.textContent = data.until && !data.lost ? `Yours until ${timeOf(data.until)}` : "";
  if (data.answered === desk.kept) desk.parts.kept.textContent = data.good ? "kept" : "not kept";
  if (data.answered !== desk.waiting && !data.lost) return;
  desk.unlock();
  if (data.lost) desk.lose();
  if (data.said) desk.say(data.lost ? `${data.said} Ctrl+Enter brings what is yours now.` : data.said, !data.good);
}

function begin(desk, data) {
  Object.assign(desk, { task: data.task, turn: data.turn, lost: false });
  desk.letters = lettersOf(data.task.labels);
  desk.note = readText(data.task.text);
  desk.state = readState(desk.note, data.task, data.draft);
  desk.clock = makeClock(data.draft?.seconds ?? 0, data.pause);
  desk.renewed = desk.clock.seconds();
  Object.assign(desk, { kept: null, waiting: null, asked: null, range: null });
  desk.unlock();
  desk.parts.kept.textContent = "";
  if (!document.hidden) desk.clock.show();
  desk.parts.note.replaceChildren();
  showHead(desk);
  desk.show();
  desk.parts.note.scrollTop = 0;
  select(desk.parts.note, 0, 0);
  desk.parts.note.focus();
  desk.sayCurrent(`${data.said && data.good ? `${data.said} ` : ""}The next note. `);
}

function show(desk) {
  showNote(desk);
  showList(desk);
  showLeft(desk);
  desk.parts.note.querySelector(".current")?.scrollIntoView({ block: "nearest" });
  const option = desk.parts.list.querySelector('[aria-selected="true"]');
  if (option) desk.parts.list.scrollTop = option.offsetTop - desk.parts.list.clientHeight / 2;
}

function talking(desk) {
  return {
    say(text, urgent = false) {
      desk.parts.live.textContent = text === desk.parts.live.textContent ? `${text}\u00a0` : text;
      desk.parts.live.classList.toggle("urgent", urgent);
    },
    sayCurrent(before = "") {
      const current = currentItem(desk.state);
      if (!current) return desk.say(`${before}The model found nothing in it.`);
      const place = desk.state.items.indexOf(current) + 1;
      return desk.say(`${before}${place} of ${desk.state.items.length}: ${nameOf(desk.note, current)}.`);
    },
  };
}

function sending(desk) {
  let timer = null;
  const message = (kind) => {
    desk.stamp = Math.max(Date.now(), desk.stamp + 1);
    const decisions = decisionsOf(desk.note, desk.state, desk.clock.seconds());
    return { kind, task: desk.task.task, stamp: desk.stamp, decisions };
  };
  const keepNow = () => {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    desk.renewed = desk.clock.seconds();
    const draft = message("draft");
    desk.kept = draft.stamp;
    desk.waiting = draft.stamp;
    desk.send(draft);
  };
  const keepSoon = (after = KEPT_AFTER) => {
    clearTimeout(timer);
    if (desk.locked || desk.lost) return;
    timer = setTimeout(keepNow, after);
    desk.parts.kept.textContent = "…";
    desk.kept = null;
  };
  return {
    keepSoon,
    keepNow,
    lock(kind, said) {
      clearTimeout(timer);
      timer = null;
      desk.locked = true;
      desk.root.setAttribute("aria-busy", "true");
      desk.say(said);
      const sent = message(kind);
      desk.waiting = sent.stamp;
      desk.send(sent);
      desk.patience = setTimeout(() => {
        desk.unlock();
        desk.say("There was no answer: what you decided is still here. Try it again.", true);
      }, PATIENCE);
    },
    unlock() {
      clearTimeout(desk.patience);
      desk.locked = false;
      desk.root.removeAttribute("aria-busy");
    },
    lose() {
      clearTimeout(timer);
      timer = null;
      desk.lost = true;
    },
  };
}

function selecting(desk) {
  // The event comes later than the key; without one in the note, what was selected there last.
  const rangeNow = () => {
    desk.range = selectionIn(desk.parts.note) ?? desk.range;
    return desk.range;
  };
  return {
    rangeNow,
    selected() {
      const range = rangeNow();
      return range && range.start < range.end ? trimmed(desk.note, range.start, range.end) : null;
    },
    wordAtCaret() {
      const range = rangeNow();
      return range && range.start === range.end ? wordAt(desk.note, range.start) : null;
    },
  };
}

function listen(desk) {
  const { root, parts } = desk;
  const until = new AbortController();
  const on = (target, names, heard, options = {}) => {
    for (const name of names.split(" ")) target.addEventListener(name, heard, { signal: until.signal, ...options });
  };
  on(document, "keydown pointerdown pointermove wheel touchstart scroll", () => desk.clock?.input(), {
    capture: true,
    passive: true,
  });
  on(document, "visibilitychange", () => seen(desk));
  on(window, "pagehide", () => desk.keepNow());
  on(document, "selectionchange", desk.rangeNow);
  on(root, "keydown", (event) => pressed(desk, event));
  on(root, "mousedown", (event) => {
    desk.rangeBefore = desk.rangeNow();
    if (event.target.closest("[data-do]")) event.preventDefault(); // the focus and what is selected stay in the note
  });
  on(root, "click", (event) => clicked(desk, event));
  on(parts.note, "beforeinput drop paste cut", (event) => event.preventDefault());
  on(parts.note, "input compositionend", () => desk.parts.note.textContent !== desk.note.text && showNote(desk));
  const ticking = setInterval(() => tick(desk), 1000);
  return () => {
    until.abort();
    clearInterval(ticking);
  };
}

function seen(desk) {
  if (document.hidden) {
    desk.clock.hide();
    desk.keepNow();
  } else {
    desk.clock.show();
  }
}

function pressed(desk, event) {
  const inList = event.target === desk.parts.list;
  const arrows = { ArrowDown: "next", ArrowUp: "previous" };
  const command = (inList && !event.ctrlKey && arrows[event.key]) || commandOf(event);
  if (command === null) return;
  event.preventDefault();
  event.stopPropagation(); // single letters are keys of Streamlit's, too
  perform(desk, command);
}

function clicked(desk, event) {
  const button = event.target.closest("[data-do]");
  if (button) return perform(desk, button.dataset.do);
  const option = event.target.closest("[data-item]");
  const mark = event.target.closest("[data-items]");
  const id = option ? option.dataset.item : mark?.dataset.items.split(" ").at(-1);
  if (!id || (mark && hasSelected(desk))) return undefined;
  desk.state.current = id;
  desk.show();
  return desk.sayCurrent();
}

// Whether this press of the mouse selected words: those that were selected before are only clicked on.
function hasSelected(desk) {
  const [range, before] = [desk.rangeNow(), desk.rangeBefore];
  if (!range || range.start === range.end) return false;
  return range.start !== before?.start || range.end !== before?.end;
}

function tick(desk) {
  const seconds = desk.clock.seconds();
  desk.parts.clock.textContent = `${clockOf(seconds)}${desk.clock.isPaused() ? ", paused" : ""}`;
  if (!desk.locked && !desk.lost && seconds - desk.renewed > RENEWED_AFTER) desk.keepSoon(0);
}
