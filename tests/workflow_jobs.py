"""Run all jobs of a workflow file: one after the other, each on a machine of its own, after those that it needs.

What one hands to another goes through `tests.workflow_artifacts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.workflow_runner import Event, Machine, Run, needs_of, run_job


@dataclass(frozen=True)
class WorkflowRun:
    """What the jobs of a workflow did, by job and taken together."""

    jobs: Mapping[str, Run]

    @property
    def success(self) -> bool:
        return all(run.success for run in self.jobs.values())

    @property
    def skipped(self) -> bool:
        return all(run.skipped for run in self.jobs.values())

    @property
    def log(self) -> str:
        return "".join(run.log for run in self.jobs.values())

    @property
    def summary(self) -> str:
        return "".join(run.summary for run in self.jobs.values())

    def failed(self) -> list[str]:
        """Return the names of the steps that failed."""
        return [step for run in self.jobs.values() for step in run.failed()]


def run_workflow(
    path: Path, event: Event, machine: Machine, workspace: Callable[[], Path], between: Callable[[str], None]
) -> WorkflowRun:
    """Run all jobs of a workflow file, each in a folder of its own.

    Parameters
    ----------
    path : Path
    event : Event
    machine : Machine
    workspace : callable
        Returns the folder of the next job.
    between : callable
        Called after each job with its name, as what may happen between two of them.

    Returns
    -------
    WorkflowRun
        Of all jobs, also those that were skipped.
    """
    waiting = dict(yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"])
    done: dict[str, Run] = {}
    while waiting:
        ready = [name for name, job in waiting.items() if set(needs_of(job)) <= set(done)]
        assert ready, f"{path}: {', '.join(waiting)} wait for each other, or for a job that is not there"
        del waiting[ready[0]]
        done[ready[0]] = run_job(path, ready[0], event, machine, workspace(), done)
        between(ready[0])
    return WorkflowRun(done)
