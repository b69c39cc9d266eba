"""How often the promotion gate errs, with its own functions and bounds, on corpora and models that are drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.verdicts.rates import mean, rate
from benchmarks.verdicts.simulated import LABELS, Corpus, accepted_of, counts_table
from delivery.registry.acceptance import as_many_accepted, broken_by_chance
from delivery.registry.bounds import Bounds, read_bounds
from delivery.registry.comparing import lower_score, score_difference
from delivery.registry.holm import rejected
from delivery.registry.rescoring import Rescored
from stages.evaluate.cases import CASES

SCORE = 0.85
"""F1 of the champion."""
CHALLENGERS = 20
_GATE = Path("delivery/registry/gate.yaml")
_CAPABILITIES = 7
_FORMER_CASES = (36, 36, 24, 24, 20, 12, 10)

Passes = Callable[[NDArray, NDArray, Bounds], bool]


def tables(repetitions: int) -> dict[str, pd.DataFrame]:
    """Measure every rule."""
    bounds = read_bounds(_GATE.read_bytes(), str(_GATE)).model_copy(update={"resamples": 300})
    return {
        "score": scores(bounds, repetitions),
        "ratchet": ratchet(bounds, max(20, repetitions // 8)),
        "promise": promises(bounds, 2 * repetitions),
        "accepted": accepted(bounds, repetitions // 2),
        "functionality": functionality(bounds),
    }


def passes(old: NDArray, new: NDArray, bounds: Bounds) -> bool:
    """Ask all gates of strict F1, as `delivery.registry.comparing` does; rows of (labels, (tp, fp, fn))."""
    sides = [(old.sum(1), new.sum(1)), *((old[:, place], new[:, place]) for place in range(len(LABELS)))]
    for place, (before, after) in enumerate(sides):
        enough = int((before[:, [0, 2]].sum(1) > 0).sum()) >= bounds.minimum_documents
        if lower_score(score_difference(before, after, bounds), bounds, of_label=place > 0, enough=enough):
            return False
    return True


def scores(bounds: Bounds, repetitions: int) -> pd.DataFrame:
    """Tell how often a challenger passes, by its true change, the documents and the decisions left to luck."""
    rows = []
    for chance in (0.08, 0.2, 0.5):
        for documents in (30, 50, 119, 200):
            row: dict[str, object] = {"left to luck": f"{chance:.0%}", "documents": documents}
            for points in (-3, -2, -1, 0, 1, 2):
                hits = [
                    passes(*_pair(documents, points / 100, chance, number), bounds) for number in range(repetitions)
                ]
                row[f"{points:+d}" if points else "0"] = rate(hits)
            rows.append(row)
    return pd.DataFrame(rows)


def _pair(documents: int, change: float, chance: float, seed: int) -> tuple[NDArray, NDArray]:
    generator = np.random.default_rng([seed, documents, round(100 * chance), round(1000 * change) + 1000])
    corpus = Corpus.drawn(documents, generator)
    return corpus.counts(SCORE, chance, generator), corpus.counts(SCORE + change, chance, generator)


def ratchet(bounds: Bounds, repetitions: int) -> pd.DataFrame:
    """Let twenty challengers in a row try, each with a change of N(-.5, 1) points from the champion that it meets."""
    rules: dict[str, Passes] = {
        "this gate": passes,
        "a loss ruled out alone": lambda old, new, bounds: passes(old, new, _without_estimate(bounds)),
    }
    rows = []
    for name, rule in rules.items():
        for reused in (True, False):
            for documents, chance in ((119, 0.2), (119, 0.5), (400, 0.5)):
                runs = [_climb(rule, bounds, documents, chance, reused, seed) for seed in range(repetitions)]
                ends, promoted, claimed = map(np.array, zip(*runs, strict=True))
                rows.append(
                    {
                        "rule": name,
                        "test documents": f"the same {documents}" if reused else f"{documents} new ones each time",
                        "left to luck": f"{chance:.0%}",
                        "champion at the end, points": mean(ends),
                        "lower than at first": rate(ends < 0),
                        "promoted of 20": mean(promoted),
                        "measured above true, points": mean(claimed - ends) if reused else "",
                    }
                )
    return pd.DataFrame(rows)


def _without_estimate(bounds: Bounds) -> Bounds:
    return bounds.model_copy(update={"estimate": -1.0})


def _climb(
    rule: Passes, bounds: Bounds, documents: int, chance: float, reused: bool, seed: int
) -> tuple[float, int, float]:
    """Return the champion's true change in points, how many were promoted, and the change that was measured."""
    generator = np.random.default_rng([seed, documents, round(100 * chance)])
    corpus, score, promoted, claimed = Corpus.drawn(documents, generator), SCORE, 0, 0.0
    champion = corpus.counts(score, chance, generator)
    for _ in range(CHALLENGERS):
        if not reused:
            corpus = Corpus.drawn(documents, generator)
            champion = corpus.counts(score, chance, generator)
        new = score + generator.normal(-0.005, 0.01)
        challenger = corpus.counts(new, chance, generator)
        if rule(champion, challenger, bounds):
            claimed += score_difference(champion.sum(1), challenger.sum(1), bounds).difference
            champion, score, promoted = challenger, new, promoted + 1
    return 100 * (score - SCORE), promoted, 100 * claimed


