"""How much worse the extractor finds the gold mentions in text that is written differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stages.common.scoring import Counts, Span, strict_counts
from stages.evaluate.behaviour import INVARIANT, CanExtract, spans_found
from stages.evaluate.perturbations import Perturbation, changed, moved

Texts = Mapping[str, str]
Mentions = Mapping[str, Sequence[Span]]


def scores_of_changed(extractor: CanExtract, texts: Texts, gold: Mentions, seed: int) -> dict[str, float]:
    """Return the strict F1 on texts as they are and by each change that means nothing.

    All are read as raw text, with sentences and tokens to be found. Gold mentions move with the text.

    Parameters
    ----------
    extractor : CanExtract
    texts : mapping of str to str
        By document.
    gold : mapping of str to sequence of Span
        By document.
    seed : int
        Decides which word gets the typo.

    Returns
    -------
    dict of str to float
    """
    changes = {"as_written": lambda *_: [], **INVARIANT}
    return {name: _score(extractor, texts, gold, change, seed) for name, change in changes.items()}


def _score(extractor: CanExtract, texts: Texts, gold: Mentions, change: Perturbation, seed: int) -> float:
    chance = np.random.default_rng(seed)
    counts = Counts()
    for name, text in texts.items():
        changes = change(text, gold[name], chance)
        counts += strict_counts(moved(gold[name], changes), spans_found(extractor, changed(text, changes)))
    return counts.f1
