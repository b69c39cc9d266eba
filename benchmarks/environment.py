"""The peers' own environment: `python -m benchmarks.environment` builds it as `.venv-benchmarks`.

Their versions need not agree with the project's; peers run in it as processes of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from stages.common.command import parse_no_arguments, run_command
from stages.common.errors import BeHealthyError

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv-benchmarks"
REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


class PeersMissingError(BeHealthyError):
    """The peers' environment is not there."""


def peers_python() -> Path:
    """Return the interpreter of the peers' environment.

    Raises
    ------
    PeersMissingError
        When it was not built.
    """
    python = FOLDER / "bin" / "python"
    if not python.exists():
        raise PeersMissingError(f"{FOLDER.name} is missing: build it with python -m benchmarks.environment")
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


def build() -> None:
    """Build the environment as `make` builds the project's: every file checked against its hash.

    Raises
    ------
    BeHealthyError
        When it could not be built; why is on stderr.
    """
    command = [str(ROOT / ".ci" / "install"), str(FOLDER), str(REQUIREMENTS)]
    if subprocess.run(command, env=os.environ | {"PYTHON": sys.executable}, check=False).returncode:  # noqa: S603
        raise BeHealthyError("the peers' environment could not be built; see above")
    (FOLDER / ".gitignore").write_text("*\n", encoding="utf-8")
    print(f"benchmarks: {FOLDER.name} is ready")


if __name__ == "__main__":
    parse_no_arguments("benchmarks.environment", __doc__)
    sys.exit(run_command("environment", build))