def promises(bounds: Bounds, repetitions: int) -> pd.DataFrame:
    """Tell how often the gate says that a promise of .95 is broken, beside a test of independent mentions."""
    rows = []
    for documents in (50, 119, 400):
        for precision in (0.97, 0.95, 0.93, 0.9):
            seeds = range(repetitions)
            old, new = zip(*(_broken(documents, precision, bounds, seed) for seed in seeds), strict=True)
            rows.append(
                {
                    "documents": documents,
                    "true precision of each label": f"{precision:.2f}",
                    "refused": rate(new),
                    "refused, mentions taken as independent": rate(old),
                }
            )
    return pd.DataFrame(rows)


def _broken(documents: int, precision: float, bounds: Bounds, seed: int) -> tuple[bool, bool]:
    from scipy.stats import binom

    generator = np.random.default_rng([seed, documents, round(100 * precision)])
    counts = [accepted_of(documents, precision, generator) for _ in LABELS]
    chances = {label: broken_by_chance(*one, 0.95) for label, one in zip(LABELS, counts, strict=True)}
    taken, right = (sum(int(one[part].sum()) for one in counts) for part in (0, 1))
    return bool(binom.cdf(right, taken, 0.95) < bounds.significance), bool(rejected(chances, bounds.significance))


def accepted(bounds: Bounds, repetitions: int) -> pd.DataFrame:
    """Tell how often a challenger is refused that accepts so many fewer of the annotated mentions than .65."""
    rows = []
    for documents in (50, 119, 400):
        row: dict[str, object] = {"documents": documents}
        for points in (0, -2, -5, -10, -15):
            gates = [_accepting(documents, points / 100, bounds, seed) for seed in range(repetitions)]
            row[f"{points:+d}" if points else "0"] = rate(gates)
        rows.append(row)
    return pd.DataFrame(rows)


def _accepting(documents: int, change: float, bounds: Bounds, seed: int) -> bool:
    generator = np.random.default_rng([seed, documents, round(100 * change) + 100])
    corpus = Corpus.drawn(documents, generator)
    sides = []
    for share in (0.65, 0.65 + change):
        table = counts_table(corpus.counts(SCORE, 0.2, generator))
        table["accepted"] = counts_table(corpus.counts(share, 0.2, generator))["tp"]
        sides.append(table)
    rescored = Rescored(sides[0], sides[1], documents, 0, ([1.0], [1.0]))
    return as_many_accepted(rescored, bounds).status == "refused"


def functionality(bounds: Bounds) -> pd.DataFrame:
    """Tell how often minimum functionality refuses; exact, by binomial distributions, cases taken as independent."""
    from scipy.stats import binom

    def refusing(cases: int, right: float) -> float:
        return float(binom.cdf(int(np.ceil(bounds.minimum_functionality * cases)) - 1, cases, right))

    def any_of(cases: tuple[int, ...], right: float) -> float:
        return float(1 - np.prod([1 - refusing(number, right) for number in cases]))

    rows = [
        {
            "cases of a capability": name,
            ".97 right in each, refused": f"{any_of(cases, 0.97):.1%}",
            ".95 right in each": f"{any_of(cases, 0.95):.1%}",
            ".85 in the capability with fewest cases": f"{refusing(min(cases), 0.85):.1%}",
            ".80": f"{refusing(min(cases), 0.8):.1%}",
        }
        for name, cases in (("10 to 36, until now", _FORMER_CASES), (str(CASES), (CASES,) * _CAPABILITIES))
    ]
    return pd.DataFrame(rows)
