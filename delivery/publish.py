"""Commit what the graph wrote, once, and push it to the branch it belongs to: `python -m delivery.publish --branch B`.

Nothing new, nothing done. Pushed with a workflow's own token, a commit starts no workflow: the checks that it needs
are dispatched with `--then`, and the reproduction among them finds nothing to commit, which ends it.

With `--with-data`, annotation batches that were added (`dvc add data/annotations`) are committed first, as a commit of
their own: what is reproduced from it is a commit's results, and no graph that does not settle.

With `--results FOLDER` it is what another job handed over (`delivery.results`): data, checked, and committed on top of
the branch without checking anything of the branch out. What is at work is the code from which this is started.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from delivery.errors import DeliveryError, DeliveryRefusedError
from delivery.github.workflows import dispatch
from delivery.revision.experiments import RESULTS
from delivery.revision.git import EMAIL, NAME, attempt, commit, commit_files, fetch, git, is_ancestor, last_lines
from delivery.revision.graph import Graph, refuse_stale
from delivery.revision.handed_over import DATA, Results, check_against, read
from delivery.revision.revision import Revision, resolve, workspace
from delivery.revision.site_cache import private_site_cache
from stages.common.command import run_command

TRAILER = "Reproduced-From"
_DATA_MESSAGE = "Add annotation batches"
RACES = 3
"""Times that another push may come first."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when the branch has the results, 1 when they are refused, 2 when it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m delivery.publish", description=__doc__)
    parser.add_argument("--branch", required=True, help="that this commit belongs to, on origin")
    parser.add_argument("--results", type=Path, help="folder that another job handed over (default: what lies here)")
    parser.add_argument("--with-data", action="store_true", help=f"first commit {DATA}, where batches were added")
    parser.add_argument("--then", nargs="*", default=[], metavar="WORKFLOW", help="to dispatch for the new commit")
    options = parser.parse_args(arguments)
    if options.with_data and options.results:
        parser.error("--with-data is about what lies here, and goes with no --results")
    return run_command("publish", lambda: _publish(options), within=private_site_cache())


def publish(branch: str, root: Path = Path(), *, with_data: bool = False) -> bool:
    """Commit `dvc.lock` and `metrics/` and push them.

    Parameters
    ----------
    branch : str
    root : Path
    with_data : bool
        Commit before them what was added to the annotations.

    Returns
    -------
    bool
        False when there was nothing to publish.

    Raises
    ------
    DeliveryError
        When the graph is not reproduced; when a commit that came from here gives other results (it would never
        end) or are of no commit; when a commit that is not pushed has more than results and annotations; when the
        branch has meanwhile got other inputs; when the push is refused.
    """
    there = fetch(branch, root)
    refuse_stale(root)
    _refuse_others(there, root)
    if with_data:
        commit(_DATA_MESSAGE, (DATA,), root)
    source = git("rev-parse", "HEAD", root=root).strip()
    origin = _reproduced_from(source, root)
    fresh = commit(_message(source), RESULTS, root)
    if fresh and origin:
        git("reset", "--quiet", "--soft", source, root=root)
        raise _unsettled(source, origin)
    if fresh and Graph.of(resolve("HEAD", root)).stale():
        git("reset", "--quiet", "--soft", source, root=root)
        raise _of_no_commit()
    if not fresh and is_ancestor(source, there, root):
        return False
    _push(branch, root)
    return True


def publish_results(branch: str, results: Results, root: Path = Path()) -> bool:
    """Commit on a branch of `origin` what another job handed over, and push it.

    Parameters
    ----------
    branch : str
    results : Results
        Of a graph that was reproduced.
    root : Path
        A clone, of whatever is trusted; its working tree stays as it is.

    Returns
    -------
    bool
        False when the branch has it all.

    Raises
    ------
    DeliveryError
        As `publish`, and when the files are not what the branch's graph writes.
    """
    for _ in range(RACES):
        head = git("rev-parse", fetch(branch, root), root=root).strip()
        made = _commit_on(Revision(root, head, branch), head, results)
        if made is None:
            return False
        result = attempt("push", "--quiet", "origin", f"{made}:refs/heads/{branch}", root=root)
        if result.returncode == 0:
            return True
        if git("rev-parse", fetch(branch, root), root=root).strip() == head:
            raise _not_taken(branch, result.stderr)
    raise _raced(branch)


