"""Which notes together teach the most: a greedy choice under diminishing returns."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from annotation.queue.profiles import Profile


class Choice(NamedTuple):
    """One chosen note.

    Parameters
    ----------
    note : int
        Its place among the notes.
    novelty : float
        Share of what it would have taught as the first choice that it teaches after those before
        it, 0 to 1.
    """

    note: int
    novelty: float


def choose(profiles: Sequence[Profile], count: int) -> list[Choice]:
    """Choose notes one after the other, each the one that teaches most beside those chosen before.

    What is to be large is the number of different phrases that the chosen notes show the model to
    get wrong: 1 - exp(-x) for a phrase on which x errors are expected in them, were errors to fall
    as in a Poisson process. A second note with the same doubts then teaches less than one with
    others. The sum over phrases is monotone and submodular, so that the greedy choice is within
    1 - 1/e of the best (Nemhauser, Wolsey & Fisher 1978; as feature-based diversity: Wei, Iyer &
    Bilmes 2015), and a gain once computed only falls, so that few are computed anew (Minoux 1978).

    Parameters
    ----------
    profiles : sequence of Profile
    count : int
        How many to choose; all, when there are not as many.

    Returns
    -------
    list of Choice
        Best first; the earlier note where two teach the same.
    """
    covered: dict[int, float] = {}
    first = [_gain(profile, covered) for profile in profiles]
    waiting = [(-gain, note, 0) for note, gain in enumerate(first)]
    heapq.heapify(waiting)
    choices: list[Choice] = []
    while waiting and len(choices) < count:
        stale, note, known = heapq.heappop(waiting)
        if known < len(choices):
            heapq.heappush(waiting, (-_gain(profiles[note], covered), note, len(choices)))
            continue
        choices.append(Choice(note, -stale / first[note] if first[note] else 0.0))
        profile = profiles[note]
        for phrase, errors in zip(profile.phrases.tolist(), profile.errors.tolist(), strict=True):
            covered[phrase] = covered.get(phrase, 0.0) + errors
    return choices


def _gain(profile: Profile, covered: dict[int, float]) -> float:
    before = np.array([covered.get(phrase, 0.0) for phrase in profile.phrases.tolist()])
    return float((np.exp(-before) * -np.expm1(-profile.errors)).sum())
