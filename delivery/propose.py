"""Offer new results as a pull request: `python -m delivery.propose --report reports/report.md --reason "…"`.

The branch is named after what it holds: the same data, code and parameters are offered once, however often this runs.
With `--results FOLDER` instead of `--report`, it is what another job handed over (`delivery.results`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from delivery.errors import DeliveryError, DeliveryRefusedError
from delivery.github.client import GitHub, connect, ensure
from delivery.github.job_summary import summarise
from delivery.github.workflows import dispatch
from delivery.rendering.markdown import code
from delivery.rendering.posted import compose
from delivery.revision.experiments import RESULTS
from delivery.revision.git import attempt, commit, commit_files, fetch, git, is_ancestor, last_lines
from delivery.revision.graph import refuse_stale
from delivery.revision.handed_over import Results, check_against, read
from delivery.revision.revision import Revision
from delivery.revision.site_cache import private_site_cache
from stages.common.command import run_command

LONGEST_REASON = 1000
"""Characters."""
_NOTHING = (
    "nothing to offer: there is no new batch, and the graph is as in the last commit. Annotate what"
    " `python -m annotation.queue` proposes, and put the export where new batches are collected from"
)
# Not with the reason: in a message on main it could close issues and call people.
_MESSAGE = "Retrain on the data of today\n\nThe pull request says why."
OFFERED = ("data/annotations.dvc", *RESULTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 offered (now or before), 1 nothing to offer, or results refused, 2 not possible."""
    parser = argparse.ArgumentParser(prog="python -m delivery.propose", description=__doc__)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--report", type=Path, help="Markdown for the text; offered is what lies here")
    given.add_argument("--results", type=Path, help="folder that another job handed over, its report among it")
    parser.add_argument("--reason", required=True, help="why this was run")
    parser.add_argument("--base", default="main", help="branch that it should come into (default: main)")
    parser.add_argument("--then", nargs="*", default=[], metavar="WORKFLOW", help="to dispatch for the new branch")
    options = parser.parse_args(arguments)
    return run_command("propose", lambda: _propose(options), within=private_site_cache())


def branch_name(root: Path = Path()) -> str:
    """Return the branch for what the graph holds now.

    Raises
    ------
    DeliveryError
        When the graph is not reproduced, or everything is as in the last commit.
    """
    refuse_stale(root)
    if not git("status", "--porcelain", "--", *OFFERED, root=root).strip():
        raise DeliveryRefusedError(_NOTHING)
    return _name((root / "dvc.lock").read_bytes())


def push(branch: str, root: Path = Path()) -> bool:
    """Commit the results on their branch and push it; return False when origin has it already."""
    if _is_there(branch, root):
        return False
    git("switch", "--quiet", "--force-create", branch, root=root)
    commit(_MESSAGE, OFFERED, root)
    _push("HEAD", branch, root)
    return True


def push_results(results: Results, base: str, root: Path = Path()) -> tuple[str, bool]:
    """Commit what another job handed over on a branch of its own and push it; nothing is checked out.

    Parameters
    ----------
    results : Results
        Of a graph that was reproduced from a commit of the base.
    base : str
        Branch of `origin`.
    root : Path
        A clone; its working tree stays as it is.

    Returns
    -------
    tuple of str and bool
        The branch, and False when origin has it already.

    Raises
    ------
    DeliveryError
        When nothing is new, or the files are not what the graph of that commit writes.
    """
    source = str(results.source)
    if results.source is None or not is_ancestor(source, fetch(base, root), root):
        raise DeliveryError(f"these results are of no commit of {base}: run the whole workflow again")
    made = commit_files(results.files, source, _MESSAGE, root)
    if made is None:
        raise DeliveryRefusedError(_NOTHING)
    branch = _name(results.files["dvc.lock"])
    check_against(results, Revision(root, made, branch))
    if _is_there(branch, root):
        return branch, False
    _push(made, branch, root)
    return branch, True


def _name(lock: bytes) -> str:
    return f"retrain/{sha256(lock).hexdigest()[:12]}"


def _is_there(branch: str, root: Path) -> bool:
    return bool(git("ls-remote", "--heads", "origin", f"refs/heads/{branch}", root=root).strip())


def _push(commit: str, branch: str, root: Path) -> None:
    result = attempt("push", "--quiet", "origin", f"{commit}:refs/heads/{branch}", root=root)
    if result.returncode:
        raise DeliveryError(f"origin does not take the branch {branch}: {last_lines(result.stderr)}")


def offer(github: GitHub, branch: str, base: str, reason: str, report: str) -> dict[str, Any]:
    """Open the pull request or update it; one that a person closed stays closed."""
    body = compose(report, f"Run because: {code(reason, LONGEST_REASON)}")

    def find() -> dict[str, Any] | None:
        return next(github.pages("pulls", state="all", head=f"{github.owner}:{branch}"), None)

    def update(pull: dict[str, Any]) -> dict[str, Any]:
        return github.patch(f"pulls/{pull['number']}", {"body": body}) if pull["state"] == "open" else pull

    wanted = {"title": f"Retrain: {branch.removeprefix('retrain/')}", "head": branch, "base": base, "body": body}
    return ensure(find, lambda: github.post("pulls", wanted), update, github)


def _propose(options: argparse.Namespace) -> None:
    if options.results:
        results = read(options.results, with_data=True)
        report = results.report
    else:
        report = options.report.read_text(encoding="utf-8") if options.report.is_file() else None
    if report is None:
        raise DeliveryError(f"{options.report or 'the report'} is not there: python -m delivery.report makes it")
    github = connect()
    if options.results:
        branch, fresh = push_results(results, options.base)
    else:
        branch = branch_name()
        fresh = push(branch)
    pull = offer(github, branch, options.base, options.reason, report)
    for workflow in options.then if fresh else []:
        dispatch(workflow, branch, {}, github)
    told = f"{pull['html_url']} ({pull['state']}) offers {branch}"
    print(told)
    summarise(told)


if __name__ == "__main__":
    sys.exit(main())
