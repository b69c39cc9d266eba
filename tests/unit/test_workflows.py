"""Rules for the workflows that no linter has: pins, permissions, no expression in a script, commands that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(".github/workflows")
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"^actions/[a-z-]+@[0-9a-f]{40}$")


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield f"{path.name}: {name}", job


def scripts() -> list[tuple[str, str]]:
    return [
        (f"{where}: {step['name']}", step["run"]) for where, job in jobs() for step in job["steps"] if "run" in step
    ]


def test_the_five_are_there() -> None:
    assert [path.stem for path in WORKFLOWS] == ["monitor", "register", "reproduce", "retrain", "tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_given_to_jobs_and_forks_get_none(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    assert "concurrency" in workflow
    events = workflow[True]  # YAML reads `on` as true
    assert "pull_request_target" not in events
    assert "workflow_run" not in events


@pytest.mark.parametrize(("where", "job"), list(jobs()), ids=lambda value: value if isinstance(value, str) else "")
def test_jobs_end_and_their_actions_are_pinned(where: str, job: dict[str, Any]) -> None:
    assert 0 < job["timeout-minutes"] <= 120
    for step in job["steps"]:
        assert "name" in step
        if "uses" in step:
            assert PINNED.match(step["uses"]), step["uses"]
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(("where", "script"), scripts())
def test_no_expression_reaches_a_shell(where: str, script: str) -> None:
    assert "${{" not in script


@pytest.mark.parametrize(("where", "script"), scripts())
def test_every_command_is_in_the_repository(where: str, script: str) -> None:
    for module in re.findall(r"python -m (\S+)", script):
        assert find_spec(module), module
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", Path("Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for named in re.findall(r"^make (.+)$", script, re.MULTILINE):
        assert set(named.split()) <= targets


def test_secrets_are_given_to_steps_and_never_to_a_fork() -> None:
    for where, job in jobs():
        assert "secrets." not in str(job.get("env", "")), where
    fork = load(FOLDER / "reproduce.yml")["jobs"]["fork"]
    assert fork["permissions"] == {"contents": "read"}
    assert not re.search(r"secrets\.|github\.token", str(fork))
