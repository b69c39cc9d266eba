"""Which labels the batches looked for, and what was left out: what prepare says against the batches themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stages.common.annotated import Annotated, labels_of
from stages.common.wording import agreeing
from stages.validate.findings import Finding, finding
from stages.validate.frames import Tables
from stages.validate.originals import PREPARE_AGAIN
from stages.validate.sources import Sources, annotated_by


def check_labels(
    tables: Tables, said: Annotated | None, sources: Sources, report: Mapping[str, Any], labels: Sequence[str]
) -> list[Finding]:
    """Compare `labels.json` and the counts of what was left out with the batches, and name labels that none annotates.

    Parameters
    ----------
    tables : Tables
    said : mapping of str to sequence of str, optional
        Content of ``data/prepared/labels.json``; None where nothing was read.
    sources : mapping of str to Source
    report : mapping
        Of prepare.
    labels : sequence of str
        Of the project.
    """
    return [
        *(_other_labels(said, sources) if said is not None else []),
        *_other_counts(sources, report),
        *not_annotated(tables, annotated_by(sources), labels),
    ]


def _other_labels(said: Annotated, sources: Sources) -> list[Finding]:
    wrong = [name for name, labels in annotated_by(sources).items() if list(said.get(name, ())) != list(labels)]
    if not wrong:
        return []
    batches = agreeing(len(wrong), "batch/batches annotates/annotate")
    summary = f"{batches} other labels than data/prepared/labels.json says. {PREPARE_AGAIN}."
    return [finding("labels_of_the_batches", "error", len(wrong), summary)]


def _other_counts(sources: Sources, report: Mapping[str, Any]) -> list[Finding]:
    counts: dict[str, Counter[str]] = {}
    for source in sources.values():
        for reason, by_label in source.left_out.items():
            counts.setdefault(reason, Counter()).update(by_label)
    if counts == report.get("mentions_left_out", {}):
        return []
    number = sum(by_label.total() for by_label in counts.values())
    spans = agreeing(number, "span/spans that is/are no mention/mentions")
    summary = f"The batches mark {spans}, data/prepared/report.json has other counts."
    return [finding("mentions_left_out", "error", max(1, number), f"{summary} {PREPARE_AGAIN}.")]


def not_annotated(tables: Tables, annotated: Annotated, labels: Sequence[str]) -> list[Finding]:
    """Name the labels of the project that were looked for in no document."""
    looked_for = {label for name in tables.documents["document"] for label in labels_of(name, annotated, labels)}
    absent = [label for label in labels if label not in looked_for]
    if not absent:
        return []
    summary = (
        f"No batch annotates {' or '.join(absent)}, so that nothing is learned or measured of it."
        " Add a batch that does, or take the label out of the project."
    )
    return [finding("label_not_annotated", "warning", len(absent), summary)]
