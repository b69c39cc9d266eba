"""DVC's experiments and the commits that have results, from git alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from delivery.errors import DeliveryError
from delivery.revision.git import local
from delivery.revision.revision import Revision, resolve

RESULTS = ("dvc.lock", "metrics")
EVALUATION = "metrics/evaluation.json"

_EXPERIMENT = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")  # what DVC keeps for itself looks otherwise


@dataclass(frozen=True)
class Experiment:
    """A finished experiment of DVC: from the workspace, from the queue, or out of the run cache alike.

    Parameters
    ----------
    revision : Revision
        Its commit, under the name DVC shows.
    baseline : str
        Full hash of the commit it was started from.
    """

    revision: Revision
    baseline: str


def experiments(root: Path = Path()) -> list[Experiment]:
    """Return the experiments of all baselines, oldest first.

    Those that wait in the queue, run, or failed have no commit yet and are not among them.
    """
    listed = _lines(root, "for-each-ref", "--sort=committerdate", "--format=%(objectname) %(refname)", "refs/exps")
    finished = []
    for line in listed:
        sha, ref = line.split(" ", 1)
        if match := _EXPERIMENT.fullmatch(ref):
            finished.append(Experiment(Revision(root, sha, match[3]), match[1] + match[2]))
    return finished


def commits(root: Path = Path(), *, branches: bool = False) -> list[Revision]:
    """Return the commits of the current branch (or of all local branches) that changed results, oldest first."""
    start = "--branches" if branches else "HEAD"
    listed = _lines(root, "log", "--reverse", "--format=%H", start, "--", *RESULTS)
    return [Revision(root, sha, sha[:10]) for sha in listed]


def find(name: str, root: Path = Path()) -> Revision:
    """Return the commit that a person calls `name`: an experiment of DVC, or anything git knows.

    Raises
    ------
    DeliveryError
        When there is none, or when experiments of several baselines have this name.
    """
    named = [known.revision for known in experiments(root) if known.revision.name == name]
    if len(named) > 1:
        shown = ", ".join(revision.sha[:10] for revision in named if revision.sha)
        raise DeliveryError(f"{len(named)} experiments are called {name}: give the commit of one of them ({shown})")
    return named[0] if named else resolve(name, root)


def has_results(revision: Revision) -> bool:
    """Tell whether a revision was evaluated."""
    return revision.read(EVALUATION) is not None


def archive(revision: Revision) -> bytes:
    """Return what git has of a commit, as a tar archive."""
    return _run(revision.root, "archive", "--format=tar", str(revision.sha))


def subject(revision: Revision) -> str:
    """Return the first line of a commit's message."""
    return _lines(revision.root, "show", "--no-patch", "--format=%s", str(revision.sha))[0]


def committed_at(revision: Revision) -> int:
    """Return when a commit was made, in milliseconds since 1970."""
    return 1000 * int(_lines(revision.root, "show", "--no-patch", "--format=%ct", str(revision.sha))[0])


def common_folder(root: Path = Path()) -> Path:
    """Return git's own folder, which all worktrees of a clone share."""
    return (root / _lines(root, "rev-parse", "--git-common-dir")[0]).resolve()


def _lines(root: Path, *arguments: str) -> list[str]:
    return _run(root, *arguments).decode().splitlines()


def _run(root: Path, *arguments: str) -> bytes:
    result = local(root, *arguments)
    if result.returncode:
        raise DeliveryError(f"git {arguments[0]} failed in {root.resolve()}: {result.stderr.decode().strip()}")
    return result.stdout
