"""Mend what a DVC that died left half-written: `python -m delivery.repair`. `make repro` begins with it.

What stages write, and objects in DVC's cache, are whole or not there. DVC writes `dvc.lock` and `.dvc/tmp/rwlock` in
place: killed in that moment, or on a full disk, it leaves them cut off, and every later `dvc repro` ends in an error.
Python 3.11 does not notice that a full disk took only a part of its bytecode: every later import ends in an EOFError.
"""

from __future__ import annotations

import json
import marshal
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from delivery.errors import DeliveryError
from delivery.revision.git import local
from delivery.revision.site_cache import private_site_cache
from stages.common.command import parse_no_arguments, run_command
from stages.common.files import parse_yaml, write_text

LOCK, BUSY = Path("dvc.lock"), Path(".dvc/tmp/rwlock")
ROOMS = ("stages", "annotation", "delivery")
_HEADER = 16  # bytes of a .pyc before its code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when nothing is half-written (any more), 2 when a person has to decide."""
    parse_no_arguments("delivery.repair", __doc__, arguments)
    return run_command("repair", mend, within=private_site_cache())


def mend(root: Path = Path()) -> None:
    """Put a cut-off `dvc.lock` back as git has it, remove a cut-off `rwlock` (what which process is at) and bytecode.

    What stages did since stands in DVC's run cache: nothing that can be found there is computed again.

    Raises
    ------
    DeliveryError
        When `dvc.lock` is in conflict: that is a merge to finish, and nothing is touched.
    """
    if local(root, "ls-files", "--unmerged", "--", str(LOCK)).stdout:
        raise DeliveryError(
            "dvc.lock is in conflict, of a merge that is not finished: `python -m delivery.merge BRANCH` finishes it,"
            " with the branch that is being merged; `git merge --abort` gives it up"
        )
    _mend_lock(root)
    _mend_busy(root)
    _mend_bytecode(root)


def is_cut_off(lock: str) -> bool:
    r"""Tell whether this is the beginning of a `dvc.lock` and not the whole of one.

    >>> is_cut_off(""), is_cut_off("schema: '2.0'\nstages:\n  train:\n    cmd: pyth")
    (True, True)
    >>> is_cut_off("schema: '2.0'\nstages:\n  train:\n    cmd: python\n")
    False
    """
    if not lock.endswith("\n"):
        return True
    try:
        content = parse_yaml(lock)
    except yaml.YAMLError:
        return True
    return not isinstance(content, dict) or "schema" not in content


def _mend_lock(root: Path) -> None:
    path = root / LOCK
    if not path.exists() or not is_cut_off(path.read_text(encoding="utf-8", errors="replace")):
        return
    known = local(root, "show", f":{LOCK}")
    if known.returncode:
        path.unlink()
        print(f"repair: {LOCK} was cut off: removed, `dvc repro` writes it again")
    else:
        write_text(path, known.stdout.decode("utf-8"))
        print(f"repair: {LOCK} was cut off: put back as git has it, `dvc repro` goes on from there")


def _mend_busy(root: Path) -> None:
    path = root / BUSY
    if _is_json(path):
        return
    # Who writes the file holds this lock: while it is held here, a file that is cut off has no writer any more.
    from dvc.lock import LockError, make_lock

    try:
        with make_lock(str(path.with_name("rwlock.lock")), tmp_dir=str(path.parent)):
            if not _is_json(path):
                path.unlink()
                print(f"repair: {BUSY} was cut off: removed")
    except LockError as error:
        raise DeliveryError("another DVC process is busy here: run this again when it has ended") from error


def _is_json(path: Path) -> bool:
    """Tell whether a file can be read as JSON, or is not there."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def _mend_bytecode(root: Path) -> None:
    for path in (path for room in ROOMS for path in sorted((root / room).rglob("*.pyc"))):
        try:
            marshal.loads(path.read_bytes()[_HEADER:])  # noqa: S302 (what an import would do with it)
        except (EOFError, ValueError, TypeError):
            path.unlink(missing_ok=True)
            print(f"repair: {path.relative_to(root)} was cut off: removed")


if __name__ == "__main__":
    sys.exit(main())
