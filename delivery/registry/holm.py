"""Several tests at once: which of them may be called significant."""

from __future__ import annotations

from collections.abc import Mapping


def rejected(chances: Mapping[str, float], level: float) -> list[str]:
    """Return the hypotheses that fall, the surest first: wrongly any of them in at most `level` of cases (Holm 1979).

    >>> rejected({"a": 0.03, "b": 0.01, "c": 0.04}, 0.05)
    ['b']
    """
    ranked = sorted(chances, key=lambda name: chances[name])
    for place, name in enumerate(ranked):
        if chances[name] >= level / (len(ranked) - place):
            return ranked[:place]
    return ranked
