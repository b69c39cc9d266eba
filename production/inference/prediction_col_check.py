"""Step 4, `prediction_col_check`: whether what the model says of a note can be true of that note."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from production.inference.host import Found, FoundMention
from stages.train.acceptance import is_whole

_LONGEST_ASSERTION = 12


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
    for kind, spans in (("mention", found.mentions), ("suggestion", found.suggestions)):
        for number, span in enumerate(spans):
            if wrong := _problem_of_span(span, text, labels):
                return f"{kind} {number}, counted from 0, {wrong}"
        if any(one[:2] > other[:2] for one, other in pairwise(spans)):
            return f"its {kind}s are not in order of their offsets"
    if any(one.end > other.start for one, other in pairwise(found.mentions)):
        return "two of its mentions overlap"
    return _problem_of_whole(found) or _problem_of_ends(found, len(text))


def _problem_of_span(span: FoundMention, text: str, labels: Sequence[str]) -> str | None:
    if not (type(span.start) is type(span.end) is int and 0 <= span.start < span.end <= len(text)):
        return "is not within the text"
    if text[span.start].isspace() or text[span.end - 1].isspace():
        return "begins or ends with a blank"
    if span.label not in labels:
        return "has a label that is none of the model"
    return _problem_of_values(span)


def _problem_of_values(span: FoundMention) -> str | None:
    # Not a number is neither above 0 nor below 1.
    if not (isinstance(span.confidence, float | int) and 0 <= span.confidence <= 1):
        return "has a confidence that is not within 0 and 1"
    if not isinstance(span.accepted, bool):
        return "does not say whether it is accepted"
    if not (isinstance(span.assertion, str) and 0 < len(span.assertion) <= _LONGEST_ASSERTION):
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
        and all(type(end) is int for end in ends)
        and all(one < other for one, other in pairwise((0, *ends, characters + 1)))
    )
    return None if right else "its sentences do not end where sentences can"
