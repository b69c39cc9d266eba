// The text of a note. Here offsets count UTF-16 units, as the browser does; the database counts code points.

const BLANK = /[\s\u001c-\u001f\u0085]/u;
const WORDS = /[\p{L}\p{N}\p{M}_]+|[^\s\u001c-\u001f\u0085]/gu;

function readText(text) {
  const starts = unitsOfPoints(text);
  return { text, starts, words: null, characters: null };
}

function unitsOfPoints(text) {
  const starts = [];
  for (let unit = 0; unit < text.length; unit += text.codePointAt(unit) > 0xffff ? 2 : 1) starts.push(unit);
  starts.push(text.length);
  return starts;
}

function toUnits(note, point) {
  return note.starts[Math.max(0, Math.min(point, note.starts.length - 1))];
}

function toPoints(note, unit) {
  let low = 0;
  let high = note.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (note.starts[middle] <= unit) low = middle;
    else high = middle - 1;
  }
  return low;
}

function wordsOf(note) {
  note.words ??= Array.from(note.text.matchAll(WORDS), (found) => [found.index, found.index + found[0].length]);
  return note.words;
}

function wordAt(note, unit) {
  return wordsOf(note).find(([start, end]) => start <= unit && unit <= end && unit < note.text.length) ?? null;
}

function isBlank(note, unit) {
  return BLANK.test(note.text[unit]);
}

function trimmed(note, start, end) {
  while (start < end && isBlank(note, start)) start += 1;
  while (start < end && isBlank(note, end - 1)) end -= 1;
  return start < end ? [start, end] : null;
}

// A person sees one character where there may be several code points: a letter with its accents, a family.
function characterAt(note, unit) {
  if (unit < 0 || unit >= note.text.length) return null;
  note.characters ??= new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(note.text);
  const found = note.characters.containing(unit);
  return [found.index, found.index + found.segment.length];
}

// Where an end of a span comes to by one step; null where it cannot go further. A span keeps a character, and its
// ends are never blank.
function moved(note, span, edge, forward, step) {
  const [from, least, most] =
    edge === "start" ? [span.start, 0, span.end - 1] : [span.end, span.start + 1, note.text.length];
  const side = edge === "start" ? 0 : 1;
  const found = step === "word" ? byWord(note, from, side, forward) : byCharacter(note, from, side, forward);
  return found !== null && found >= least && found <= most ? found : null;
}

function byWord(note, from, side, forward) {
  const places = wordsOf(note).map((word) => word[side]);
  return (forward ? places.find((place) => place > from) : places.findLast((place) => place < from)) ?? null;
}

function byCharacter(note, from, side, forward) {
  let at = from;
  for (;;) {
    const crossed = characterAt(note, forward ? at : at - 1);
    if (crossed === null) return null;
    at = crossed[forward ? 1 : 0];
    const inner = side === 0 ? at : at - 1;
    if (inner >= 0 && inner < note.text.length && !isBlank(note, inner)) return at;
  }
}
