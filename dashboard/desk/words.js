// What is said of a span: the same in the list, in the letters at its mark, and to who listens.

const SHOWN_AS = { mention: "to check", suggestion: "suggested", missed: "added by you" };
const LONGEST_SURFACE = 60;

function surfaceOf(note, item) {
  const surface = note.text.slice(item.start, item.end).replace(/\s+/gu, " ");
  const points = Array.from(surface);
  return points.length > LONGEST_SURFACE ? `${points.slice(0, LONGEST_SURFACE).join("")}…` : surface || "nothing";
}

function kindOf(item) {
  return item.accepted ? "accepted by the model" : SHOWN_AS[item.kind];
}

function verdictOf(item) {
  if (item.kind === "missed") return "right";
  if (item.verdict === "open") return "not decided";
  if (item.verdict === "wrong") return "rejected";
  return isChanged(item) ? "right as changed" : "right";
}

function nameOf(note, item) {
  const assertion = item.assertion === "present" ? [] : [item.assertion];
  return [surfaceOf(note, item), item.label, ...assertion, kindOf(item), verdictOf(item)].join(", ");
}

// The fewest first letters by which each label differs from the others.
function lettersOf(labels) {
  const letters = {};
  for (const label of labels) {
    const others = labels.filter((one) => one !== label).map((one) => one.toUpperCase());
    let length = 1;
    while (length < label.length && others.some((one) => one.startsWith(label.slice(0, length).toUpperCase()))) {
      length += 1;
    }
    letters[label] = label.slice(0, length).toUpperCase();
  }
  return letters;
}

// D as the model stands by it, D? to check, (D) a suggestion; before it ✓ right, ± right as changed, ✗ rejected, + added.
function tagOf(letters, item) {
  const letter = letters[item.label] ?? "?";
  if (item.kind === "missed") return `+${letter}`;
  const shown = item.kind === "suggestion" ? `(${letter})` : item.accepted ? letter : `${letter}?`;
  return { open: "", wrong: "✗", right: isChanged(item) ? "±" : "✓" }[item.verdict] + shown;
}

function counted(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

function clockOf(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
