"""Start Label Studio on this machine only: `python -m annotation.label_studio`, or `make label-studio`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from annotation.label_studio.server import DATA, command, environment, has_account
from stages.common.command import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: this process becomes the server; 2 when Label Studio is not installed."""
    parser = argparse.ArgumentParser(prog="python -m annotation.label_studio", description="Start Label Studio.")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of its database; holds the notes")
    options = parser.parse_args(arguments)
    return run_command("label-studio", lambda: _become(options.port, options.data))


def _become(port: int, data: Path) -> NoReturn:
    program = command(port)
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    print(f"label-studio: http://127.0.0.1:{port}, data in {data}; the first start takes a minute")
    if not has_account(data):
        print("label-studio: the first who signs up owns it; once started again, it takes invited people only")
    sys.stdout.flush()
    os.execve(program[0], program, environment(data))  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    sys.exit(main())
