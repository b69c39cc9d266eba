"""Where a record may be written: names of diseases and treatments out of notes do not belong into git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from stages.common.errors import BeHealthyError


def refuse_shared(path: Path, *, option: str = "--to", holds: str = "a record has clinical names") -> None:
    """Refuse a path that git tracks, or that lies in a work tree and is not ignored there.

    Parameters
    ----------
    path : Path
    option : str
        Of the command, that named it.
    holds : str
        Why git must not have it.

    Raises
    ------
    BeHealthyError
        Also when this cannot be found out. Says what to do.
    """
    # The file itself may be a link: what is written takes the link's place.
    place = path.parent.resolve() / path.name
    folder = next(parent for parent in place.parents if parent.is_dir())
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return
    git = shutil.which("git")
    if git is None:
        raise BeHealthyError(
            f"{path} lies in a git work tree, and without git nobody can tell whether it would be committed:"
            f" choose a {option} outside of the work tree"
        )
    if _run(git, "--literal-pathspecs", "ls-files", "--error-unmatch", "--", str(place), folder=folder) == 0:
        raise BeHealthyError(
            f"git tracks {path}, and {holds}: choose another {option}, or `git rm --cached` it and add it to .gitignore"
        )
    if _run(git, "check-ignore", "--quiet", "--", str(place), folder=folder) != 0:
        raise BeHealthyError(
            f"git does not ignore {path}, and {holds}: add it to .gitignore, or choose a {option}"
            " that is ignored (record.parquet at the root of this project is) or outside of the work tree"
        )


def _run(git: str, *arguments: str, folder: Path) -> int:
    """Run git on the repository around a folder, whatever a hook around this process says; return its exit code."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = [git, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)  # noqa: S603
    return done.returncode
