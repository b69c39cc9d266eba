"""What a batch makes of labels that nobody asked for, of overlaps, and of mentions in several parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, get_args

IGNORED = ""
"""What a mapping gives for a label of the source that means nothing in the project, on purpose."""

Overlaps = Literal["refuse", "longest"]
Discontinuous = Literal["refuse", "join", "leave-out"]

OVERLAPS: tuple[Overlaps, ...] = get_args(Overlaps)
DISCONTINUOUS: tuple[Discontinuous, ...] = get_args(Discontinuous)


@dataclass(frozen=True)
class Rules:
    """How the marks of an export become flat mentions.

    Parameters
    ----------
    mapping : mapping of str to str, optional
        From the labels of the source to those of the project, or to `IGNORED`. What is ignored is left out
        before anything else is asked of it. Without a mapping every label means itself.
    overlaps : {"refuse", "longest"}
        Of two mentions that overlap, both with a meaning: refuse the export, or keep the longest.
    discontinuous : {"refuse", "join", "leave-out"}
        Of a mention in several parts: refuse the export, take it from its first character to its last, or
        leave it out.
    labels : tuple of str
        Of the project, in order: it decides between two mentions of the same place.
    """

    mapping: Mapping[str, str] | None = None
    overlaps: Overlaps = "refuse"
    discontinuous: Discontinuous = "refuse"
    labels: tuple[str, ...] = ()

    def meaning(self, label: str) -> str | None:
        """Return the project's label, `IGNORED`, or None for a label that the mapping does not know."""
        return label if self.mapping is None else self.mapping.get(label)

    def rank(self, label: str) -> tuple[int, str, str]:
        """Return what decides between two mentions of the same place: the project's order of labels, then names."""
        meaning = self.meaning(label) or ""
        return (self.labels.index(meaning) if meaning in self.labels else len(self.labels), meaning, label)


REFUSING = Rules()
"""Every label is kept under its own name; overlaps and mentions in several parts are refused."""

_rules: ContextVar[Rules] = ContextVar("rules", default=REFUSING)


@contextmanager
def reading_by(rules: Rules) -> Iterator[None]:
    """Let every document that is made in the block follow these rules."""
    token = _rules.set(rules)
    try:
        yield
    finally:
        _rules.reset(token)


def current_rules() -> Rules:
    """Return the rules of the innermost `reading_by`; outside of it those that refuse."""
    return _rules.get()
