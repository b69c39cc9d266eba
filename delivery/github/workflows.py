"""Workflows, started by name."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.github.client import GitHub, LostAnswerError, connect


def dispatch(workflow: str, ref: str, inputs: Mapping[str, str], github: GitHub | None = None) -> None:
    """Start a workflow.

    A lost answer is asked for again: all workflows here may run twice, the second finds nothing to do.
    """
    github = github or connect()
    content = {"ref": ref, "inputs": dict(inputs)}
    github.retrying(LostAnswerError)(github.post, f"actions/workflows/{workflow}/dispatches", content)
