"""Merge another branch when both added batches: `python -m delivery.merge origin/main`.

Git cannot: `data/annotations.dvc` is one hash, `dvc.lock` follows from it, and both new batches claim the same number.
The batches of both are kept, those that are not published yet are numbered after the others, and the graph is run.
Interrupted anywhere, the same command starts over from what the two commits say; `git merge --abort` gives it up.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.errors import DeliveryError, DeliveryRefusedError
from delivery.revision.dvc_files import fetch_bundled
from delivery.revision.git import attempt, git
from delivery.revision.site_cache import private_site_cache
from stages.common.command import run_command
from stages.common.errors import BeHealthyError
from stages.prepare import batches
from stages.prepare.batches import Batch

ANNOTATIONS = "data/annotations"
TRACKED = f"{ANNOTATIONS}.dvc"
RESULTS = ("dvc.lock", "metrics")
ASIDE = Path(".dvc/tmp/merge")


@dataclass(frozen=True)
class Sides:
    """The commits of a merge.

    Parameters
    ----------
    first : str
        Its batches are published and keep their numbers.
    second : str
        Its new batches come after them.
    base : str
        What both come from.
    """

    first: str
    second: str
    base: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 merged and committed, 1 refused or left for a person to resolve, 2 not possible."""
    parser = argparse.ArgumentParser(
        prog="python -m delivery.merge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", nargs="?", help="what to merge; none when a merge is under way")
    parser.add_argument(
        "--published",
        choices=["ours", "theirs"],
        help="whose batches keep their numbers (default: theirs, but ours on the branch main)",
    )
    parser.add_argument("--no-repro", action="store_true", help="leave `dvc repro` to the workflow `reproduce`")
    options = parser.parse_args(arguments)
    return run_command(
        "merge",
        lambda: merge(options.revision, options.published, repro=not options.no_repro),
        within=private_site_cache(),
    )


def merge(revision: str | None, published: str | None = None, *, repro: bool = True, root: Path = Path()) -> None:
    """Merge a revision into the current branch, with the batches of both.

    Raises
    ------
    DeliveryError
        When something is in the way, or another file conflicts. The merge is then under way, or was not begun.
    AnnotationError
        When the batches themselves cannot be told apart.
    """
    if not _under_way(root) and not _begin(revision, root):
        print("already up to date")
        return
    _refuse_other_conflicts(root)
    sides = _sides(published, root)
    told = _unite(sides, root)
    git("checkout", sides.first, "--", *RESULTS, root=root)
    _run(root, "dvc", "add", "--quiet", ANNOTATIONS)
    if repro:
        _run(root, "dvc", "repro")
    git("add", "--all", "--", TRACKED, *RESULTS, root=root)
    git("commit", "--quiet", "--no-edit", root=root)
    print("\n".join([*told, f"merged: {git('log', '-1', '--format=%h %s', root=root).strip()}"]))
    print("next: dvc push, git push" if repro else "next: git push; the workflow `reproduce` runs the graph")


# ---- git ------------------------------------------------------------------------------------------


def _under_way(root: Path) -> bool:
    return attempt("rev-parse", "--quiet", "--verify", "MERGE_HEAD", root=root).returncode == 0


def _begin(revision: str | None, root: Path) -> bool:
    """Begin the merge; return False when there is nothing to merge."""
    if revision is None:
        raise DeliveryError("no merge is under way: say what to merge, as python -m delivery.merge origin/main")
    if git("status", "--porcelain", "--untracked-files=no", root=root).strip():
        raise DeliveryError("there are changes that are not committed: commit them first")
    _refuse_unadded_batches(root)
    result = attempt("merge", "--no-commit", "--no-ff", revision, root=root)
    if not _under_way(root):
        if result.returncode == 0:
            return False
        raise DeliveryError(f"git cannot merge {revision}: {(result.stderr or result.stdout).strip()}")
    return True


