"""Alerts as GitHub issues: one a topic, found again by a marker, updated, and closed when it is over."""

from __future__ import annotations

from typing import Any

from delivery.errors import DeliveryError
from delivery.github.answers import RefusedError
from delivery.github.client import GitHub, connect, ensure
from production.watch.faults import NotDeliveredError

LABEL = "behealthy-watch"


def post_issue(topic: str, title: str, text: str, *, over: bool, github: GitHub | None = None) -> None:
    """Open the issue of a topic, or update the open one; close it when it is over.

    Raises
    ------
    NotDeliveredError
        With the status of GitHub's answer, where there is one.
    """
    try:
        _post(github or connect(), topic, title, text, over)
    except DeliveryError as error:
        raise NotDeliveredError(fault_of(error)) from None


def fault_of(error: DeliveryError) -> str:
    """Say what GitHub's client met, without GitHub's words."""
    status = f" with {error.status}" if isinstance(error, RefusedError) else ""
    return f"GitHub: {type(error).__name__}{status}"


def _post(github: GitHub, topic: str, title: str, text: str, over: bool) -> None:
    marker = f"<!-- {LABEL}: {topic} -->"
    # No line of an alert begins with what came from outside, so none ends the block.
    body = f"{marker}\n\n**{title}**\n\n```text\n{text}\n```\n"

    def find() -> dict[str, Any] | None:
        issues = github.pages("issues", state="open", labels=LABEL)
        return next((one for one in issues if _is(one, marker)), None)

    if over:
        if found := find():
            github.patch(f"issues/{found['number']}", {"body": body, "state": "closed"})
        return
    new = {"title": title, "body": body, "labels": [LABEL]}
    ensure(
        find,
        lambda: github.post("issues", new),
        lambda issue: github.patch(f"issues/{issue['number']}", {"title": title, "body": body}),
        github,
    )


def _is(issue: dict[str, Any], marker: str) -> bool:
    return (issue["body"] or "").startswith(marker) and "pull_request" not in issue
