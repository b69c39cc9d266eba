"""`python -m stages.validate.suites`: write the Great Expectations project, the same bytes every time.

The JSON in git is what the gate runs; it changes only by this command. Identifiers are UUIDs of
the names (version 5), so that writing the project again changes nothing.
"""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import Any

import yaml

from stages.common.command import parse_no_arguments, run_command
from stages.common.files import write_text
from stages.validate.catalogue import PROJECT
from stages.validate.definitions import Expectation, Suite

ROOT = Path("great_expectations")
SOURCE, BATCH = "tables", "whole"
DATA_DOCS = "../reports/data_docs/"
RESULTS = "../reports/great_expectations/validations/"
"""Both relative to `ROOT`: what a run writes is outside of the tracked folder."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "behealthy")


def identifier(*names: str) -> str:
    """Return the UUID of a name: Great Expectations refuses to run objects without one."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"id": identifier(kind, name), "name": name}


def _expectation(entry: Expectation) -> dict[str, Any]:
    return {
        "id": identifier("expectation", entry.name),
        "kwargs": entry.options,
        "meta": {"name": entry.name, "protects": entry.protects, "remedy": entry.remedy},
        "severity": "critical" if entry.severity == "error" else "warning",
        "type": f"expect_{entry.kind}",
    }


def _suite(suite: Suite) -> dict[str, Any]:
    return {
        "expectations": [_expectation(entry) for entry in suite.expectations],
        **_reference("suite", suite.name),
        "meta": {"great_expectations_version": "1.24.1"},
        "notes": suite.notes,
    }


def _validation_definition(suite: Suite) -> dict[str, Any]:
    return {
        "data": {
            "asset": _reference("asset", suite.asset),
            "batch_definition": {"id": identifier("batch", suite.asset), "name": BATCH},
            "datasource": _reference("datasource", SOURCE),
        },
        **_reference("validation_definition", suite.name),
        "suite": _reference("suite", suite.name),
    }


def _checkpoint(suite: Suite) -> dict[str, Any]:
    # No raw text may reach the results: a suite that looks at text columns keeps no values at all.
    shown: dict[str, Any] = (
        {"partial_unexpected_count": 20, "unexpected_index_column_names": list(suite.index)}
        if suite.index
        else {"partial_unexpected_count": 0}
    )
    return {
        "actions": [],
        **_reference("checkpoint", suite.name),
        "result_format": {"result_format": "SUMMARY", **shown},
        "validation_definitions": [_reference("validation_definition", suite.name)],
    }


def _store(class_name: str, folder: str) -> dict[str, Any]:
    backend = {
        "class_name": "TupleFilesystemStoreBackend",
        "base_directory": folder,
        "suppress_store_backend_id": True,
    }
    return {"class_name": class_name, "store_backend": backend}


def _project() -> dict[str, Any]:
    assets = {
        name: {
            "type": "dataframe",
            "id": identifier("asset", name),
            "batch_definitions": {BATCH: {"id": identifier("batch", name), "partitioner": None}},
        }
        for name in sorted({suite.asset for suite in PROJECT})
    }
    docs = _store("SiteBuilder", DATA_DOCS)
    docs["store_backend"].pop("suppress_store_backend_id")
    docs |= {"show_how_to_buttons": False, "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"}}
    return {
        "config_version": 4.0,
        "analytics_enabled": False,
        "progress_bars": {"globally": False},
        "data_context_id": identifier("context"),
        "stores": {
            "expectations_store": _store("ExpectationsStore", "expectations/"),
            "validation_results_store": _store("ValidationResultsStore", RESULTS),
            "checkpoint_store": _store("CheckpointStore", "checkpoints/"),
            "validation_definition_store": _store("ValidationDefinitionStore", "validation_definitions/"),
        },
        "expectations_store_name": "expectations_store",
        "validation_results_store_name": "validation_results_store",
        "checkpoint_store_name": "checkpoint_store",
        "data_docs_sites": {"local_site": docs},
        "fluent_datasources": {SOURCE: {"type": "pandas", "id": identifier("datasource", SOURCE), "assets": assets}},
    }


def project_files() -> dict[str, str]:
    """Return the content of every generated file, by path relative to `ROOT`."""
    files = {
        "great_expectations.yml": "# Written by `python -m stages.validate.suites`; change that, not this.\n"
        + yaml.safe_dump(_project(), sort_keys=False)
    }
    for suite in PROJECT:
        for folder, content in (
            ("expectations", _suite(suite)),
            ("validation_definitions", _validation_definition(suite)),
            ("checkpoints", _checkpoint(suite)),
        ):
            files[f"{folder}/{suite.name}.json"] = json.dumps(content, indent=2, sort_keys=True) + "\n"
    return files


def write_project(root: Path = ROOT) -> None:
    """Write suites, validation definitions, checkpoints and `great_expectations.yml`; drop suites that are gone."""
    files = project_files()
    for folder in ("expectations", "validation_definitions", "checkpoints"):
        for path in sorted((root / folder).glob("*.json")):
            if str(path.relative_to(root)) not in files:
                path.unlink()
    for name, content in files.items():
        write_text(root / name, content)


if __name__ == "__main__":
    parse_no_arguments("stages.validate.suites", __doc__)
    sys.exit(run_command("suites", write_project))