def _commit_on(branch: Revision, head: str, results: Results) -> str | None:
    """Commit results on top of a branch, if they belong there; None when it has them."""
    source, root = str(results.source), branch.root
    if not is_ancestor(source, head, root):
        raise _moved_on(branch.name)
    made = commit_files(results.files, head, _message(source), root)
    # Somebody else's change to the same files is not undone.
    if made and attempt("diff", "--quiet", source, head, "--", *results.files, root=root).returncode:
        raise _moved_on(branch.name)
    try:
        check_against(results, Revision(root, made or head, branch.name))
    except DeliveryError:
        if source == head:
            raise
        raise _moved_on(branch.name) from None
    origin = _reproduced_from(source, root)
    if made and origin:
        raise _unsettled(source, origin)
    return made


def _publish(options: argparse.Namespace) -> None:
    branch = options.branch
    if options.results is None:
        published = publish(branch, with_data=options.with_data)
    else:
        results = read(options.results)
        if results.source is None:
            print("nothing to publish: the graph was not reproduced, no results were handed over")
            return
        published = publish_results(branch, results)
    if not published:
        print("nothing new to publish")
        return
    print(f"published on {branch}: {git('log', '-1', '--format=%h %s', fetch(branch)).strip()}")
    for workflow in options.then:
        dispatch(workflow, branch, {})
        print(f"dispatched {workflow} on {branch}")


def _refuse_others(there: str, root: Path) -> None:
    """Refuse to push what a person committed here: it goes by a pull request, not along with results.

    Raises
    ------
    DeliveryRefusedError
        Names a file.
    """
    changed = git("diff", "--name-only", "-z", f"{there}...HEAD", root=root).split("\0")
    ours = tuple(f"{folder}/" for folder in RESULTS)
    others = [path for path in changed if path and path not in (*RESULTS, DATA) and not path.startswith(ours)]
    if others:
        raise DeliveryRefusedError(
            f"a commit here that is not pushed changes {others[0]}: push it first, as any change of the code, or take"
            " it elsewhere; nothing was pushed"
        )


def _push(branch: str, root: Path) -> None:
    """Push; when others pushed first, put our commit on top of theirs, if it still belongs there."""
    for _ in range(RACES):
        result = attempt("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", root=root)
        if result.returncode == 0:
            return
        if is_ancestor(fetch(branch, root), "HEAD", root):
            raise _not_taken(branch, result.stderr)
        _rebase(branch, root)
    raise _raced(branch)


def _rebase(branch: str, root: Path) -> None:
    """Put our commit on top of the branch, and take that back when its results are not those of the branch."""
    ours = git("rev-parse", "HEAD", root=root).strip()
    who = ("-c", f"user.name={NAME}", "-c", f"user.email={EMAIL}")
    result = attempt(*who, "rebase", "--quiet", f"refs/remotes/origin/{branch}", root=root)
    if result.returncode == 0 and not Graph.of(workspace(root)).stale():
        return
    attempt("rebase", "--abort", root=root)
    git("reset", "--quiet", "--keep", ours, root=root)
    raise _moved_on(branch)


def _message(source: str) -> str:
    return f"Reproduce the graph\n\n{TRAILER}: {source}"


def _reproduced_from(commit: str, root: Path) -> str:
    """Return the commit whose results a commit holds, '' where a person made it."""
    return git("log", "-1", f"--format=%(trailers:key={TRAILER},valueonly)", commit, root=root).strip()


def _unsettled(source: str, origin: str) -> DeliveryError:
    return DeliveryRefusedError(
        f"{source[:7]} was itself made by reproducing {origin[:7]} and gives other results now: the graph"
        " depends on the machine. Compare with `dvc metrics diff`; nothing was pushed"
    )


def _of_no_commit() -> DeliveryError:
    return DeliveryRefusedError(
        "the results are not those of a commit: something was changed here that is not committed (`git status`)."
        " Commit or undo it, and run `dvc repro` again; nothing was pushed"
    )


def _moved_on(branch: str) -> DeliveryError:
    return DeliveryError(
        f"{branch} has got other inputs meanwhile, and these results are not theirs: the run for its newest commit"
        " publishes; by hand, pull and run `dvc repro` again"
    )


def _not_taken(branch: str, stderr: str) -> DeliveryError:
    """Say why, where nobody else has pushed: a protected branch, a token that only reads."""
    return DeliveryError(f"origin does not take the push to {branch} ({last_lines(stderr)})")


def _raced(branch: str) -> DeliveryError:
    return DeliveryError(f"others pushed to {branch} {RACES} times meanwhile: run it again")


if __name__ == "__main__":
    sys.exit(main())
