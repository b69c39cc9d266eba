"""Give DVC a folder that nobody else can write: `python -m delivery.revision.site_cache`. `make` begins with it.

DVC remembers what it saw of files in databases that hold pickles, and reading a pickle runs what it says. It keeps
them below `/var/tmp/dvc`, which it opens to every user of the machine: one of them could put pickles there that run
as whoever calls `dvc`. Here they lie in the repository's own `.dvc/tmp`, closed to others; `.dvc/config.local` says
so to every later `dvc`, and the environment to what a command of this room starts.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stages.common.command import parse_no_arguments, run_command
from stages.common.errors import BeHealthyError

VARIABLE = "DVC_SITE_CACHE_DIR"
"""Of DVC: where it is set, it goes before every configuration."""

FOLDER = Path(".dvc/tmp/site-cache")
_LOCAL, _KEY = Path(".dvc/config.local"), "site_cache_dir"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SiteCacheError(BeHealthyError):
    """The folder is not this user's alone, and cannot be made so."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when plain `dvc` is safe here, 2 when a person has to decide."""
    parse_no_arguments("delivery.revision.site_cache", __doc__, arguments)
    return run_command("site_cache", settle)


def settle(root: Path = Path()) -> None:
    """Close the folder, and name it in `.dvc/config.local` for every `dvc` that is called here from now on.

    Raises
    ------
    SiteCacheError
        When the folder belongs to someone else, or DVC's configuration cannot be read or written.
    """
    folder = use(root)
    if folder is None or folder == _configured(root):
        return
    command = [sys.executable, "-m", "dvc", "config", "--local", f"core.{_KEY}", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise SiteCacheError(
            f"{_LOCAL} could not be written ({done.stderr.strip()[-200:]}): mend that, and run it again"
        )


def use(root: Path = Path()) -> Path | None:
    """Close the folder, and name it in the environment: for DVC in this process and all that it starts.

    It is the one that the environment or `.dvc/config.local` names, else `FOLDER`. None where there is no DVC.

    Raises
    ------
    SiteCacheError
        As `settle`.
    """
    if not (root / ".dvc").is_dir():
        return None
    named = _of_this_clone(os.environ.get(VARIABLE), root)
    folder = (named or _configured(root) or root / FOLDER).absolute()
    _close(folder)
    os.environ[VARIABLE] = str(folder)
    return folder


@contextmanager
def private_site_cache(root: Path = Path()) -> Iterator[None]:
    """Do as `use` does before the block: every command of this room that lets DVC work runs within it."""
    use(root)
    yield


def _configured(root: Path) -> Path | None:
    """Return the folder of `.dvc/config.local`."""
    from configobj import ConfigObj, ConfigObjError  # as DVC reads it

    path = root / _LOCAL
    if not path.is_file():
        return None
    try:
        named = ConfigObj(str(path)).get("core", {}).get(_KEY)
    except (ConfigObjError, UnicodeDecodeError) as error:
        raise SiteCacheError(f"{_LOCAL} cannot be read: mend it, or remove it and write it again") from error
    return _of_this_clone(named, root)


def _of_this_clone(named: str | None, root: Path) -> Path | None:
    """Return a folder as it was chosen; that of another clone, or of this one before it was moved, is none."""
    if not named or (Path(named).parts[-3:] == FOLDER.parts and Path(named) != (root / FOLDER).absolute()):
        return None
    return Path(named)


def _close(folder: Path) -> None:
    """Make the folder, or what is there, this user's alone; refuse it when others have left something there."""
    for path in (folder.parent, folder):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_mine(folder) or _is_movable(folder):
        raise _refused(folder)
    if folder.lstat().st_mode & _OTHERS:
        folder.chmod(0o700)
        if folder.lstat().st_mode & _OTHERS:  # a file system that keeps no modes
            raise _refused(folder)
    # Also in a folder that is closed now: it may have been open before.
    if any(path.lstat().st_uid != os.geteuid() for path in folder.rglob("*")):
        raise _refused(folder)


def _is_mine(folder: Path) -> bool:
    about = folder.lstat()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()


def _is_movable(folder: Path) -> bool:
    """Tell whether anyone may rename the folder and lay another in its place."""
    mode = folder.parent.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _refused(folder: Path) -> SiteCacheError:
    return SiteCacheError(
        f"{folder} is where DVC would keep databases that can run code, and others can write there: remove it, or set"
        f" {VARIABLE} to a folder that is yours alone"
    )


if __name__ == "__main__":
    sys.exit(main())
