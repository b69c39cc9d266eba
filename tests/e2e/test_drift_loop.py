"""A drift of 6.5% in real notes: the monitor measures it, starts `retrain`, and a pull request says why.

Deviations of 5 to 8% can be told from noise only between thousands of notes, so that the clinic here has thousands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.common.files import write_table
from stages.common.tables import serving_log
from stages.monitor.serving import serving_rows
from stages.prepare.formats import jsonl
from stages.train.extractor import Extractor
from tests.hospital import Hospital, hospital
from tests.repository import LIGHT, Repository, add_batch, clone, write_notes
from tests.servers import local_tracking_server

pytestmark = pytest.mark.slow

ANNOTATED, ARRIVED, NEW = 3000, 6000, 24
WOMEN, WOMEN_NOW = 50.0, 56.5
"""Percent of the notes that are about women: when they were annotated, and of those that arrive."""


@pytest.fixture(scope="module")
def notes(workshop: Path) -> list[dict[str, object]]:
    """All notes, no two of them alike."""
    write_notes(workshop / "clinic.jsonl", ANNOTATED + ARRIVED + NEW)
    return [json.loads(line) for line in (workshop / "clinic.jsonl").read_text(encoding="utf-8").splitlines()]


def write_of(notes: list[dict[str, object]], women: float, path: Path, *, mentions: bool) -> Path:
    """Write notes of which that many percent are about women, spread over the whole."""
    count = len(notes)
    lines = []
    for number, note in enumerate(notes):
        woman = (number * women) % 100 < women
        metadata = {"note_type": "progress_note", "speciality": "cardiology", "sex": "female" if woman else "male"}
        kept = {name: value for name, value in note.items() if mentions or name != "mentions"}
        lines.append(json.dumps(kept | {"metadata": metadata | {"age_band": ("18-39", "40-64", "65-79")[number % 3]}}))
    assert abs(sum('"female"' in line for line in lines) - count * women / 100) <= 1
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def published(source: Repository, workshop: Path, notes: list[dict[str, object]]) -> Repository:
    """A repository whose model learned from the annotated notes, as parameters of little time let it."""
    repository = clone(source, workshop / "clinic")
    repository.fetch_seed()
    repository.git("rm", "--quiet", "--cached", "data/annotations.dvc")
    (repository.root / "data/annotations.dvc").unlink()
    for batch in (repository.root / "data/annotations").iterdir():
        repository.run("rm", "-r", "-f", str(batch))
    path = write_of(notes[:ANNOTATED], WOMEN, workshop / "annotated.jsonl", mentions=True)
    add_batch(repository, path, "clinic")
    repository.set_params(*LIGHT, "train.acceptance.models=[]")
    repository.dvc("repro", timeout=1200)
    repository.commit("A clinic of its own")
    return repository


@pytest.fixture(scope="module")
def clinic(published: Repository, workshop: Path) -> Iterator[Hospital]:
    with (
        local_tracking_server(workshop / "clinic-mlflow") as tracking,
        hospital(workshop / "clinic-servers", published, tracking) as started,
    ):
        yield started


def serve(clinic: Hospital, published: Repository, path: Path) -> None:
    """Tag notes with the published model, as production does, and put its log where it puts it."""
    extractor = Extractor.load(published.root / "models")
    log = path.with_suffix(".parquet")
    write_table(
        log, serving_rows(jsonl.read_notes(path), extractor.extract, extractor.labels), serving_log(extractor.labels)
    )
    clinic.put("serving/log.parquet", log.read_bytes())


def test_a_drift_that_asks_for_retraining_ends_in_a_pull_request(
    clinic: Hospital, published: Repository, notes: list[dict[str, object]], tmp_path: Path
) -> None:
    clinic.variables["SERVING_LOG"] = "s3://behealthy/serving/log.parquet"
    arrived, new = notes[ANNOTATED:-NEW], notes[-NEW:]
    serve(clinic, published, write_of(arrived, WOMEN, tmp_path / "as-before.jsonl", mentions=False))
    calm = clinic.run("monitor.yml", clinic.push("main", "schedule"))
    assert calm.success, calm.log
    assert "Monitor: too few notes to tell" in calm.summary, (
        calm.summary
    )  # of the model's columns 1,200 documents are known
    assert not clinic.github.dispatches

    serve(clinic, published, write_of(arrived, WOMEN_NOW, tmp_path / "drifted.jsonl", mentions=False))
    drifted = clinic.run("monitor.yml", clinic.push("main", "schedule"))
    assert drifted.success, drifted.log
    assert "Monitor: retrain" in drifted.summary
    assert "sex deviates by 6.5%" in drifted.summary
    (dispatched,) = clinic.github.dispatches
    assert (dispatched["workflow"], dispatched["ref"]) == ("retrain.yml", "main")
    assert not clinic.github.issues  # 5 to 8%: nobody is called

    clinic.variables["ANNOTATION_INBOX"] = "s3://behealthy/inbox"
    delivered = write_of(new, WOMEN_NOW, tmp_path / "ward-6.jsonl", mentions=True)
    clinic.put("inbox/jsonl/ward-6.jsonl", delivered.read_bytes())
    event = clinic.push(dispatched["ref"], "workflow_dispatch", **dispatched["inputs"])
    retrained = clinic.run("retrain.yml", event)
    assert retrained.success, retrained.log
    (pull,) = clinic.github.pulls
    assert "monitor: retrain; sex deviates by 6.5%" in pull["body"]
    changed = clinic.origin.git("diff", "--name-only", "main", pull["head"]["ref"]).split()
    assert {"data/annotations.dvc", "dvc.lock"} <= set(changed)
