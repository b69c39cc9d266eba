"""What a change did: two revisions to dataclasses, from git alone. Nothing here writes or renders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from delivery.changes.directions import direction_of
from delivery.changes.documents import (
    DocumentGroup,
    NetChange,
    Presence,
    ScoredDocuments,
    are_renamed,
    document_groups,
    net_changes,
    scored_documents,
)
from delivery.changes.metrics import HEADLINE, MetricChange, metric_changes
from delivery.revision.graph import Graph
from delivery.revision.revision import METRICS, TRACKED, Revision

_GATE = "metrics/validation.json"
_ANNOTATIONS = "data/annotations"
_DATA = (*TRACKED, "data/mapping/labels.csv", "data/prepared", "data/terminology")

Outcome = Literal[
    "gate failed", "not judged", "first result", "no interval", "unchanged", "better", "worse", "within noise"
]


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
    groups : tuple of DocumentGroup
        The test documents by who was scored on them.
    renamed : bool
        Whether the revisions name the same test documents in different ways.
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
    groups: tuple[DocumentGroup, ...] = ()
    renamed: bool = False

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
    def changed_labels(self) -> tuple[list[str], list[str]]:
        """The labels that only the old revision looks for, and those that only the new one does."""
        if self.headline.old is None or self.headline.new is None:
            return [], []
        labels = [(change.name.split(".")[2], change) for change in self.labels]
        gone = [label for label, change in labels if change.new is None and change.old is not None]
        return gone, [label for label, change in labels if change.old is None and change.new is not None]

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
    def bad(self) -> bool:
        """True when it must not pass: worse, overall or for a label, or nobody can know."""
        return self.outcome in ("gate failed", "not judged", "no interval", "worse") or bool(self.worse_labels)

    @property
    def gate(self) -> bool | None:
        """Whether the gate passed, None where it has not spoken."""
        return self.value("validation.passed")

    def value(self, name: str, side: Literal["old", "new"] = "new") -> Any:
        """Return a metric of one revision, None where it has none."""
        return getattr(self.metrics[name], side) if name in self.metrics else None

    def group(self, presence: Presence) -> DocumentGroup | None:
        """Return the test documents that both revisions have, or only one of them; None where there are none."""
        return next((group for group in self.groups if group.presence == presence), None)

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
    hashes = _changed(_data(old), _data(new))
    counts = old.document_counts(), new.document_counts()
    # With the same annotations and the same counts in each, what has other names is not other documents.
    renamed = _ANNOTATIONS in _data(new) and _ANNOTATIONS not in hashes and are_renamed(*counts)
    if renamed:
        counts = counts[1], counts[1]
    return Changes(
        old,
        new,
        {change.name: change for change in metric_changes(old, new, counts, _stale_files(graph, stale))},
        _changed(old.params(), new.params()),
        hashes,
        stale,
        Graph.of(old).stale(),
        scored_documents(*counts),
        tuple(net_changes(*counts)),
        document_groups(*counts),
        renamed,
    )


def _stale_files(graph: Graph, stale: Mapping[str, str]) -> set[str]:
    """Name the metrics, by their file, that do not belong to what lies beside them."""
    makers = graph.makers()
    if (graph.revision.json(_GATE) or {}).get("passed") is False:
        # A gate that fails stops the graph: its own word is newer than the lock, all others are older.
        return {Path(path).stem for path in METRICS} - {Path(_GATE).stem}
    return {Path(path).stem for path in METRICS if makers.get(path) in stale}


def _data(revision: Revision) -> dict[str, str]:
    return {path: md5 for path, md5 in revision.hashes().items() if path in _DATA}


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = [*new, *(name for name in old if name not in new)]
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}
