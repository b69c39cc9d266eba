"""The gate: whether what was prepared is fit to learn and to judge from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.common.annotated import Annotated, read_annotated
from stages.common.errors import GateError
from stages.common.files import read_json, read_table
from stages.common.tags import iob2_tags
from stages.common.wording import agreeing
from stages.prepare.params import PrepareParams
from stages.validate.annotated import check_labels
from stages.validate.annotations import check_documents
from stages.validate.assigned import check_assignment, check_names
from stages.validate.catalogue import SCHEMAS
from stages.validate.findings import Finding, finding
from stages.validate.frames import Tables, as_documents, content_frames, documents_by_split, mentions_by_split
from stages.validate.originals import check_originals, check_splits
from stages.validate.params import GateParams, ValidateParams
from stages.validate.project import CONTENT_SUITES, Outcome, Project
from stages.validate.reported import check_report
from stages.validate.sources import Sources, annotated_by, load_sources

PREPARED = Path("data/prepared")


@dataclass(frozen=True)
class GateVerdict:
    """What the gate found.

    Parameters
    ----------
    outcome : Outcome
        Of the expectations.
    annotations : tuple of Finding
        Of the annotation checks.
    documents, mentions : dict
        Counts by split, and by split and label.
    prepare : dict
        The report of prepare, as it stands.
    """

    outcome: Outcome
    annotations: tuple[Finding, ...] = ()
    documents: dict[str, int] = field(default_factory=dict)
    mentions: dict[str, dict[str, int]] = field(default_factory=dict)
    prepare: dict[str, Any] = field(default_factory=dict)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that did not come out clean, errors first."""
        return tuple(sorted((*self.outcome.failed, *self.annotations), key=lambda entry: entry.severity))

    @property
    def passed(self) -> bool:
        """True when there is no error, and something was looked at."""
        return self.outcome.evaluated > 0 and all(entry.severity != "error" for entry in self.findings)


@dataclass(frozen=True)
class Prepared:
    """The tables of prepare, its report, and what the batches say.

    `annotated` is what prepare says that each batch looked for. `faults` were found in the files and cannot be
    seen in a data frame any more.
    """

    tables: Tables
    report: dict[str, Any]
    sources: Sources
    faults: tuple[Finding, ...] = ()
    annotated: Annotated | None = None


def load_prepared(params: PrepareParams, folder: Path = PREPARED) -> Prepared:
    """Read what prepare wrote, and the batches that it was made of.

    Raises
    ------
    GateError, AnnotationError
        When a file is missing or cannot be read.
    """
    frames: dict[str, pd.DataFrame] = {}
    for name in SCHEMAS:
        path = folder / f"{name}.parquet"
        try:
            frames[name] = read_table(path)
        except (OSError, ValueError) as error:
            problem = f"{path} cannot be read ({type(error).__name__}): run `dvc repro prepare`"
            raise GateError(problem) from error
    try:
        report, annotated = read_json(folder / "report.json"), read_annotated(folder)
    except (OSError, json.JSONDecodeError) as error:
        problem = f"report.json or labels.json in {folder} cannot be read ({type(error).__name__})"
        raise GateError(f"{problem}: run `dvc repro prepare`") from error
    if not isinstance(report, dict) or not isinstance(annotated, dict):
        raise GateError(f"report.json or labels.json in {folder} is not an object: run `dvc repro --force prepare`")
    not_numbers = not_a_number(folder / "documents.parquet")
    return Prepared(Tables(**frames), report, load_sources(params), not_numbers, annotated)


def not_a_number(path: Path) -> tuple[Finding, ...]:
    """Find times that are NaN in the file: a data frame shows them as if none was measured."""
    table = pq.read_table(path, use_threads=False)
    if "seconds" not in table.column_names or not pa.types.is_floating(table["seconds"].type):
        return ()  # the business of the schema
    wrong = table.filter(pc.is_nan(table["seconds"]))
    if not len(wrong):
        return ()
    summary = (
        f"{agreeing(len(wrong), 'time/times is/are not a number')}."
        " Look in the export; where none was measured, there is none."
    )
    names = wrong["document"].to_pylist() if "document" in wrong.column_names else ()
    return (finding("seconds_not_a_number", "error", len(wrong), summary, map(str, names)),)


def bounds_of(params: ValidateParams, labels: Sequence[str]) -> dict[str, Any]:
    """Return the values of the suites' parameters: what is known of the labels, and the bounds."""
    return {
        "labels": list(labels),
        "tags": iob2_tags(labels),
        "sentence_tokens": params.sentence_tokens,
        "lowest_share": params.label_share[0],
        "highest_share": params.label_share[1],
        "mentions_per_label": params.mentions_per_label,
        "aligned_share": params.aligned_share,
    }


def check_schemas(project: Project, tables: Tables) -> Outcome:
    """Run the schema suites: right columns, types, no nulls."""
    outcome = Outcome()
    for name in SCHEMAS:
        outcome += project.run(f"{name}_schema", getattr(tables, name), {})
    return outcome


def check(prepared: Prepared, params: GateParams, project: Project | None = None) -> GateVerdict:
    """Run every expectation and every annotation check.

    When a schema is wrong, the rest could not be computed and is not tried: the verdict is an
    error all the same.

    Parameters
    ----------
    prepared : Prepared
    params : GateParams
    project : Project, optional
        Given by tests, since opening one takes seconds.
    """
    project = project or Project()
    tables = prepared.tables
    outcome = check_schemas(project, tables)
    if outcome.failed:
        project.build_data_docs()
        return GateVerdict(outcome, prepared.faults, prepare=prepared.report)
    similar = params.prepare
    frames = content_frames(
        tables, params.labels, near_duplicate=similar.near_duplicate, copied=similar.copied, sources=prepared.sources
    )
    bounds = bounds_of(params.validate_, params.labels)
    for suite in CONTENT_SUITES:
        outcome += project.run(suite, frames[suite], bounds)
    project.build_data_docs()
    findings = (
        *prepared.faults,
        *check_report(tables, prepared.report),
        *check_originals(tables, prepared.sources, prepared.report),
        *check_splits(tables, prepared.sources, params.prepare),
        *check_assignment(tables, prepared.sources, params.prepare),
        *check_names(tables, prepared.sources),
        *check_labels(tables, prepared.annotated, prepared.sources, prepared.report, params.labels),
        *check_documents(as_documents(tables, annotated_by(prepared.sources), params.labels)),
    )
    return GateVerdict(
        outcome,
        findings,
        documents_by_split(tables),
        mentions_by_split(tables, params.labels),
        prepared.report,
    )
