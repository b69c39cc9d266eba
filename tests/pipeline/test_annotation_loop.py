"""From raw notes to a batch: queue, two annotators, agreement, adjudication, add, and the graph takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.repository import LIGHT, Repository, clone

INCOMING = "data/incoming/notes.jsonl"


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(path: Path, content: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")


def queue(repository: Repository, to: str, count: int) -> str:
    arguments = ("-m", "annotation.queue", INCOMING, "--count", str(count), "--to", to)
    return repository.python(*arguments).out


@pytest.fixture
def annotated(source: Repository, tmp_path: Path) -> Repository:
    """Two people annotated ten notes of the queue: one forgot the first mention of every note, one the last."""
    repository = clone(source, tmp_path / "loop")
    repository.fetch_seed()
    repository.set_params(*LIGHT)
    repository.dvc("repro", "train", timeout=600)
    queue(repository, "tasks.jsonl", 10)
    tasks = rows(repository.root / "tasks.jsonl")
    for name, forgotten in (("anna", 0), ("ben", -1)):
        kept = [
            {**task, "mentions": [m for m in task["mentions"] if m != task["mentions"][forgotten]]} for task in tasks
        ]
        write_rows(repository.root / f"{name}.jsonl", kept)
    return repository


def agreement(repository: Repository, *more: str, fails: bool = False) -> str:
    arguments = ("-m", "annotation.agreement", "anna.jsonl", "ben.jsonl", "--format", "jsonl")
    return repository.python(*arguments, *more, fails=fails).text


@pytest.mark.slow
def test_the_adjudicated_result_is_a_batch(annotated: Repository) -> None:
    repository = annotated
    tasks = rows(repository.root / "tasks.jsonl")
    shown = agreement(repository, "--adjudicate", "disputes.jsonl")
    assert "2 annotators, 10 notes of two or more" in shown
    assert "20 to adjudicate: missing 20" in shown
    refused = agreement(repository, "--resolve", "disputes.jsonl", "--to", "batch.jsonl", fails=True)
    assert "a disputed mention is not decided yet" in refused
    assert not (repository.root / "batch.jsonl").exists()

    path = repository.root / "disputes.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('?"', '"'), encoding="utf-8")  # the adjudicator's work
    agreement(repository, "--resolve", "disputes.jsonl", "--to", "batch.jsonl")
    assert rows(repository.root / "batch.jsonl") == sorted(tasks, key=lambda task: task["id"])

    repository.python("-m", "annotation.add", "batch.jsonl", "--format", "jsonl", "--name", "adjudicated")
    repository.dvc("add", "data/annotations")
    repository.dvc("repro", "validate")
    assert repository.json("metrics/validation.json")["passed"] is True
    described = repository.yaml("data/annotations/adjudicated/batch.yaml")
    assert (described["documents"], described["order"]) == (10, 2)

    shown = queue(repository, "more.jsonl", 10)
    assert "112 notes, 10 annotated before, 0 repeat another" in shown
    assert not {task["id"] for task in tasks} & {task["id"] for task in rows(repository.root / "more.jsonl")}
