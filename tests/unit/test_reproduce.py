"""What a failed job says: stage and cause, and nothing of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from delivery import reproduce as module
from delivery.errors import DeliveryError
from delivery.reproduce import describe, reproduce
from delivery.revision.storage_faults import explain

STAGES = ["prepare", "validate"]


def test_stage_and_cause_are_told_and_no_traceback() -> None:
    lines = [
        "Running stage 'prepare':\n",
        "prepare: 448 documents\n",
        "Running stage 'validate':\n",
        "Traceback (most recent call last):\n",
        "ValueError: could not convert 'Mrs Example has gout'\n",
        "validate: failed (2 checks)\n",
        "ERROR: failed to reproduce 'validate': failed to run: python -m stages.validate, exited with 1\n",
    ]
    told = describe(lines, STAGES)
    assert "validate: failed (2 checks)" in told
    assert "ERROR: failed to reproduce 'validate'" in told
    assert "448" not in told
    assert "gout" not in told


def test_a_full_disk_is_told_where_only_a_traceback_says_so() -> None:
    lines = [
        "Running stage 'featurize':\n",
        "Traceback (most recent call last):\n",
        "OSError: [Errno 28] No space left on device\n",
        "ERROR: failed to reproduce 'featurize': failed to run: python -m stages.featurize, exited with 1\n",
    ]
    told = describe(lines, ["featurize"])
    assert "the disk is full: make room" in told
    assert "OSError" not in told


def test_a_message_cannot_leave_its_block() -> None:
    assert describe(["validate: ```\n"], STAGES).count("```") == 2


def test_a_stage_that_is_none_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {prepare: {}, validate: {}}\n", encoding="utf-8")
    with pytest.raises(DeliveryError, match="no stage cleaned: it has prepare, validate"):
        reproduce(tmp_path / "failure.md", "cleaned", tmp_path)


@pytest.mark.parametrize("content", ["null and void", "stages: 3", "<<<<<<< HEAD\n"])
def test_a_graph_that_is_none_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "dvc.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(DeliveryError, match=r"dvc\.yaml at workspace"):
        reproduce(tmp_path / "failure.md", "prepare", tmp_path)


def test_a_stage_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {prepare: {}, validate: {}}\n", encoding="utf-8")
    asked: list[Any] = []
    for name in ("mend", "fetch_bundled"):
        monkeypatch.setattr(module, name, lambda _: None)
    monkeypatch.setattr(module, "run_shown", lambda command, _: (asked.append(command), (0, []))[1])
    reproduce(tmp_path / "failure.md", "prepare", tmp_path)
    reproduce(tmp_path / "failure.md", root=tmp_path)
    assert asked == [(*module.REPRODUCE, "prepare"), module.REPRODUCE]


@pytest.mark.parametrize(("stage", "status", "code"), [("validate", 1, 1), ("validate", 2, 2), ("train", 1, 2)])
def test_what_the_gate_refuses_is_refused_and_all_else_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, status: int, code: int
) -> None:
    """A pipeline asks again where something failed, and not where the answer was no."""
    (tmp_path / "dvc.yaml").write_text("stages: {validate: {}, train: {}}\n", encoding="utf-8")
    said = f"ERROR: failed to reproduce '{stage}': failed to run: python -m stages.{stage}, exited with {status}\n"
    for name in ("mend", "fetch_bundled"):
        monkeypatch.setattr(module, name, lambda _: None)
    monkeypatch.setattr(module, "run_shown", lambda *_: (255, ["Running stage\n", said]))
    with pytest.raises(DeliveryError, match="could not be reproduced") as raised:
        reproduce(tmp_path / "failure.md", root=tmp_path)
    assert raised.value.exit_code == code


def test_silence_is_said() -> None:
    assert "no reason given" in describe(["> python -m stages.train\n"], STAGES)


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("ERROR: failed to pull data from the cloud - Unable to locate credentials", "no credentials"),
        ("ERROR: Forbidden: An error occurred (403) when calling the HeadObject", "refuses the keys"),
        ('ERROR: Could not connect to the endpoint URL: "http://x/"', "does not answer"),
        ("ERROR: [Errno 22] Bad Request: An error occurred (400) when calling the HeadObject operation", "session"),
        ("ERROR: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: failed to reproduce 'prepare': database or disk is full", "disk is full"),
        ("ERROR: unexpected error - disk I/O error", "disk is full"),
        ("ERROR: the command was ended by SIGBUS", "disk is full"),
        ("OSError: 549153 requested and 131040 written", "disk is full"),
        ("EOFError: EOF read where object expected", "disk is full"),
        (
            "ERROR: failed to reproduce 'train': failed to run: python -m stages.train, exited with -9",
            "not enough memory",
        ),
    ],
)
def test_what_the_storage_says_is_explained(said: str, meaning: str) -> None:
    assert meaning in (explain(said) or "")
    assert meaning in describe([f"{said}\n"], STAGES)


@pytest.mark.parametrize("said", ["evaluate: F1 0.8403", "validate: failed (403 documents)", ""])
def test_figures_are_no_fault_of_the_storage(said: str) -> None:
    assert explain(said) is None
