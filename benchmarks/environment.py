"""The peers' own environments: `python -m benchmarks.environment` builds `.venv-benchmarks`.

With `medspacy` behind it, it builds `.venv-medspacy`, for `benchmarks.assertion`. Versions need not agree with the
project's, nor with each other's; peers run there as processes of their own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from stages.common.command import run_command
from stages.common.errors import BeHealthyError

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv-benchmarks"
MEDSPACY = ROOT / ".venv-medspacy"
_REQUIREMENTS = {FOLDER: "requirements.txt", MEDSPACY: "medspacy.txt"}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


class PeersMissingError(BeHealthyError):
    """The peers' environment is not there."""


def peers_python(folder: Path = FOLDER) -> Path:
    """Return the interpreter of an environment of peers.

    Raises
    ------
    PeersMissingError
        When it was not built.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        which = " medspacy" if folder == MEDSPACY else ""
        raise PeersMissingError(f"{folder.name} is missing: build it with python -m benchmarks.environment{which}")
    return python


def run_module(python: Path | str, arguments: list[str], *, niced: bool) -> None:
    """Run ``python -m …`` from the root, one thread, its output on stderr.

    Raises
    ------
    BeHealthyError
        When it fails; what it said is on stderr.
    """
    environment = os.environ | dict.fromkeys(_THREADS, "1") | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    command = ["nice", "-n", "10"] if niced and shutil.which("nice") else []
    command += [str(python), "-m", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, stdout=sys.stderr.fileno(), check=False)  # noqa: S603
    if done.returncode:
        raise BeHealthyError(f"{' '.join(arguments[:3])} failed with exit code {done.returncode}; see above")


def build(folder: Path = FOLDER) -> None:
    """Build an environment as `make` builds the project's: every file checked against its hash.

    Raises
    ------
    BeHealthyError
        When it could not be built; why is on stderr.
    """
    requirements = Path(__file__).resolve().parent / _REQUIREMENTS[folder]
    command = [str(ROOT / ".ci" / "install"), str(folder), str(requirements)]
    if subprocess.run(command, env=os.environ | {"PYTHON": sys.executable}, check=False).returncode:  # noqa: S603
        raise BeHealthyError("the peers' environment could not be built; see above")
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    print(f"benchmarks: {folder.name} is ready")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.environment", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("which", nargs="?", choices=("peers", "medspacy"), default="peers", help="(default: peers)")
    return parser


if __name__ == "__main__":
    folder = MEDSPACY if _parser().parse_args().which == "medspacy" else FOLDER
    sys.exit(run_command("environment", lambda: build(folder)))
