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


DEFAULT = "${{ github.event.repository.default_branch }}"
WRITE = [(where, job) for where, job in jobs() if "write" in job.get("permissions", {}).values()]


def uses(job: dict[str, Any], action: str) -> list[dict[str, Any]]:
    """Return the inputs of each step that uses an action."""
    return [step.get("with", {}) for step in job["steps"] if step.get("uses", "").startswith(f"{action}@")]


def test_jobs_that_run_the_code_of_a_branch_can_only_read() -> None:
    """Whatever is checked out is run, by `make env` at the latest."""
    branch = {where for where, job in jobs() if any(c.get("ref") != DEFAULT for c in uses(job, "actions/checkout"))}
    assert {"reproduce.yml: graph", "reproduce.yml: fork", "tests.yml: tests"} <= branch
    for where, job in jobs():
        if where in branch:
            workflow = load(FOLDER / where.split(":")[0])
            assert job.get("permissions", workflow["permissions"]) == {"contents": "read"}, where


def test_jobs_that_write_run_the_code_of_main() -> None:
    assert {where for where, _ in WRITE} == {"monitor.yml: monitor", "reproduce.yml: publish", "retrain.yml: offer"}
    for where, job in WRITE:
        assert [checkout["ref"] for checkout in uses(job, "actions/checkout")] == [DEFAULT], where
        # A cache is shared with the jobs of the same branch: one of them may have filled it.
        assert not any("cache" in inputs for inputs in uses(job, "actions/setup-python")), where
        assert not uses(job, "actions/cache"), where
        for inputs in uses(job, "actions/download-artifact"):
            assert inputs["path"].startswith("${{ runner.temp }}/"), f"{where}: beside the code it could replace it"
        for step in job["steps"]:
            assert not re.search(r"\bgit (checkout|switch|worktree|merge|pull)|dvc repro", step.get("run", "")), where


def test_what_holds_the_registry_or_main_needs_main() -> None:
    """A dispatch can name any branch, and a tag may be called main too."""
    for name in ("monitor", "register", "retrain"):
        for job in load(FOLDER / f"{name}.yml")["jobs"].values():
            assert "needs" in job or job["if"].startswith("github.ref == 'refs/heads/main'"), name
    (promote,) = [script for _, script in scripts() if "delivery.promote" in script]
    assert promote.endswith("--trust refs/remotes/origin/main")


def test_secrets_come_from_environments() -> None:
    """An environment can be closed to all branches but main, whatever a branch writes into its workflows."""
    for where, job in jobs():
        expected = ("branches" if where == "reproduce.yml: graph" else "main") if "secrets." in str(job) else None
        assert job.get("environment") == expected, where
