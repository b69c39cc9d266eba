"""What a person decided on every span of a note: checked as a whole, written as a whole, and never changed.

In JSON, as `python -m production.review done` takes it::

    {"seconds": 41.5,
     "mentions": [{"number": 0, "decision": "accept"},
                  {"number": 1, "decision": "change", "end": 31, "label": "Treatment", "assertion": "negated"},
                  {"number": 2, "decision": "reject"}],
     "suggestions": [{"number": 0, "decision": "accept"}],
     "missed": [{"start": 52, "end": 60, "label": "Disease", "assertion": "present"}]}

Every mention needs an answer. A suggestion without one is rejected: the model itself does not stand by it, and who
read the note and left it alone has said so. Of a change, what is not given stays as it was shown. `seconds` are those
of looking, pauses left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from production.review.tasks import MENTION, SUGGESTION, ReviewError, Shown, Task
from stages.train.assertion.rules import ASSERTIONS, PRESENT

ACCEPT, CHANGE, REJECT, MISSED = "accept", "change", "reject", "missed"
LONGEST = 86_400.0
"""Seconds; more is no reading."""

_KEYS = {"seconds", "mentions", "suggestions", "missed"}
_RIGHT = ("start", "end", "label", "assertion")


class Decision(NamedTuple):
    """What a person said of one span.

    Parameters
    ----------
    kind : {"mention", "suggestion", "missed"}
    shown : int or None
        Number of the mention or suggestion.
    decision : {"accept", "change", "reject", "missed"}
    start, end, label, assertion
        What is right; of a change, None stays as it was shown; of what is accepted or rejected, they are not read.
    """

    kind: str
    shown: int | None
    decision: str
    start: int | None = None
    end: int | None = None
    label: str | None = None
    assertion: str | None = None

    @property
    def where(self) -> str:
        """Name the span in a message."""
        return MISSED if self.shown is None else f"{self.kind} {self.shown}"


def parse(given: Any) -> tuple[list[Decision], float]:
    """Read decisions and seconds from JSON.

    Raises
    ------
    ReviewError
        Names the span that is not of this form.
    """
    entry = _object(given, "the decisions", _KEYS)
    decisions = [
        Decision(kind, *_answer(one, f"{name}, entry {place}"))
        for name, kind in (("mentions", MENTION), ("suggestions", SUGGESTION))
        for place, one in enumerate(_list(entry, name))
    ]
    for place, one in enumerate(_list(entry, MISSED)):
        span = _object(one, f"missed, entry {place}", {*_RIGHT})
        decisions.append(
            Decision(MISSED, None, MISSED, *_right({"assertion": PRESENT, **span}, f"missed, entry {place}"))
        )
    if "seconds" not in entry:
        raise ReviewError("seconds are missing: how long the note was looked at, pauses left out")
    return decisions, entry["seconds"]


def _answer(one: Any, where: str) -> tuple[Any, ...]:
    entry = _object(one, where, {"number", "decision", *_RIGHT})
    number, decision = entry.get("number"), entry.get("decision")
    if type(number) is not int:
        raise ReviewError(f"{where}: number is no whole number")
    if decision not in (ACCEPT, CHANGE, REJECT):
        raise ReviewError(f"{where}: decision is none of {ACCEPT}, {CHANGE}, {REJECT}")
    if decision != CHANGE and entry.keys() & {*_RIGHT}:
        raise ReviewError(f"{where}: only a change has a start, end, label or assertion")
    return number, decision, *_right(entry, where)


def _right(entry: Mapping[str, Any], where: str) -> tuple[Any, ...]:
    for name, kind in zip(_RIGHT, (int, int, str, str), strict=True):
        if entry.get(name) is not None and type(entry[name]) is not kind:
            raise ReviewError(f"{where}: {name} is no {'whole number' if kind is int else 'string'}")
    return tuple(entry.get(name) for name in _RIGHT)


def _object(given: Any, where: str, keys: set[str]) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise ReviewError(f"{where}: is no JSON object")
    if given.keys() - keys:
        raise ReviewError(f"{where}: has an unknown key; known are {', '.join(sorted(keys))}")
    return given


def _list(entry: Mapping[str, Any], name: str) -> list[Any]:
    given = entry.get(name, [])
    if not isinstance(given, list):
        raise ReviewError(f"{name} is no list")
    return given


def checked(task: Task, decisions: Sequence[Decision], seconds: object) -> list[Decision]:
    """Return a decision for every span of a task, and for what was missed, with what is right in each.

    Raises
    ------
    ReviewError
        Names every span at fault.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST:
        raise ReviewError(f"task {task.task_id}: seconds are no number from 0 to {LONGEST:,.0f}")
    answers, faults = _answers(task, decisions)
    whole: list[Decision] = []
    for span in task.spans:
        answer = answers.get((span.kind, span.number))
        if answer is None and span.kind == MENTION:
            faults.append(f"mention {span.number} is not answered")
        else:
            whole.append(_resolved(span, answer or Decision(span.kind, span.number, REJECT)))
    whole += [one for one in decisions if one.kind == MISSED]
    faults += [f"{one.where}: {fault}" for one in whole if (fault := _fault(one, task))]
    if not faults:
        faults += _overlaps(whole)
    if faults:
        raise ReviewError(f"task {task.task_id}: " + "; ".join(dict.fromkeys(faults)))
    return whole


def _answers(task: Task, decisions: Sequence[Decision]) -> tuple[dict[tuple[str, int], Decision], list[str]]:
    shown = {(span.kind, span.number) for span in task.spans}
    answers: dict[tuple[str, int], Decision] = {}
    faults = []
    for one in decisions:
        if one.shown is None:
            continue
        key = one.kind, one.shown
        if key not in shown:
            faults.append(f"{one.where} was not shown")
        elif key in answers:
            faults.append(f"{one.where} is answered twice")
        answers[key] = one
    return answers, faults


def _resolved(span: Shown, answer: Decision) -> Decision:
    """Return an answer with what is right; a change that changes nothing accepts."""
    if answer.decision == REJECT:
        return Decision(span.kind, span.number, REJECT)
    given = answer[3:] if answer.decision == CHANGE else (None,) * 4
    right: tuple[Any, ...] = tuple(old if new is None else new for old, new in zip(span.right, given, strict=True))
    return Decision(span.kind, span.number, ACCEPT if right == span.right else CHANGE, *right)


def _fault(one: Decision, task: Task) -> str | None:
    if one.decision == REJECT:
        return None
    start, end, text = one.start, one.end, task.text
    if start is None or end is None or not 0 <= start < end <= len(text):
        return f"start and end are not within the text, 0 to {len(text)}"
    if text[start].isspace() or text[end - 1].isspace():
        return f"{start}-{end} begins or ends with a blank"
    if one.label not in task.labels:
        return f"the label is none of {', '.join(task.labels)}"
    if one.assertion not in ASSERTIONS:
        return f"the assertion is none of {', '.join(ASSERTIONS)}"
    return None


def _overlaps(whole: Sequence[Decision]) -> Iterator[str]:
    """Say which right spans share characters: an annotation has no room for both."""
    right = [(one.start, one.end, one) for one in whole if one.start is not None and one.end is not None]
    right.sort(key=lambda span: span[:2])
    for (_, end, one), (start, _, other) in pairwise(right):
        if start < end:
            yield f"{one.where} ({one.start}-{end}) and {other.where} ({start}-{other.end}) overlap"
