"""The gate: whether what was prepared is fit to learn and to judge from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from stages.common.errors import GateError
from stages.common.files import read_json, read_table
from stages.common.params import Params, ValidateParams
from stages.validate.annotations import check_documents
from stages.validate.catalogue import SCHEMAS
from stages.validate.findings import Finding
from stages.validate.frames import Tables, as_documents, content_frames, documents_by_split, mentions_by_split
from stages.validate.project import CONTENT_SUITES, Outcome, Project

PREPARED = Path("data/prepared")


@dataclass(frozen=True)
class Verdict:
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
    """The tables of prepare and its report."""

    tables: Tables
    report: dict[str, Any]


def load_prepared(folder: Path = PREPARED) -> Prepared:
    """Read what prepare wrote.

    Raises
    ------
    GateError
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
        report = read_json(folder / "report.json")
    except (OSError, json.JSONDecodeError) as error:
        problem = f"{folder / 'report.json'} cannot be read ({type(error).__name__}): run `dvc repro prepare`"
        raise GateError(problem) from error
    return Prepared(Tables(**frames), report)


def bounds_of(params: ValidateParams) -> dict[str, Any]:
    """Return the values of the suites' parameters."""
    return {
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


def check(prepared: Prepared, params: Params, project: Project | None = None) -> Verdict:
    """Run every expectation and every annotation check.

    When a schema is wrong, the rest could not be computed and is not tried: the verdict is an
    error all the same.

    Parameters
    ----------
    prepared : Prepared
    params : Params
    project : Project, optional
        Given by tests, since opening one takes seconds.
    """
    project = project or Project()
    tables = prepared.tables
    outcome = check_schemas(project, tables)
    if outcome.failed:
        project.build_data_docs()
        return Verdict(outcome, prepare=prepared.report)
    frames = content_frames(tables, near_duplicate=params.prepare.near_duplicate, copied=params.prepare.copied)
    bounds = bounds_of(params.validate_)
    for suite in CONTENT_SUITES:
        outcome += project.run(suite, frames[suite], bounds)
    project.build_data_docs()
    return Verdict(
        outcome,
        tuple(check_documents(as_documents(tables))),
        documents_by_split(tables),
        mentions_by_split(tables),
        prepared.report,
    )
