"""What a change did: two revisions to dataclasses, from git alone. Nothing here writes or renders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from delivery.comparison import Difference, Judgement, Metric, paired_difference, unpaired_difference, verdict
from delivery.directions import Direction, direction_of
from delivery.document_changes import NetChange, ScoredDocuments, net_changes, scored_documents
from delivery.intervals import between_intervals, between_shares
from delivery.revisions import METRICS, TRACKED, Revision
from delivery.staleness import Graph

HEADLINE = "evaluation.strict.micro.f1"
_GATE = "metrics/validation.json"
_DATA = (*TRACKED, "data/mapping/labels.csv", "data/prepared", "data/terminology")
_SCORES: tuple[Metric, ...] = ("f1", "precision", "recall")

Outcome = Literal[
    "gate failed", "not judged", "first result", "no interval", "unchanged", "better", "worse", "within noise"
]
Method = Literal["paired", "unpaired documents", "unpaired intervals", "unpaired cases", "none"]


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
        Where the interval comes from.
    fresh : bool
        False when the stage that writes it has to be run again.
    """

    name: str
    old: Any
    new: Any
    direction: Direction | None
    difference: Difference | None = None
    method: Method = "none"
    fresh: bool = True

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


@dataclass(frozen=True)
class Changes:
    """Everything that git knows of the difference between two revisions.

    Parameters
    ----------
    old, new : Revision
    metrics : dict of str to MetricChange
        In the order of the files.
    params : dict of str to (old, new)
        Those that changed; None where the revision does not have it.
    hashes : dict of str to (old, new)
        Data that changed.
    stale, stale_base : dict of str to str
        Stages of each revision that have to be run again, and why.
    documents : ScoredDocuments or None
        None where one of the revisions has no counts by document.
    mentions : tuple of NetChange
        Over the common test documents.
    """

    old: Revision
    new: Revision
    metrics: Mapping[str, MetricChange]
    params: Mapping[str, tuple[Any, Any]]
    hashes: Mapping[str, tuple[str | None, str | None]]
    stale: Mapping[str, str]
    stale_base: Mapping[str, str]
    documents: ScoredDocuments | None
    mentions: tuple[NetChange, ...]

    @property
    def headline(self) -> MetricChange:
        """The strict micro F1."""
        return self.metrics.get(HEADLINE) or MetricChange(HEADLINE, None, None, direction_of(HEADLINE))

    @property
    def labels(self) -> list[MetricChange]:
        """The strict F1 of each label."""
        return [
            change
            for name, change in self.metrics.items()
            if name.startswith("evaluation.strict.") and name.endswith(".f1") and name != HEADLINE
        ]

    @property
    def outcome(self) -> Outcome:
        """What the change comes to, by its headline; what cannot be known is never good news."""
        headline = self.headline
        if self.gate is False:
            return "gate failed"
        if (
            self.gate is None
            or headline.new is None
            or not headline.fresh
            or not self.metrics["validation.passed"].fresh
        ):
            return "not judged"
        if headline.old is None:
            return "first result"
        if self.documents and self.documents.same:
            return "unchanged"
        return headline.judgement or "no interval"

    @property
    def worse_labels(self) -> list[str]:
        """The labels whose strict F1 is worse beyond noise."""
        return [change.name.split(".")[-2] for change in self.labels if change.judgement == "worse"]

    @property
    def gate(self) -> bool | None:
        """Whether the gate passed, None where it has not spoken."""
        return self.value("validation.passed")

    def value(self, name: str, side: Literal["old", "new"] = "new") -> Any:
        """Return a metric of one revision, None where it has none."""
        return getattr(self.metrics[name], side) if name in self.metrics else None

    def under(self, prefix: str) -> dict[str, MetricChange]:
        """Return the metrics below a prefix by the rest of their names."""
        return {
            name.removeprefix(f"{prefix}."): change
            for name, change in self.metrics.items()
            if name.startswith(f"{prefix}.")
        }


def changes_between(old: Revision, new: Revision) -> Changes:
    """Compare two revisions.

    Raises
    ------
    DeliveryError
        When a file of one of them cannot be read.
    """
    graph = Graph.of(new)
    stale = graph.stale()
    counts = old.document_counts(), new.document_counts()
    return Changes(
        old,
        new,
        {change.name: change for change in _metric_changes(old, new, counts, _stale_files(graph, stale))},
        _changed(old.params(), new.params()),
        _changed(_data(old), _data(new)),
        stale,
        Graph.of(old).stale(),
        scored_documents(*counts),
        tuple(net_changes(*counts)),
    )


_Counts = tuple[pd.DataFrame | None, pd.DataFrame | None]


def _metric_changes(old: Revision, new: Revision, counts: _Counts, stale: set[str]) -> Iterator[MetricChange]:
    before, after = old.metrics(), new.metrics()
    names = [*after, *(name for name in before if name not in after)]
    order = {Path(path).stem: place for place, path in enumerate(METRICS)}
    for name in sorted(names, key=lambda name: order[name.split(".")[0]]):
        fresh = name.split(".")[0] not in stale
        difference, method = _interval(name, before, after, counts)
        yield MetricChange(
            name, before.get(name), after.get(name), direction_of(name), difference if fresh else None, method, fresh
        )


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
        case ["evaluation", "note_types", *_, "f1"]:
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


def _stale_files(graph: Graph, stale: Mapping[str, str]) -> set[str]:
    """Name the metrics, by their file, that do not belong to what lies beside them."""
    makers = graph.makers()
    if (graph.revision.json(_GATE) or {}).get("passed") is False:
        # A gate that fails stops the graph: its own word is newer than the lock, all others are older.
        return {Path(path).stem for path in METRICS} - {Path(_GATE).stem}
    return {Path(path).stem for path in METRICS if makers.get(path) in stale}


def _data(revision: Revision) -> dict[str, str]:
    return {path: found for path, found in revision.hashes().items() if path in _DATA}


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = [*new, *(name for name in old if name not in new)]
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def is_number(value: Any) -> bool:
    """Tell numbers from truth values, which Python counts among them."""
    return isinstance(value, int | float) and not isinstance(value, bool)
