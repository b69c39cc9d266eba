"""From marked spans to a `Document`: the one doorway of every format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

from stages.common.documents import Document, LeftOut, Mention
from stages.common.errors import AnnotationError
from stages.common.wording import counted
from stages.prepare.formats.faults import note
from stages.prepare.formats.flat import Mark, Sorted, flatten, sort_out
from stages.prepare.formats.offsets import explain, inked
from stages.prepare.formats.rules import current_rules
from stages.prepare.formats.source import MAX_CHARACTERS, refuse_identifier, shown, too_long

_LONGEST_LINE_END = 100
_INK = re.compile(r"\S")


def make_document(
    text: str,
    marks: Iterable[Mark],
    *,
    id: str,
    file: str,
    line: int | None = None,
    metadata: dict[str, str] | None = None,
    seconds: float | None = None,
    marks_file: str | None = None,
) -> Document:
    """Check a text and its marks, and make them a document.

    Parameters
    ----------
    text : str
    marks : iterable of Mark
        In any order. The same span marked twice with one label is kept once: it says the same
        thing twice (an event trigger in brat, two concept identifiers in PubTator), and no tag
        sequence could tell it from one. The same span with labels of two meanings is an overlap.
    id : str
    file : str
        File of the text, for messages; `marks_file` if the marks stand in another.
    line : int, optional
        Where the document begins in its file.

    Raises
    ------
    AnnotationError
        When the text is blank or too long, or a mark cannot be a mention: offsets that are
        reversed, empty or past the end, spaces at its ends, text that differs from its quote,
        overlap with another or several parts, where the current `Rules` do not allow them.
    """
    refuse_identifier(id, file=file, line=line)
    if not text.strip():
        raise AnnotationError("the document has no text", "Take it out of the export", file, line=line, document=id)
    if len(text) > MAX_CHARACTERS:
        raise too_long("the document", file=file, line=line, document=id)
    mentions, left_out = place_mentions(text, marks, file=marks_file or file, document=id)
    return Document(id, text, mentions, metadata=metadata or {}, seconds=seconds, left_out=left_out)


def place_mentions(
    text: str, marks: Iterable[Mark], *, file: str, document: str
) -> tuple[tuple[Mention, ...], tuple[LeftOut, ...]]:
    """Sort and check marks by the current `Rules`; all faults are noted, or one where the same explains them all.

    No text is compared for a mark that overlaps another, or is left out, which keeps it linear.

    Returns
    -------
    mentions : tuple of Mention
        In order; those with a meaning do not overlap.
    left_out : tuple of LeftOut

    Raises
    ------
    AnnotationError
        See `make_document`.
    """
    rules = current_rules()
    refuse = partial(_refusal, file=file, document=document)
    sorted_out = sort_out((_unbroken(mark, text) for mark in marks), rules)
    for refused in sorted_out.refused:
        note(refuse(*refused))
    inside, faults = _inside(sorted_out.kept, len(text), refuse)
    flat = flatten(inside, rules)
    mentions, faults_of_texts = _checked(flat, text, refuse)
    for fault in _explained(faults + faults_of_texts, text, sorted_out.kept):
        note(fault)
    return tuple(mentions), (*sorted_out.left_out, *flat.left_out)


_Refuse = Callable[[Mark, str, str], AnnotationError]


def _unbroken(mark: Mark, text: str) -> Mark:
    """Return a mark whose parts only white space separates as one span."""
    return mark._replace(parts=()) if mark.parts and join_parts(mark.parts, text) else mark


def _inside(marks: Iterable[Mark], length: int, refuse: _Refuse) -> tuple[list[Mark], list[AnnotationError]]:
    inside, faults = [], []
    for mark in marks:
        fault = _fault_of_bounds(mark, length)
        if fault:
            faults.append(refuse(mark, *fault))
        else:
            inside.append(mark)
    return inside, faults


def _checked(flat: Sorted, text: str, refuse: _Refuse) -> tuple[list[Mention], list[AnnotationError]]:
    """Compare the marks that are kept with the text; the faults are in the order of their places.

    Not those of a label that the mapping does not know: it may yet be one to ignore.
    """
    meaning = current_rules().meaning
    mentions: list[Mention] = []
    faults = [(refused.mark[:3], refuse(*refused)) for refused in flat.refused]
    covered = ""
    for mark in flat.kept:
        mention = Mention(*mark[:3])
        if not mentions or mention != mentions[-1]:
            covered = text[mention.start : mention.end]
            mentions.append(mention)
        fault = _fault_of_text(mark, covered, text) if meaning(mark.label) is not None else None
        if fault:
            faults.append((mark[:3], refuse(mark, *fault)))
    return mentions, [fault for _, fault in sorted(faults, key=lambda placed: placed[0])]


def _explained(faults: list[AnnotationError], text: str, marks: Sequence[Mark]) -> list[AnnotationError]:
    """Return the faults, or the one that stands behind all of them."""
    quoted = [
        (mark.start, mark.end, mark.quote) for mark in marks if mark.quote and mark.quote.strip() and not mark.parts
    ]
    reason = explain(text, quoted) if faults else None
    if reason is None:
        return faults
    how_many = f"the quoted text of all {len(quoted)} mentions stands" if len(quoted) > 1 else "the quoted text stands"
    problem = f"{how_many} elsewhere: {reason}"
    return [replace(faults[0], problem=problem, remedy="Export again, with offsets in characters of exactly this text")]


def _fault_of_bounds(mark: Mark, length: int) -> tuple[str, str] | None:
    span = f"{mark.start}-{mark.end}"
    if not mark.label or not mark.label.isprintable() or mark.label != mark.label.strip():
        return f"the mention {span} has no usable label", "Give it a label of printable characters"
    if mark.start == mark.end:
        return f"the mention {span} is empty", "Remove it, or mark the text that was meant"
    if mark.start > mark.end:
        return f"the mention {span} ends before it starts", "Export again, or exchange the two offsets"
    if mark.start < 0 or mark.end > length:
        return (
            f"the mention {span} lies outside the text of {counted(length, 'character')}",
            "Count offsets in characters (not bytes) of exactly this text, and export again",
        )
    return None


def _fault_of_text(mark: Mark, covered: str, text: str) -> tuple[str, str] | None:
    span = f"{mark.start}-{mark.end}"
    if covered[0].isspace() or covered[-1].isspace():
        start = mark.start + len(covered) - len(covered.lstrip())
        end = mark.end - len(covered) + len(covered.rstrip())
        problem = f"the mention {span} begins or ends with a space"
        if start >= end:
            return problem, "Remove it: there is nothing else in it"
        return problem, f"Mark {start}-{end} instead"
    # Compared without white space: tools pad the quote or write a line end as a space. Offsets
    # cannot be wrong unnoticed, since the span itself has no white space at its ends.
    marked = "".join(text[start:end] for start, end in mark.parts) or covered
    if mark.quote is not None and inked(mark.quote) not in (inked(marked), inked(covered)):
        return (
            f"the mention {span}{_of_label(mark, covered)} differs from the text that the export quotes for it",
            "Export text and annotations together, with offsets in characters; look for changed line ends or accents",
        )
    return None


def _of_label(mark: Mark, covered: str) -> str:
    """Name the label, unless it may have changed places with a text."""
    return f" of label {shown(mark.label, f'{covered} {mark.quote}')}"


def _refusal(mark: Mark, problem: str, remedy: str, *, file: str, document: str) -> AnnotationError:
    return AnnotationError(problem, remedy, file, line=mark.line, offset=mark.start, document=document)


def join_parts(parts: Sequence[tuple[int, int]], text: str) -> tuple[int, int] | None:
    """Return start and end of a mention of several parts, or None where more than white space separates them.

    Tools write a mention that runs over a line end as two parts. Any other gap is a discontinuous
    mention, which flat mentions cannot express: the covering span teaches the tagger words that the
    annotator left out on purpose, dropping it teaches that nothing is there. Neither is done unasked.
    """
    for (start, end), (following, last) in pairwise(parts):
        # A long gap is no line end; asking first keeps the search from being quadratic.
        gap = following - end
        blank = 0 <= gap <= _LONGEST_LINE_END and not _INK.search(text, end, following)
        if not blank or start >= end or following >= last:
            return None
    return parts[0][0], parts[-1][1]


def parse_offset(digits: str) -> int | None:
    """Return the whole number written in `digits`, or None; ``int`` would accept ``1_0`` or ``٣``."""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
