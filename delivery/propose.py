"""Offer new results as a pull request: `python -m delivery.propose --report reports/report.md --reason "…"`.

The branch is named after what it holds: the same data, code and parameters are offered once, however often this runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from delivery.command import exit_code, summarise
from delivery.comment import compose
from delivery.dispatch import dispatch
from delivery.git import attempt, commit, git
from delivery.github import GitHub, connect, ensure
from delivery.markdown import code
from delivery.publish import PATHS
from delivery.reproduce import check
from delivery.server import DeliveryError

LONGEST_REASON = 1000
"""Characters."""
OFFERED = ("data/annotations.dvc", *PATHS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 offered (now or before), 1 nothing to offer, or it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m delivery.propose", description=__doc__)
    parser.add_argument("--report", type=Path, required=True, help="Markdown for the text of the pull request")
    parser.add_argument("--reason", required=True, help="why this was run")
    parser.add_argument("--base", default="main", help="branch that it should come into (default: main)")
    parser.add_argument("--then", nargs="*", default=[], metavar="WORKFLOW", help="to dispatch for the new branch")
    chosen = parser.parse_args(arguments)
    return exit_code("propose", lambda: _propose(chosen))


def branch_name(root: Path = Path()) -> str:
    """Return the branch for what the graph holds now.

    Raises
    ------
    DeliveryError
        When the graph is not reproduced, or everything is as in the last commit.
    """
    check(root)
    if not git("status", "--porcelain", "--", *OFFERED, root=root).strip():
        raise DeliveryError(
            "nothing to offer: there is no new batch, and the graph is as in the last commit. Annotate what"
            " `python -m annotation.queue` proposes, and put the export where new batches are collected from"
        )
    return f"retrain/{sha256((root / 'dvc.lock').read_bytes()).hexdigest()[:12]}"


def push(branch: str, reason: str, root: Path = Path()) -> bool:
    """Commit the results on their branch and push it; return False when origin has it already."""
    if git("ls-remote", "--heads", "origin", f"refs/heads/{branch}", root=root).strip():
        return False
    git("switch", "--quiet", "--force-create", branch, root=root)
    commit(f"Retrain on the data of today\n\n{' '.join(reason.split())}", OFFERED, root)
    result = attempt("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", root=root)
    if result.returncode:
        raise DeliveryError(f"origin does not take the branch {branch}: {result.stderr.strip()}")
    return True


def offer(github: GitHub, branch: str, base: str, reason: str, report: str) -> dict[str, Any]:
    """Open the pull request or update it; one that a person closed stays closed."""
    body = compose(report, f"Run because: {code(reason, LONGEST_REASON)}")

    def find() -> dict[str, Any] | None:
        return next(github.pages("pulls", state="all", head=f"{github.owner}:{branch}"), None)

    def update(found: dict[str, Any]) -> dict[str, Any]:
        return github.patch(f"pulls/{found['number']}", {"body": body}) if found["state"] == "open" else found

    wanted = {"title": f"Retrain: {branch.removeprefix('retrain/')}", "head": branch, "base": base, "body": body}
    return ensure(find, lambda: github.post("pulls", wanted), update, github)


def _propose(chosen: argparse.Namespace) -> None:
    if not chosen.report.is_file():
        raise DeliveryError(f"{chosen.report} is not there: python -m delivery.report makes it")
    report = chosen.report.read_text(encoding="utf-8")
    branch = branch_name()
    github = connect()
    fresh = push(branch, chosen.reason)
    pull = offer(github, branch, chosen.base, chosen.reason, report)
    for workflow in chosen.then if fresh else []:
        dispatch(workflow, branch, {}, github)
    told = f"{pull['html_url']} ({pull['state']}) offers {branch}"
    print(told)
    summarise(told)


if __name__ == "__main__":
    sys.exit(main())
