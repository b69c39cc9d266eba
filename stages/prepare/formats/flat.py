"""From marks to flat mentions: what is kept, what is left out and why, what the rules refuse."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stages.common.documents import LeftOut
from stages.prepare.formats.rules import IGNORED, Rules


class Mark(NamedTuple):
    """A span as the export states it, not yet checked.

    `quote` is the export's own copy of the marked text, `line` where the mark stands in its file. `parts` are
    those of a mention in several, in the order of the export; `start` and `end` are the ends of them all.
    """

    start: int
    end: int
    label: str
    quote: str | None = None
    line: int | None = None
    parts: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of_parts(cls, parts: Sequence[tuple[int, int]], label: str, quote: str | None, line: int | None = None) -> Mark:
        """Return the mark of a mention of one part or several."""
        starts, ends = zip(*parts, strict=True)
        return cls(min(starts), max(ends), label, quote, line, tuple(parts) if len(parts) > 1 else ())


class Refusal(NamedTuple):
    """A mark that the export is refused for."""

    mark: Mark
    problem: str
    remedy: str


@dataclass
class Sorted:
    """Marks by what becomes of them; `left_out` counts a mark that an export repeats once."""

    kept: list[Mark] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


def sort_out(marks: Iterable[Mark], rules: Rules) -> Sorted:
    """Leave out labels that are ignored, and treat mentions in several parts as the rules say."""
    result = Sorted()
    seen: set[tuple[object, ...]] = set()
    for mark in marks:
        reason = _reason_to_leave_out(mark, rules)
        if reason:
            key = mark.start, mark.end, mark.label, mark.parts
            if key not in seen:
                result.left_out.append(LeftOut(mark.start, mark.label, reason))
            seen.add(key)
        elif _is_refused(mark, rules):
            result.refused.append(Refusal(mark, *_DISCONTINUOUS))
        else:
            result.kept.append(mark)
    return result


_DISCONTINUOUS = (
    "marks a discontinuous mention",
    "Mark one unbroken span, or two mentions, since mentions are flat; or have it joined or left out, with"
    " --discontinuous",
)


def _reason_to_leave_out(mark: Mark, rules: Rules) -> str | None:
    if rules.meaning(mark.label) == IGNORED:
        return "ignored"
    if mark.parts and rules.meaning(mark.label) is not None and rules.discontinuous == "leave-out":
        return "discontinuous"
    return None


def _is_refused(mark: Mark, rules: Rules) -> bool:
    if not mark.parts or rules.meaning(mark.label) is None:
        return False  # a label without a meaning is refused for that
    return rules.discontinuous == "refuse" or any(start >= end for start, end in mark.parts)


def flatten(marks: Iterable[Mark], rules: Rules) -> Sorted:
    """Choose among marks inside of their text those that are mentions, in order; overlaps are judged by meaning.

    Marks of the same place and meaning are one mention; repetitions with the same label in the source are kept
    next to each other, since each may have a quote of its own, and are counted nowhere. A label that the mapping
    does not know is kept whatever it overlaps: it is refused for having no meaning, not for that.
    """
    alike: defaultdict[tuple[int, int, str], list[Mark]] = defaultdict(list)
    for mark in sorted(marks, key=lambda mark: mark[:3]):
        alike[mark.start, mark.end, mark.label].append(mark)
    places = [group[0] for group in alike.values()]
    known = [mark for mark in places if rules.meaning(mark.label) is not None]
    result = _longest(known, rules) if rules.overlaps == "longest" else _refusing(known, rules)
    unknown = [mark for mark in places if rules.meaning(mark.label) is None]
    ordered = sorted([*result.kept, *unknown], key=lambda mark: mark[:3])
    result.kept = [mark for first in ordered for mark in alike[first[:3]]]
    for place, group in alike.items():  # in several parts, and once more unbroken
        others = len({mark.parts for mark in group}) - 1
        result.left_out += [LeftOut(place[0], place[2], "repeated")] * others
    return result


def _refusing(marks: Sequence[Mark], rules: Rules) -> Sorted:
    result = Sorted()
    for mark in marks:
        last = result.kept[-1] if result.kept else None
        if last is None or mark.start >= last.end:
            result.kept.append(mark)
        elif _same(mark, last, rules):
            result.left_out.append(LeftOut(mark.start, mark.label, "repeated"))
        else:
            problem = f"the mention {mark.start}-{mark.end} overlaps {last.start}-{last.end}"
            remedy = "Keep one of the two, since mentions are flat; or keep the longest, with --overlaps"
            result.refused.append(Refusal(mark, problem, remedy))
    return result


def _same(mark: Mark, other: Mark, rules: Rules) -> bool:
    return mark[:2] == other[:2] and rules.meaning(mark.label) == rules.meaning(other.label)


def _longest(marks: Sequence[Mark], rules: Rules) -> Sorted:
    """Take marks by length, then place, then the order of labels; whatever overlaps one taken before is left out."""
    result = Sorted()
    starts: list[int] = []
    taken: list[Mark] = []  # in the order of `starts`; none overlaps another
    for mark in sorted(marks, key=lambda mark: (mark.start - mark.end, mark.start, rules.rank(mark.label))):
        place = bisect_left(starts, mark.start)
        neighbours = taken[max(0, place - 1) : place + 1]
        rival = next((other for other in neighbours if other.start < mark.end and mark.start < other.end), None)
        if rival is None:
            starts.insert(place, mark.start)
            taken.insert(place, mark)
        else:
            reason = "repeated" if _same(mark, rival, rules) else "overlapping"
            result.left_out.append(LeftOut(mark.start, mark.label, reason))
    result.kept = taken
    return result
