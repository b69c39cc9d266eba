"""Tag sequences and spans over tokens.

Tables hold IOB2 tags (``O``, ``B-Disease``, ``I-Disease``, …); the taggers work with BIOES.
Spans are ``(first, last + 1, label)`` in tokens of one sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

TokenSpan = tuple[int, int, str]


def iob2_tags(labels: Iterable[str]) -> list[str]:
    """List the tags of some labels.

    >>> iob2_tags(["Disease"])
    ['O', 'B-Disease', 'I-Disease']
    """
    return ["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")]


def to_iob2(length: int, spans: Iterable[TokenSpan]) -> list[str]:
    """Encode non-overlapping spans of a sentence of `length` tokens.

    >>> to_iob2(4, [(1, 3, "Disease")])
    ['O', 'B-Disease', 'I-Disease', 'O']
    """
    tags = ["O"] * length
    for first, end, label in spans:
        tags[first:end] = [f"B-{label}"] + [f"I-{label}"] * (end - first - 1)
    return tags


def to_bioes(length: int, spans: Iterable[TokenSpan]) -> list[str]:
    """Encode non-overlapping spans with begin, inside, outside, end and single tags.

    >>> to_bioes(4, [(0, 1, "Treatment"), (1, 4, "Disease")])
    ['S-Treatment', 'B-Disease', 'I-Disease', 'E-Disease']
    """
    tags = ["O"] * length
    for first, end, label in spans:
        if end - first == 1:
            tags[first] = f"S-{label}"
        else:
            tags[first:end] = [f"B-{label}", *[f"I-{label}"] * (end - first - 2), f"E-{label}"]
    return tags


def spans_of(tags: Sequence[str]) -> list[TokenSpan]:
    """Decode IOB2 or BIOES tags.

    An inside or end tag that continues nothing opens a span of its own, as `seqeval` reads it in
    its default mode; valid sequences decode to exactly the spans they encode.

    >>> spans_of(["B-Disease", "E-Disease", "S-Disease", "O"])
    [(0, 2, 'Disease'), (2, 3, 'Disease')]
    """
    spans: list[TokenSpan] = []
    start, current = -1, ""
    for position, tag in enumerate([*tags, "O"]):
        prefix, _, label = tag.partition("-")
        continues = current and prefix in ("I", "E") and label == current
        if current and not continues:
            spans.append((start, position, current))
            current = ""
        if prefix != "O" and not continues:
            start, current = position, label
        if prefix in ("E", "S"):
            spans.append((start, position + 1, current))
            current = ""
    return spans


def is_valid_iob2(tags: Sequence[str]) -> bool:
    """Tell whether every inside tag continues a mention of its own label.

    >>> is_valid_iob2(["O", "I-Disease"])
    False
    """
    previous = "O"
    for tag in tags:
        if tag.startswith("I-") and previous[2:] != tag[2:]:
            return False
        previous = tag
    return True
