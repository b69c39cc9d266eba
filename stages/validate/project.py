"""The only door to Great Expectations: run its checkpoints on data frames, and build the Data Docs."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.common.errors import GateError
from stages.common.importing import without_collecting
from stages.common.wording import counted
from stages.validate import offline
from stages.validate.findings import Finding, finding
from stages.validate.suites import DATA_DOCS, RESULTS, ROOT

CONTENT_SUITES = ("documents", "tokens", "mentions", "labels")
SPLITLESS_SUITES = ("tokens", "mentions")
"""Those that mean something before the documents are split."""


@dataclass(frozen=True)
class Outcome:
    """How many expectations were evaluated, and what those that failed have to say."""

    evaluated: int = 0
    failed: tuple[Finding, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.evaluated + other.evaluated, self.failed + other.failed)


class Project:
    """The file context under `great_expectations/`; opening it takes seconds.

    Parameters
    ----------
    root : Path
        Folder of `great_expectations.yml`. Nothing in it is written: results and Data Docs go to
        ``reports/`` beside it.
    data_docs : bool
        Whether this run is to build the Data Docs. Those of the run before are dropped at once, so
        that a run that breaks off leaves none that look green.
    """

    def __init__(self, root: Path = ROOT, *, data_docs: bool = True) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        if not (root / "great_expectations.yml").is_file():
            raise GateError(f"{root}/great_expectations.yml is missing: python -m stages.validate.suites writes it")
        for written in (RESULTS, DATA_DOCS) if data_docs else (RESULTS,):
            shutil.rmtree(root / written, ignore_errors=True)
        with warnings.catch_warnings(), without_collecting():
            warnings.simplefilter("ignore")
            import great_expectations as gx
            from stages.validate import expectations  # noqa: F401 (defining them registers them)
        self._root = root
        self._context = gx.get_context(mode="file", context_root_dir=root.resolve())

    def run(self, suite: str, frame: pd.DataFrame, bounds: dict[str, Any]) -> Outcome:
        """Run the checkpoint of `suite` on `frame`.

        Parameters
        ----------
        suite : str
        frame : DataFrame
        bounds : dict
            Values of the suite's parameters.

        Raises
        ------
        GateError
            When fewer expectations were evaluated than the suite has in git: Great Expectations
            drops those that it cannot read, and a gate that drops checks fails open.
        """
        path = self._root / "expectations" / f"{suite}.json"
        expected = len(json.loads(path.read_text(encoding="utf-8"))["expectations"])
        checkpoint = self._context.checkpoints.get(suite)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = checkpoint.run(batch_parameters={"dataframe": frame}, expectation_parameters=bounds)
        results = [entry for validation in result.run_results.values() for entry in validation.results]
        if not expected or len(results) != expected:
            raise GateError(f"suite {suite}: {len(results)} of {expected} expectations were evaluated")
        outcome = Outcome(len(results), tuple(_finding(entry) for entry in results if not entry.success))
        if bool(result.success) == bool(outcome.failed):
            raise GateError(f"suite {suite}: Great Expectations contradicts itself about its success")
        return outcome

    def build_data_docs(self) -> None:
        """Render the suites and the results of this run as HTML that needs no network."""
        self._context.build_data_docs()
        offline.carry(self._root / DATA_DOCS)


def _finding(entry: Any) -> Finding:
    """Turn a failed result into a finding; one that could not be computed is an error, whatever its severity."""
    config, result = entry.expectation_config, entry.result
    meta = config.meta
    crashed = _crashed(entry.exception_info)
    severity: Any = "warning" if config.severity.value == "warning" and not crashed else "error"
    if crashed:
        return finding(meta["name"], severity, 0, f"could not be computed. {meta['remedy']}.")
    count = int(result.get("unexpected_count") or 0)
    if "element_count" in result:
        observed = f"{count} of {counted(result['element_count'], 'row')} {'fails' if count == 1 else 'fail'}"
    else:  # about the whole table: column names, a type, a row count or the splits, never text
        observed = f"found {result.get('observed_value')}"
    rows = [row for row in result.get("partial_unexpected_index_list") or [] if isinstance(row, dict)]
    places = list(map(_place, rows))
    summary = f"{observed}. Protects: {meta['protects']}. {meta['remedy']}."
    return finding(meta["name"], severity, max(count, 1), summary, places)


def _place(row: dict[str, Any]) -> str:
    """Name the document, and the offset in it where there is one, or the label."""
    name = str(row.get("document", row.get("label")))
    offset = row.get("start", row.get("uncovered_at"))
    return name if pd.isna(offset) else f"{name} at {int(offset)}"


def _crashed(info: dict[str, Any]) -> bool:
    """Tell whether an expectation raised; the information is nested by metric for some of them."""
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(isinstance(part, dict) and part.get("raised_exception") for part in info.values())
