"""Mentions that say nothing of what this patient has or gets: negated, or of a relative.

What a mention says is the extractor's (`stages.train.assertion`); the record leaves out no more than these. Doubt
counts, and so does what was: a stopped treatment was one.
"""

from __future__ import annotations

from stages.train.assertion import rules

NEGATED, FAMILY, NONE = rules.NEGATED, rules.FAMILY, ""
FLAGS = (NEGATED, FAMILY)


def flag_of(assertion: str) -> str:
    """Return `NEGATED`, `FAMILY` or `NONE`.

    >>> [flag_of(assertion) for assertion in ("negated", "historical")]
    ['negated', '']
    """
    return assertion if assertion in FLAGS else NONE
