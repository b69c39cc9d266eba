"""Serve the dashboard.

    python -m dashboard
    python -m dashboard --port 8502

It shows notes to whoever reaches it, so it listens on 127.0.0.1 alone; beyond this machine it stands behind a proxy
that knows who asks (docs/guides/operator.md). Exit codes: 0 ended by SIGTERM or Ctrl-C; 2 not served.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from stages.common.command import run_command

APP = Path(__file__).parent / "entry/streamlit_app.py"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8501, help="port (default: 8501)")
    options = parser.parse_args(arguments)
    if not 1 <= options.port <= 65535:
        parser.error("--port must be between 1 and 65535")
    return options


def _serve(port: int) -> None:
    """Become Streamlit, in this process."""
    command = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.port", str(port)]
    sys.stdout.write(f"dashboard: http://127.0.0.1:{port}, in a moment; Ctrl-C ends it\n")
    sys.stdout.flush()
    path = os.pathsep.join([str(APP.parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})  # noqa: S606 (arguments of our own)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("dashboard", lambda: _serve(options.port))


if __name__ == "__main__":
    sys.exit(main())
