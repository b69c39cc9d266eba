"""Workflows, started by name."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.github.client import ATTEMPTS, GitHub, LostAnswerError, connect


def dispatch(workflow: str, ref: str, inputs: Mapping[str, str], github: GitHub | None = None) -> None:
    """Start a workflow.

    A lost answer is asked for again: all workflows here may run twice, the second finds nothing to do.
    """
    github = github or connect()
    for attempt in range(ATTEMPTS):
        try:
            github.post(f"actions/workflows/{workflow}/dispatches", {"ref": ref, "inputs": dict(inputs)})
        except LostAnswerError:
            if attempt == ATTEMPTS - 1:
                raise
            github.wait(2.0**attempt)
        else:
            return