def _refuse_unadded_batches(root: Path) -> None:
    """Refuse what lies in the folder and in no commit: checking out the other side's batches would lose it."""
    if not (root / ANNOTATIONS).is_dir():
        return
    result = subprocess.run(
        ["dvc", "status", "--quiet", TRACKED], cwd=root, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise DeliveryError(
            f"{ANNOTATIONS} is not what {TRACKED} says: `dvc add` and commit a new batch, or `dvc checkout` it away"
        )


def _refuse_other_conflicts(root: Path) -> None:
    conflicts = git("diff", "--name-only", "--diff-filter=U", root=root).splitlines()
    others = [path for path in conflicts if path != TRACKED and not path.startswith(("dvc.lock", "metrics/"))]
    if others:
        raise DeliveryRefusedError(
            f"{', '.join(others)}: in conflict too, and for you to resolve. Mend, `git add`, and run"
            " python -m delivery.merge again; or give up with git merge --abort"
        )


def _sides(published: str | None, root: Path) -> Sides:
    ours, theirs = (git("rev-parse", name, root=root).strip() for name in ("HEAD", "MERGE_HEAD"))
    base = git("merge-base", ours, theirs, root=root).strip()
    if published is None:
        published = "ours" if git("branch", "--show-current", root=root).strip() == "main" else "theirs"
    return Sides(ours, theirs, base) if published == "ours" else Sides(theirs, ours, base)


# ---- batches --------------------------------------------------------------------------------------


def _unite(sides: Sides, root: Path) -> list[str]:
    """Lay the batches of both sides into the workspace; return what was done, a line each."""
    aside = root / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    before = {batch.name for batch in _bring(sides.base, root)}
    _bring(sides.second, root)
    shutil.copytree(root / ANNOTATIONS, aside)
    first = _bring(sides.first, root)
    second = batches.load_batches(aside)
    _refuse_changed(first, second)
    told = _remove(before - {batch.name for batch in second}, root)
    last = max((batch.order for batch in first), default=0)
    for batch in second:
        if batch.name not in before | {other.name for other in first}:
            last = max(batch.order, last + 1)
            _place(batch, last, root)
            told.append(f"batch {batch.name}: number {last}" + (f", was {batch.order}" if last != batch.order else ""))
    shutil.rmtree(aside)
    batches.load_batches(root / ANNOTATIONS)
    return told


def _bring(commit: str, root: Path) -> list[Batch]:
    """Check out a commit's batches, from the cache, from git's own remote or from `storage`."""
    (root / TRACKED).write_text(git("show", f"{commit}:{TRACKED}", root=root), encoding="utf-8")
    fetched = ["dvc", "fetch", "--quiet", TRACKED]
    checked_out = ["dvc", "checkout", "--quiet", "--force", TRACKED]
    fetch_bundled(root)
    if subprocess.run(checked_out, cwd=root, capture_output=True, check=False).returncode:
        _run(root, *fetched)
        _run(root, *checked_out)
    try:
        return batches.load_batches(root / ANNOTATIONS)
    except BeHealthyError as error:
        raise DeliveryError(f"the batches of {commit[:7]} cannot be read: {error}") from error


def _refuse_changed(first: Sequence[Batch], second: Sequence[Batch]) -> None:
    """Refuse a name that stands for two contents.

    A number may differ, by an earlier merge, and a key, when both sides added the same export: the first side's stay.
    """
    known = {batch.name: batch.about for batch in first}
    for batch in second:
        about = known.get(batch.name)
        if about and about.model_copy(update={"order": batch.order, "key": batch.about.key}) != batch.about:
            raise DeliveryRefusedError(
                f"both sides have a batch {batch.name}, with other content: batches are immutable. Give up with"
                " git merge --abort, and add the newer one under another name"
            )


def _remove(names: set[str], root: Path) -> list[str]:
    """Remove batches that the second side removed."""
    present = sorted(name for name in names if (root / ANNOTATIONS / name).exists())
    for name in present:
        shutil.rmtree(root / ANNOTATIONS / name)
    return [f"batch {name}: removed, as on the other branch" for name in present]


def _place(batch: Batch, order: int, root: Path) -> None:
    """Copy a batch beside the others under its new number, whole or not at all."""
    building = root / ANNOTATIONS / f".{batch.name}.merging"
    shutil.rmtree(building, ignore_errors=True)
    shutil.copytree(batch.folder, building)
    if order != batch.order:
        batches.write_description(building, batch.about.model_copy(update={"order": order}))
    building.rename(root / ANNOTATIONS / batch.name)


def _run(root: Path, *command: str) -> None:
    result = subprocess.run(command, cwd=root, check=False)
    if result.returncode:
        raise DeliveryError(
            f"`{' '.join(command)}` failed, see above; the merge is still under way. Mend that, and run"
            " python -m delivery.merge again; or give up with git merge --abort and dvc checkout"
        )


if __name__ == "__main__":
    sys.exit(main())
