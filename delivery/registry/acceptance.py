"""The gates about what is accepted without a person: the promise is kept, and not by accepting less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from delivery.registry.bounds import Bounds
from delivery.registry.gate import Gate, missing
from delivery.registry.holm import rejected
from delivery.registry.measured import accepted_counts, share
from delivery.registry.noninferiority import BoundedDifference, accepted_share, bounded_difference, inferior
from delivery.registry.rescoring import Rescored


def promise(metrics: Mapping[str, Any], counts: pd.DataFrame | None, bounds: Bounds) -> Gate:
    """Test for each label whether its accepted mentions can still have the promised precision.

    A model that accepts nothing breaks no promise, and is of no use: it is refused. A single label of which nothing is
    accepted is said aloud where training found no threshold for it (decision 41: a person reads each mention of it);
    with a threshold it is refused, since the model does not do what it was trained to.

    Parameters
    ----------
    metrics : mapping
        Flat metrics of its commit.
    counts : DataFrame or None
        ``document, label, accepted, right`` of its own test documents, among others.
    bounds : Bounds
    """
    name = "acceptance promise"
    promised, table = share(metrics.get("evaluation.acceptance.promised")), accepted_counts(counts)
    if promised is None or table is None:
        return missing(name, "metrics/evaluation.json and metrics/documents.csv with what is accepted")
    totals = table.groupby("label")[["accepted", "right"]].sum()
    if not totals["accepted"].sum():
        reason = (
            "nothing is accepted without a person: annotate more notes, or promise less (train.acceptance.precision)"
        )
        return Gate(name, "refused", reason, {"promised": promised, "accepted": 0})
    chances = {
        str(label): broken_by_chance(rows["accepted"].to_numpy(), rows["right"].to_numpy(), promised)
        for label, rows in table.groupby("label")
    }
    numbers = {"promised": promised, "accepted": int(totals["accepted"].sum()), "chance": chances}
    silent = _silent(metrics, table, bounds)
    numbers |= {"accepts_nothing": sorted(silent)} if silent else {}
    said = f"{'; '.join(_of_labels(totals))}; {promised} promised"
    broken = sorted(rejected(chances, bounds.significance))
    if broken:
        reason = f"{said}: broken for {', '.join(broken)}; train with a smaller train.acceptance.risk"
        return Gate(name, "refused", reason, numbers)
    reason = "; ".join([said, *(f"NOTHING OF {label} IS ACCEPTED: {why}" for label, why in silent.items())])
    return Gate(name, "refused" if _UNUSED in silent.values() else "passed", reason, numbers)


_UNTESTED = "no threshold was shown to keep the promise, a person reads each mention; annotate more notes"
_FEW = "no mention of the few test documents that name it reaches its threshold; annotate more notes"
_UNUSED = "no mention of the test documents reaches its threshold (models/acceptance.json); run `dvc repro`"


def _silent(metrics: Mapping[str, Any], table: pd.DataFrame, bounds: Bounds) -> dict[str, str]:
    """Return the labels that are annotated in the test documents and of which nothing is accepted, and why."""
    said = {}
    for label, rows in table[table["tp"] + table["fn"] > 0].groupby("label"):
        if not rows["accepted"].sum():
            threshold = share(metrics.get(f"evaluation.acceptance.labels.{label}.threshold"))
            many = rows["document"].nunique() >= bounds.minimum_documents
            said[str(label)] = _UNTESTED if threshold is None else _UNUSED if many else _FEW
    return said


def broken_by_chance(accepted: NDArray, right: NDArray, promised: float) -> float:
    """Return how likely so many wrong ones are, or more, where the promise is just kept.

    Mentions of one document are right and wrong together, so that documents are what is counted: Student's t of what
    each has above the promise. Of few errors that is too bold, and mention by mention (exact binomial) it is less so;
    the larger of the two is taken.

    Parameters
    ----------
    accepted, right : int64 array of shape (documents,)
    promised : float
    """
    from scipy.stats import binom, t

    above = (right - promised * accepted)[accepted > 0]
    total = int(accepted.sum())
    if not total:
        return 1.0
    chance = float(binom.cdf(int(right.sum()), total, promised))
    spread = float(np.std(above, ddof=1)) * np.sqrt(len(above)) if len(above) > 1 else 0.0
    return max(chance, float(t.cdf(above.sum() / spread, len(above) - 1))) if spread else chance


def as_many_accepted(rescored: Rescored, bounds: Bounds) -> Gate:
    """Make sure that a challenger accepts no less than the champion, overall and of each label, but for a margin.

    Of a label that fewer documents name than `minimum_documents`, so large a loss must be shown.

    Parameters
    ----------
    rescored : Rescored
        With ``accepted`` in both tables.
    bounds : Bounds
    """
    name = "accepted mentions"
    differences, refusals = {}, []
    for label in (None, *sorted(set(rescored.champion["label"]))):
        old, new = (_accepted_of_annotated(side, label) for side in (rescored.champion, rescored.challenger))
        found = bounded_difference(
            old, new, accepted_share, confidence=bounds.confidence, resamples=bounds.resamples, seed=bounds.seed
        )
        differences[label or "all labels"] = found.difference
        rare = label is not None and int((old[:, 1] > 0).sum()) < bounds.minimum_documents
        fault = _shown_less(found, bounds.accepted_margin) if rare else inferior(found, bounds.accepted_margin)
        refusals += [f"{label or 'all labels'}: {fault}"] * bool(fault)
    said = ", ".join(f"{label} {difference:+.4f}" for label, difference in differences.items())
    if refusals:
        reason = f"{said} of the annotated mentions: {'; '.join(refusals)}; compare plots/precision_coverage.csv"
        return Gate(name, "refused", reason, differences)
    return Gate(name, "passed", f"{said} of the annotated mentions", differences)


def _shown_less(found: BoundedDifference, margin: float) -> str:
    """Judge a label that too few documents name to rule out a loss."""
    return f"{-found.difference:.2f} less, beyond noise" if found.high < 0 and found.difference < -margin else ""


def _accepted_of_annotated(table: pd.DataFrame, label: str | None) -> NDArray:
    rows = table if label is None else table[table["label"] == label]
    rows = rows.assign(annotated=rows["tp"] + rows["fn"])
    return rows.groupby("document", sort=True)[["accepted", "annotated"]].sum().to_numpy()


def _of_labels(totals: pd.DataFrame) -> Iterator[str]:
    for label, accepted, right in totals.itertuples():
        yield f"{label} {right / accepted:.4f} of {accepted} accepted" if accepted else f"{label} none accepted"
