"""Run a workflow file as GitHub would: its own steps, in order, in bash, in a fresh clone. No container, no network.

One job; `tests.workflow_jobs` runs all of a file. A job without any right to write gets a token that only reads, and
one that may not write contents cannot push.
`uses:` is mapped to local equivalents by the caller; an action, a key or an expression that is not known is an error,
never passed over.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.expressions import evaluate, shown, substitute, truthy
from tests.repository import environment
from tests.workflow_artifacts import ACTIONS as ARTIFACTS

Action = Callable[[Path, Mapping[str, str]], None]
"""Gets the workspace and the inputs of `with`."""

_JOB_KEYS = {"name", "if", "needs", "runs-on", "timeout-minutes", "environment", "permissions", "env", "steps"}
_STEP_KEYS = {"name", "id", "if", "uses", "with", "env", "run"}


class KilledError(Exception):
    """The runner died in the middle of a step."""


@dataclass(frozen=True)
class Machine:
    """What is around a workflow.

    Parameters
    ----------
    actions : dict
        From the name of an action, without its version, to what stands for it.
    secrets, variables : dict
        As set in the repository.
    settings : dict
        More environment, of the machine; not of GitHub.
    token, read_only : str
        What ``github.token`` is, in a job that may write something and in one that may not.
    artifacts : Path
        Folder of what the jobs of one run hand to each other.
    kill : dict
        From the name of a step to the seconds after which the runner dies in it, or at its end if that is earlier.
    """

    actions: Mapping[str, Action]
    secrets: Mapping[str, str]
    variables: Mapping[str, str]
    settings: Mapping[str, str]
    token: str
    read_only: str
    artifacts: Path
    kill: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """What started it: ``name``, the payload, and the properties of ``github`` that depend on it."""

    name: str
    payload: Mapping[str, Any]
    github: Mapping[str, str]
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """What a job did.

    Parameters
    ----------
    steps : dict
        From the name of a step to ``success``, ``failure`` or ``skipped``.
    log : str
        What all steps printed.
    summary : str
    skipped : bool
        By the job's `if`.
    """

    steps: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    skipped: bool = False

    @property
    def success(self) -> bool:
        return "failure" not in self.steps.values()

    @property
    def outcome(self) -> str:
        """Return what ``needs.JOB.result`` is."""
        return "skipped" if self.skipped else "success" if self.success else "failure"

    def failed(self) -> list[str]:
        return [name for name, outcome in self.steps.items() if outcome == "failure"]


def needs_of(job: Mapping[str, Any]) -> list[str]:
    """Return the jobs that a job waits for."""
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def run_job(
    path: Path, name: str, event: Event, machine: Machine, workspace: Path, done: Mapping[str, Run] | None = None
) -> Run:
    """Run one job of a workflow file in an empty folder, after those in `done`.

    Raises
    ------
    KilledError
        When the machine was told to die.
    AssertionError
        When the file uses what this runner does not know.
    """
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(workflow) <= {"name", True, "permissions", "concurrency", "jobs", "env"}, path
    job = workflow["jobs"][name]
    assert set(job) <= _JOB_KEYS, f"{path}: {name}: {set(job) - _JOB_KEYS} is not known to this runner"
    needed = {need: (done or {})[need] for need in needs_of(job)}
    rights = job.get("permissions", workflow.get("permissions"))
    token = machine.token if rights is None or "write" in rights.values() else machine.read_only
    contexts = {
        "github": {"event_name": event.name, "event": event.payload, "token": token, **event.github},
        "needs": {need: {"result": run.outcome} for need, run in needed.items()},
        "runner": {"temp": str(_runner_files(workspace) / "temp")},
        "secrets": machine.secrets,
        "vars": machine.variables,
        "inputs": event.inputs,
        "env": {},
    }
    before = Run({need: run.outcome.replace("skipped", "failure") for need, run in needed.items()})
    if not _holds(shown(job.get("if", True)), contexts, before):
        return Run(skipped=True)
    contexts["env"] = {
        key: substitute(value, contexts, {})
        for source in (workflow, job)
        for key, value in source.get("env", {}).items()
    }
    return _Job(job, contexts, event, machine, workspace).run()


def _holds(condition: str, contexts: Mapping[str, Any], run: Run) -> bool:
    """Evaluate an `if`; one without a function of state holds only while nothing has failed."""
    expression = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", condition)
    functions = {
        "success": lambda: run.success,
        "failure": lambda: not run.success,
        "always": lambda: True,
        "cancelled": lambda: False,
    }
    value = truthy(evaluate(expression, contexts, functions))
    return value if re.search(r"\b(success|failure|always|cancelled)\(", expression) else value and run.success


def _runner_files(workspace: Path) -> Path:
    """Return where a runner keeps its own files, beside the workspace."""
    return workspace.parent / f".{workspace.name}.runner"


class _Job:
    """The state of a job between its steps."""

    def __init__(
        self, job: Mapping[str, Any], contexts: dict[str, Any], event: Event, machine: Machine, workspace: Path
    ) -> None:
        self.job, self.contexts, self.event, self.machine, self.workspace = job, contexts, event, machine, workspace
        self.files = _runner_files(workspace)
        self.path: list[str] = []
        self.result = Run()

    def run(self) -> Run:
        (self.files / "temp").mkdir(parents=True)
        (self.files / "event.json").write_text(json.dumps(self.event.payload), encoding="utf-8")
        deadline = time.monotonic() + 60 * self.job["timeout-minutes"]
        for step in self.job["steps"]:
            assert set(step) <= _STEP_KEYS, f"{step}: {set(step) - _STEP_KEYS} is not known to this runner"
            if not _holds(shown(step.get("if", True)), self.contexts, self.result):
                self.result.steps[step["name"]] = "skipped"
            elif "uses" in step:
                self._use(step)
            else:
                self._run(step, deadline)
        return self.result

    def _use(self, step: Mapping[str, Any]) -> None:
        action = step["uses"].split("@")[0]
        inputs = {key: substitute(value, self.contexts, {}) for key, value in step.get("with", {}).items()}
        self.result.steps[step["name"]] = "success"
        if action not in ARTIFACTS:
            assert action in self.machine.actions, f"{action}: what stands for it here?"
            self.machine.actions[action](self.workspace, inputs)
            if action == "actions/checkout" and self.job.get("permissions", {}).get("contents") != "write":
                command = ["git", "remote", "set-url", "--push", "origin", "/this-job-may-not-push"]
                subprocess.run(command, cwd=self.workspace, check=True)
            return
        try:
            ARTIFACTS[action](self.machine.artifacts, self.workspace, inputs)
        except FileNotFoundError as error:
            self.result.steps[step["name"]] = "failure"
            self.result.log += f"##[{step['name']}] {error}\n"

    def _run(self, step: Mapping[str, Any], deadline: float) -> None:
        script = self.files / "step.sh"
        script.write_text(substitute(step["run"], self.contexts, {}), encoding="utf-8")
        for name in ("env", "output", "path", "summary"):
            (self.files / name).write_text("", encoding="utf-8")
        with subprocess.Popen(
            ["bash", "-e", str(script)],
            cwd=self.workspace,
            env=self._environment(step),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            fatal = self.machine.kill.get(step["name"])
            try:
                said, _ = process.communicate(timeout=fatal or deadline - time.monotonic())
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise KilledError(f"in {step['name']}") from None
        if fatal is not None:
            raise KilledError(f"after {step['name']}")
        self._read_back(step, process.returncode, said)

    def _read_back(self, step: Mapping[str, Any], status: int, said: str) -> None:
        self.result.steps[step["name"]] = "failure" if status else "success"
        self.result.log += f"##[{step['name']}] exit code {status}\n{said}\n"
        self.result.summary += (self.files / "summary").read_text(encoding="utf-8")
        self.path = [*(self.files / "path").read_text(encoding="utf-8").split("\n"), *self.path]
        for name in ("env", "output"):
            assert not (self.files / name).read_text(), f"GITHUB_{name.upper()} is not known to this runner"

    def _environment(self, step: Mapping[str, Any]) -> dict[str, str]:
        around = {**environment(self.workspace), **self.machine.settings}
        github = self.contexts["github"]
        given = {key: substitute(value, self.contexts, {}) for key, value in step.get("env", {}).items()}
        return {
            **around,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": self.event.name,
            "GITHUB_EVENT_PATH": str(self.files / "event.json"),
            "GITHUB_WORKSPACE": str(self.workspace),
            **{f"GITHUB_{key.upper()}": str(github[key]) for key in self.event.github},
            "GITHUB_ENV": str(self.files / "env"),
            "GITHUB_OUTPUT": str(self.files / "output"),
            "GITHUB_PATH": str(self.files / "path"),
            "GITHUB_STEP_SUMMARY": str(self.files / "summary"),
            "RUNNER_TEMP": self.contexts["runner"]["temp"],
            **self.contexts["env"],
            **given,
            "PATH": ":".join([*filter(None, self.path), around["PATH"]]),
        }
