"""The gates between challenger and champion, computed from what was measured. Pure: no server, no git, no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from delivery.changes.bootstrap import paired_counts, paired_difference, verdict
from delivery.registry.acceptance import as_many_accepted
from delivery.registry.bounds import Bounds
from delivery.registry.gate import Gate, missing
from delivery.registry.holm import rejected
from delivery.registry.measured import behaviour_table, outcome
from delivery.registry.noninferiority import BoundedDifference, bounded_difference, f1, inferior
from delivery.registry.rescoring import Rescored

_COMPARING = ("test documents", "champion as recorded", "strict F1", "accepted mentions", "behaviour", "throughput")


def not_computed(gates: Sequence[Gate]) -> Iterator[Gate]:
    """Say of the gates that compare two models that they were not asked, since others refuse already.

    Parameters
    ----------
    gates : sequence of Gate
        What was asked.
    """
    refusing = ", ".join(gate.name for gate in gates if gate.status == "refused")
    reason = f"no model was fetched or run, since {refusing} refuses: mend that first"
    yield from (Gate(name, "not asked", reason) for name in _COMPARING)


def comparing_gates(
    challenger: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    recorded: pd.DataFrame | None,
    rescored: Rescored | None,
    bounds: Bounds,
) -> Iterator[Gate]:
    """Judge a challenger against the champion.

    Parameters
    ----------
    challenger, champion : mapping
        Flat metrics of their commits; the champion's None where there is no champion.
    recorded : DataFrame or None
        The champion's counts as its commit has them.
    rescored : Rescored or None
        Both on the champion's test documents; None where there is no champion.
    bounds : Bounds
    """
    if champion is None or rescored is None:
        yield from (Gate(name, "no champion yet", "there is no champion to compare with") for name in _COMPARING)
        return
    yield _documents(rescored, bounds)
    if rescored.documents:
        yield _as_recorded(recorded, rescored, bounds)
        yield from _scores(rescored, bounds)
        yield as_many_accepted(rescored, bounds)
        yield _throughput(rescored, bounds)
    yield _behaviour(challenger, champion, bounds)


def _documents(rescored: Rescored, bounds: Bounds) -> Gate:
    numbers = {"documents": rescored.documents, "left_out": rescored.left_out, "bound": bounds.minimum_documents}
    said = (
        f"{rescored.documents} test documents of the champion, {rescored.left_out} left out as the challenger saw them"
    )
    if rescored.documents < bounds.minimum_documents:
        reason = f"{said}; at least {bounds.minimum_documents} are needed: keep prepare.salt, dev and test as they were"
        return Gate("test documents", "refused", reason, numbers)
    return Gate("test documents", "passed", said, numbers)


def _as_recorded(recorded: pd.DataFrame | None, rescored: Rescored, bounds: Bounds) -> Gate:
    """Make sure that the champion is no weaker here than where it was evaluated: the bar must not be lowered."""
    name = "champion as recorded"
    if recorded is None:
        return missing(name, "metrics/documents.csv of the champion's commit")
    difference = paired_difference(recorded, rescored.champion, resamples=bounds.resamples, seed=bounds.seed)
    numbers = vars(difference)
    if verdict(difference, "higher") == "worse":
        reason = f"rescored, the champion loses {-difference.difference:.4f} of F1: make the environment of its commit"
        return Gate(name, "refused", reason, numbers)
    return Gate(name, "passed", f"rescored, its F1 differs by {difference.difference:+.4f}", numbers)


def _scores(rescored: Rescored, bounds: Bounds) -> Iterator[Gate]:
    for label in (None, *sorted(set(rescored.champion["label"]))):
        old, new = paired_counts(rescored.champion, rescored.challenger, label=label)
        found = score_difference(old, new, bounds)
        enough = int((old[:, [0, 2]].sum(1) > 0).sum()) >= bounds.minimum_documents
        fault = lower_score(found, bounds, of_label=label is not None, enough=enough)
        said = f"{found.difference:+.4f}, above {found.low:+.4f} at {bounds.confidence:.0%}"
        end = fault or ("no worse" if enough or not label else "too few documents name it to rule out a loss")
        yield Gate(
            f"strict F1, {label or 'all labels'}", "refused" if fault else "passed", f"{said}: {end}", vars(found)
        )


def score_difference(old: NDArray, new: NDArray, bounds: Bounds) -> BoundedDifference:
    """Compare strict F1 on the same documents; rows of (tp, fp, fn)."""
    return bounded_difference(old, new, f1, confidence=bounds.confidence, resamples=bounds.resamples, seed=bounds.seed)


def lower_score(found: BoundedDifference, bounds: Bounds, *, of_label: bool, enough: bool) -> str:
    """Say why a difference of strict F1 refuses; empty where it does not.

    Over all labels a loss of the margin must be ruled out and none be measured: on the same documents what is measured
    adds up from champion to champion, so that small losses cannot. Of a label a larger loss must be
    ruled out, where enough documents name it; else it must not be shown to be worse.

    Parameters
    ----------
    found : BoundedDifference
    bounds : Bounds
    of_label : bool
        Whether it is about one label.
    enough : bool
        Whether enough documents name it to ask for more than that.
    """
    if not of_label:
        return inferior(found, bounds.margin, bounds.estimate)
    if found.high < 0:
        return "worse beyond noise"
    return inferior(found, bounds.label_margin) if enough else ""


def _throughput(rescored: Rescored, bounds: Bounds) -> Gate:
    numbers = {"ratio": rescored.speed, "bound": bounds.throughput, "seconds": [*rescored.seconds]}
    reason = f"{rescored.speed:.2f} of the champion's, at least {bounds.throughput} is asked"
    if not rescored.speed >= bounds.throughput:
        return Gate("throughput", "refused", f"{reason}: profile it, or make the model smaller", numbers)
    return Gate("throughput", "passed", reason, numbers)


def _behaviour(challenger: Mapping[str, Any], champion: Mapping[str, Any], bounds: Bounds) -> Gate:
    """Compare pass rates by Fisher's exact test, one-sided, corrected for their number (Holm 1979)."""
    from scipy.stats import fisher_exact

    new, old = ({key: outcome(row) for key, row in behaviour_table(side).items()} for side in (challenger, champion))
    malformed = sorted(key for key, was in old.items() if was is None or new.get(key, was) is None)
    if not old or malformed:
        what = f"{', '.join(malformed)} of metrics/behaviour.json" if old else "metrics/behaviour.json of the champion"
        return missing("behaviour", what)
    gone = sorted(key for key, was in old.items() if was and any(was) and not any(new.get(key) or ()))
    if gone:
        reason = f"no longer tested: {', '.join(gone)}; keep the tests, and the labels that they are about"
        return Gate("behaviour", "refused", reason)
    pairs = {key: (now, was) for key, was in old.items() if was and any(was) and (now := new[key])}
    chances = {key: float(fisher_exact([*pair], alternative="less").pvalue) for key, pair in pairs.items()}
    shares = {key: [side[0] / sum(side) for side in pairs[key]] for key in rejected(chances, bounds.significance)}
    worse = [f"{key} {before:.2f} -> {after:.2f}" for key, (after, before) in shares.items()]
    if worse:
        reason = f"worse beyond noise: {', '.join(worse)}; compare metrics/behaviour.json"
        return Gate("behaviour", "refused", reason, chances)
    return Gate("behaviour", "passed", f"none of {len(chances)} capabilities is worse beyond noise", chances)
