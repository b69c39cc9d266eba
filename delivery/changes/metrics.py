"""Each metric of two revisions: old, new, and the sharpest interval of the difference that git allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from delivery.changes.bootstrap import (
    Difference,
    Judgement,
    Metric,
    paired_counts,
    paired_difference,
    unpaired_counts,
    unpaired_difference,
    verdict,
)
from delivery.changes.directions import Direction, direction_of
from delivery.changes.intervals import between_intervals, between_shares
from delivery.revision.revision import METRICS, Revision
from stages.common.scoring import Counts

HEADLINE = "evaluation.strict.micro.f1"
_OF_DOCUMENTS = ("evaluation.", "kpi.")
_SCORES: tuple[Metric, ...] = ("f1", "precision", "recall")

Method = Literal["paired", "unpaired documents", "unpaired intervals", "unpaired cases", "other documents", "none"]
_Counts = tuple[pd.DataFrame | None, pd.DataFrame | None]


@dataclass(frozen=True)
class MetricChange:
    """One metric of both revisions.

    Parameters
    ----------
    name : str
        Flat, as `evaluation.strict.micro.f1`.
    old, new : object
        None where the revision does not have it.
    direction : {"higher", "lower", "neutral"} or None
        None where nobody has said it.
    difference : Difference or None
        With its interval, where there is one; on the common documents where it is paired.
    method : str
        Where the interval comes from; "other documents": there is none, and the two values are of other documents.
    fresh : bool
        False when the stage that writes it has to be run again.
    common : (float, float) or None
        Old and new over what the difference is over: the labels of both, and their common documents where they have
        any. None where that is all.
    """

    name: str
    old: Any
    new: Any
    direction: Direction | None
    difference: Difference | None = None
    method: Method = "none"
    fresh: bool = True
    common: tuple[float, float] | None = None

    @property
    def judgement(self) -> Judgement | None:
        """What the change means, None where no interval tells it from noise."""
        if self.difference is None or self.direction in (None, "neutral") or not self.fresh:
            return None
        return verdict(self.difference, self.direction)  # type: ignore[arg-type]

    @property
    def change(self) -> float | None:
        """New minus old, None where one of them is no number."""
        if self.difference is not None:
            return self.difference.difference
        return self.new - self.old if is_number(self.old) and is_number(self.new) else None

    @property
    def changed(self) -> bool:
        """True when the two revisions say something else."""
        return bool(self.old != self.new)


def metric_changes(old: Revision, new: Revision, counts: _Counts, stale: set[str]) -> Iterator[MetricChange]:
    """Yield every metric of either revision, in the order of the files.

    Parameters
    ----------
    old, new : Revision
    counts : (DataFrame or None, DataFrame or None)
        Of the two revisions, by test document.
    stale : set of str
        Files, without folder and ending, whose metrics have to be computed again.
    """
    before, after = old.metrics(), new.metrics()
    names = [*after, *(name for name in before if name not in after)]
    order = {Path(path).stem: place for place, path in enumerate(METRICS)}
    other = _other_documents(counts)
    for name in sorted(names, key=lambda name: order[name.split(".")[0]]):
        fresh = name.split(".")[0] not in stale
        old_value, new_value = before.get(name), after.get(name)
        if not fresh:
            yield MetricChange(name, old_value, new_value, direction_of(name), fresh=False)
            continue
        difference, method = _interval(name, before, after, counts)
        if difference is None and other and name.startswith(_OF_DOCUMENTS):
            method = "other documents"
        common = _common(name, counts, method)
        yield MetricChange(name, old_value, new_value, direction_of(name), difference, method, common=common)


def _other_documents(counts: _Counts) -> bool:
    old, new = counts
    return old is not None and new is not None and set(old["document"]) != set(new["document"])


def _common(name: str, counts: _Counts, method: Method) -> tuple[float, float] | None:
    """Score what the difference is over, where one of the revisions has more: common labels, documents if any are."""
    if method not in ("paired", "unpaired documents"):
        return None
    old, new = counts
    assert old is not None  # as for every difference over documents
    assert new is not None
    label, metric = name.split(".")[-2:]
    other_labels = label == "micro" and set(old["label"]) != set(new["label"])
    if not other_labels and not (method == "paired" and _other_documents(counts)):
        return None
    counts_of = paired_counts if method == "paired" else unpaired_counts
    sides = counts_of(old, new, label=None if label == "micro" else label)
    before, after = (round(getattr(Counts(*map(int, side.sum(0))), metric), 4) for side in sides)
    return before, after


def _interval(
    name: str, before: Mapping[str, Any], after: Mapping[str, Any], counts: _Counts
) -> tuple[Difference | None, Method]:
    """Choose the sharpest interval that the two revisions allow for a metric."""
    if not (is_number(before.get(name)) and is_number(after.get(name))):
        return None, "none"
    match name.split("."):
        case ["evaluation", "strict", label, metric] if metric in _SCORES:
            return _of_documents(counts, None if label == "micro" else label, metric)
        case ["behaviour", _, "rate"]:
            stem = name.removesuffix("rate")
            sides = [(int(side[f"{stem}passed"]), int(side[f"{stem}cases"])) for side in (before, after)]
            if all(cases for _, cases in sides):
                return between_shares(*sides), "unpaired cases"
        case ["evaluation", "note_types", *_, "f1"] | ["kpi", "accepted" | "after" | "saved", _]:
            bounds = [[side.get(f"{name}{end}") for end in ("", "_low", "_high")] for side in (before, after)]
            if all(is_number(value) for side in bounds for value in side):
                return between_intervals(*map(tuple, bounds)), "unpaired intervals"  # type: ignore[arg-type]
    return None, "none"


def _of_documents(counts: _Counts, label: str | None, metric: Metric) -> tuple[Difference | None, Method]:
    old, new = counts
    if old is None or new is None:
        return None, "none"
    labels = set(old["label"]) & set(new["label"])
    if not labels or (label is not None and label not in labels):
        return None, "none"
    if set(old["document"]) & set(new["document"]):
        return paired_difference(old, new, label=label, metric=metric), "paired"
    return unpaired_difference(old, new, label=label, metric=metric), "unpaired documents"


def is_number(value: Any) -> bool:
    """Tell numbers from truth values, which Python counts among them."""
    return isinstance(value, int | float) and not isinstance(value, bool)
