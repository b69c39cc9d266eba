"""From notes that people reviewed to a batch of the repository: what production found goes back to the training."""

from __future__ import annotations

from pathlib import Path

import pytest

from production.review.exporting import BATCH, DOUBLE
from stages.common.variables import DATABASE, LOG_KEY
from tests.production import KEY, empty, sqlite_url
from tests.repository import Repository, clone
from tests.unit.test_review import ANNA, BEN, TEXTS, infer, planned
from tests.unit.test_review_ways_out import NEGATED, read_by


@pytest.mark.slow
def test_reviewed_notes_are_a_batch_that_the_gate_takes(source: Repository, tmp_path: Path) -> None:
    environment = {DATABASE: sqlite_url(tmp_path), LOG_KEY: KEY}
    repository = clone(source, tmp_path / "clone").settings(**environment)
    repository.fetch_seed()
    engine = empty(sqlite_url(tmp_path))
    infer(engine, TEXTS[0])
    planned(engine, double=1.0)
    read_by(engine, ANNA)
    read_by(engine, BEN, NEGATED)

    refused = repository.python("-m", "production.review", "export", "--to", "reviewed", fails=True).text
    assert "git does not ignore" in refused
    out = tmp_path / "reviewed"
    said = repository.python("-m", "production.review", "export", "--to", str(out)).out
    add = next(line for line in said.splitlines() if "annotation.add" in line).split()[1:]
    repository.python(*add[:-1], "reviewed-1")
    repository.python("-m", "annotation.agreement", str(out / DOUBLE), "--format", "label-studio")
    repository.dvc("add", "data/annotations")
    repository.dvc("repro", "validate", timeout=600)
    assert repository.json("metrics/validation.json")["passed"] is True
    described = repository.yaml("data/annotations/reviewed-1/batch.yaml")
    assert (described["documents"], described["mentions"]) == (1, 2)
    assert (repository.root / "data/annotations/reviewed-1/export" / BATCH).is_file()
