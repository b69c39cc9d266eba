"""Step 4, `prediction_col_check`: whether what the model says of a note can be true of that note."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from production.inference.host import Found, FoundMention
from stages.train.acceptance import is_whole

_LONGEST_ASSERTION = 12
_NUMBERS = (float, int)


def problem_of(found: Found, text: str, labels: Sequence[str]) -> str | None:
    """Return what is wrong with a result, None where nothing is; says nothing of the text.

    Parameters
    ----------
    found : Found
    text : str
        Of the note that was asked about.
    labels : sequence of str
        Those of the model.
    """
    mentions = () if _are_right(found.mentions, text, labels) else found.mentions
    for kind, spans in (("mention", mentions), ("suggestion", found.suggestions)):
        for number, span in enumerate(spans):
            if wrong := _problem_of_span(span, text, labels):
                return f"{kind} {number}, counted from 0, {wrong}"
        places = [span[:2] for span in spans]
        if places != sorted(places):
            return f"its {kind}s are not in order of their offsets"
    if any(one.end > other.start for one, other in pairwise(mentions)):
        return "two of its mentions overlap"
    return _problem_of_whole(found) or _problem_of_ends(found, len(text))


def _are_right(mentions: Sequence[FoundMention], text: str, labels: Sequence[str]) -> bool:
    """Tell that nothing is wrong with any mention, nor with their order, in a third of the time; in doubt, do not."""
    before, characters = 0, len(text)
    for start, end, label, confidence, accepted, assertion in mentions:
        if not (
            type(start) is type(end) is int
            and before <= start < end <= characters
            and not (text[start].isspace() or text[end - 1].isspace())
            and label in labels
            and type(confidence) is float
            and 0 <= confidence <= 1
            and type(accepted) is bool
            and type(assertion) is str
            and 0 < len(assertion) <= _LONGEST_ASSERTION
        ):
            return False
        before = end
    return True


def _problem_of_span(span: FoundMention, text: str, labels: Sequence[str]) -> str | None:
    start, end, label, confidence, accepted, assertion = span
    if not (type(start) is type(end) is int and 0 <= start < end <= len(text)):
        return "is not within the text"
    if text[start].isspace() or text[end - 1].isspace():
        return "begins or ends with a blank"
    if label not in labels:
        return "has a label that is none of the model"
    return _problem_of_values(confidence, accepted, assertion)


def _problem_of_values(confidence: object, accepted: object, assertion: object) -> str | None:
    # Not a number is neither above 0 nor below 1.
    if not (isinstance(confidence, _NUMBERS) and 0 <= confidence <= 1):
        return "has a confidence that is not within 0 and 1"
    if not isinstance(accepted, bool):
        return "does not say whether it is accepted"
    if not (isinstance(assertion, str) and 0 < len(assertion) <= _LONGEST_ASSERTION):
        return "does not say what it says of the patient"
    return None


def _problem_of_whole(found: Found) -> str | None:
    if any(span.accepted for span in found.suggestions):
        return "a suggestion is accepted"
    if found.accepted and not is_whole([span.accepted for span in found.mentions], len(found.suggestions)):
        return "it is accepted whole, and not all of it is"
    if not (type(found.sentences) is type(found.tokens) is int and 0 <= found.sentences <= found.tokens):
        return "its sentences and tokens are no numbers that fit"
    if not (math.isfinite(found.unknown_tokens) and 0 <= found.unknown_tokens <= 1):
        return "its share of unknown tokens is not within 0 and 1"
    return None


def _problem_of_ends(found: Found, characters: int) -> str | None:
    ends = found.ends
    if ends is None:
        return None
    right = (
        len(ends) == found.sentences
        and set(map(type, ends)) <= {int}
        and list(ends) == sorted({*ends})
        and (not ends or (ends[0] > 0 and ends[-1] <= characters))
    )
    return None if right else "its sentences do not end where sentences can"
