"""Documents and the mentions marked in them; all offsets are characters of the document's text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

METADATA = ("note_type", "speciality", "sex", "age_band", "month")
"""What a batch may say of a document beside its text; a drift check can use it."""


class Mention(NamedTuple):
    """One marked span: ``text[start:end]`` is the mention, `label` its class."""

    start: int
    end: int
    label: str


class Token(NamedTuple):
    """One token: ``text[start:end]``."""

    start: int
    end: int


class LeftOut(NamedTuple):
    """A marked span that is no mention: where it begins, its label in the source, and why.

    `reason`: ``ignored`` (the label means nothing in the project), ``overlapping`` (a longer mention covers
    part of it), ``discontinuous`` (it is in several parts), ``repeated`` (it says what another says).
    """

    start: int
    label: str
    reason: str


@dataclass(frozen=True)
class Document:
    """A note (or an abstract) with its marked mentions.

    Parameters
    ----------
    id : str
        Unique in its batch.
    text : str
        The text exactly as annotated.
    mentions : tuple of Mention
        In order of their offsets; labels as in the source.
    sentences : tuple of (int, int), optional
        Start and end of each sentence where the format fixes them: formats of tokens, whose text is
        the tokens joined by single spaces.
    metadata : dict of str to str
        A subset of `METADATA`.
    stream : bool
        True when the format has no documents and this is a whole file of sentences.
    seconds : float, optional
        Measured time that a person took to annotate the text from nothing; greater than 0. None where
        it was not measured, or where the work began from a prediction or another's annotation.
    left_out : tuple of LeftOut
        What the export marks beside the mentions.
    labels : tuple of str, optional
        Labels of the project that were looked for in the text; None: all of them.
    """

    id: str
    text: str
    mentions: tuple[Mention, ...] = ()
    sentences: tuple[tuple[int, int], ...] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    stream: bool = False
    seconds: float | None = None
    left_out: tuple[LeftOut, ...] = ()
    labels: tuple[str, ...] | None = None
