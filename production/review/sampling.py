"""Which notes are audited: whole notes, each drawn by itself with a known probability (Poisson sampling), by stratum.

Rates are nearly uniform: what a stratum's notes would cost decides its share of the time, but no stratum gets less
than a floor. Nothing cleverer was measured to be better; what matters is that every probability is known and above 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from stages.common.pseudonyms import pseudonym

ACCEPTED, QUERIED, SUGGESTED, SILENT = "accepted", "queried", "suggested", "silent"
STRATA = (ACCEPTED, QUERIED, SUGGESTED, SILENT)
WORK = (QUERIED, SUGGESTED)
"""Strata whose notes wait for a person, drawn or not."""

_PARTS = 16**16


class Load(NamedTuple):
    """The notes of a stratum, and the seconds that reading all of them would take."""

    notes: int
    seconds: float


def stratum_of(mentions: int, accepted: int, suggestions: int) -> str:
    """Return the stratum of a note by what the model found in it.

    >>> stratum_of(2, 1, 1), stratum_of(2, 2, 1), stratum_of(2, 2, 0), stratum_of(0, 0, 1), stratum_of(0, 0, 0)
    ('queried', 'suggested', 'accepted', 'suggested', 'silent')
    """
    if accepted < mentions:
        return QUERIED
    if suggestions:
        return SUGGESTED
    return ACCEPTED if mentions else SILENT


def rates(loads: Mapping[str, Load], seconds: float, floor: float) -> dict[str, float]:
    """Return with which probability a note of each stratum is drawn, so that a time is spent on average.

    Parameters
    ----------
    loads : mapping of str to Load
        By stratum.
    seconds : float
        That there are; with 0, all rates are 0.
    floor : float
        Share of them that each stratum gets at least, as far as its notes can take it; the floors of all are at most 1.

    Returns
    -------
    dict of str to float
        Of the strata that have notes.
    """
    costs = {name: load.seconds for name, load in loads.items() if load.notes}
    least = {name: min(cost, floor * seconds) for name, cost in costs.items()}
    raised: set[str] = set()
    while True:
        free = sum(cost for name, cost in costs.items() if name not in raised)
        left = seconds - sum(least[name] for name in raised)
        rate = left / free if free else 0.0
        below = {name for name in costs.keys() - raised if rate * costs[name] < least[name]}
        if not below:
            break
        raised |= below
    return {name: min(1.0, least[name] / cost if name in raised else rate) for name, cost in costs.items()}


def draw(key: str, purpose: str, note: str) -> float:
    """Return a number from 0 to below 1 that only the key, the purpose and the note decide.

    So a sample is the same again, in whatever order notes are looked at.
    """
    return int(pseudonym(key, f"review {purpose} {note}"), 16) / _PARTS


def expected_seconds(characters: int, spans: int, characters_per_second: float, span_seconds: float) -> float:
    """Return how long a note takes that has so many characters and shows so many mentions and suggestions."""
    return 1.0 + characters / characters_per_second + spans * span_seconds
