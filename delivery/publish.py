"""Commit what the graph wrote, once, and push it to the branch it belongs to: `python -m delivery.publish --branch B`.

Nothing new, nothing done. Pushed with a workflow's own token, a commit starts no workflow: the checks that it needs
are dispatched with `--then`, and the reproduction among them finds nothing to commit, which ends it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from delivery.command import exit_code
from delivery.dispatch import dispatch
from delivery.git import EMAIL, NAME, attempt, commit, git, last_lines
from delivery.reproduce import check
from delivery.revisions import workspace
from delivery.server import DeliveryError
from delivery.staleness import Graph

PATHS = ("dvc.lock", "metrics")
TRAILER = "Reproduced-From"
RACES = 3
"""Times that another push may come first."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when the branch has the results, 1 when it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m delivery.publish", description=__doc__)
    parser.add_argument("--branch", required=True, help="that this commit belongs to, on origin")
    parser.add_argument("--then", nargs="*", default=[], metavar="WORKFLOW", help="to dispatch for the new commit")
    chosen = parser.parse_args(arguments)
    return exit_code("publish", lambda: _publish(chosen.branch, chosen.then))


def publish(branch: str, root: Path = Path()) -> bool:
    """Commit `dvc.lock` and `metrics/` and push them.

    Returns
    -------
    bool
        False when there was nothing to publish.

    Raises
    ------
    DeliveryError
        When the graph is not reproduced; when a commit that came from here gives other results (it would never
        end); when the branch has meanwhile got other inputs; when the push is refused.
    """
    _fetch(branch, root)
    check(root)
    source = git("rev-parse", "HEAD", root=root).strip()
    origin = git("log", "-1", f"--format=%(trailers:key={TRAILER},valueonly)", root=root).strip()
    fresh = commit(f"Reproduce the graph\n\n{TRAILER}: {source}", PATHS, root)
    if fresh and origin:
        git("reset", "--quiet", "--soft", source, root=root)
        raise DeliveryError(
            f"{source[:7]} was itself made by reproducing {origin[:7]} and gives other results now: the graph"
            " depends on the machine. Compare with `dvc metrics diff`; nothing was pushed"
        )
    if not fresh and _is_ancestor(source, f"origin/{branch}", root):
        return False
    _push(branch, root)
    return True


def _publish(branch: str, then: Sequence[str]) -> None:
    if not publish(branch):
        print("nothing new to publish")
        return
    print(f"published on {branch}: {git('log', '-1', '--format=%h %s').strip()}")
    for workflow in then:
        dispatch(workflow, branch, {})
        print(f"dispatched {workflow} on {branch}")


def _push(branch: str, root: Path) -> None:
    """Push; when others pushed first, put our commit on top of theirs, if it still belongs there."""
    for _ in range(RACES):
        result = attempt("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", root=root)
        if result.returncode == 0:
            return
        _fetch(branch, root)
        if _is_ancestor(f"origin/{branch}", "HEAD", root):  # no race: a protected branch, a token that only reads
            raise DeliveryError(f"origin does not take the push to {branch} ({last_lines(result.stderr)})")
        _rebase(branch, root)
    raise DeliveryError(f"others pushed to {branch} {RACES} times meanwhile: run it again")


def _rebase(branch: str, root: Path) -> None:
    """Put our commit on top of the branch, and take that back when its results are not those of the branch."""
    ours = git("rev-parse", "HEAD", root=root).strip()
    who = ("-c", f"user.name={NAME}", "-c", f"user.email={EMAIL}")
    result = attempt(*who, "rebase", "--quiet", f"origin/{branch}", root=root)
    if result.returncode == 0 and not Graph.of(workspace(root)).stale():
        return
    attempt("rebase", "--abort", root=root)
    git("reset", "--quiet", "--keep", ours, root=root)
    raise DeliveryError(
        f"{branch} has got other inputs meanwhile, and these results are not theirs: the run for its newest commit"
        " publishes; by hand, pull and run `dvc repro` again"
    )


def _fetch(branch: str, root: Path) -> None:
    git("fetch", "--quiet", "origin", f"+refs/heads/{branch}:refs/remotes/origin/{branch}", root=root)


def _is_ancestor(commit: str, of: str, root: Path) -> bool:
    return attempt("merge-base", "--is-ancestor", commit, of, root=root).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
