"""Serve the dashboard.

    python -m dashboard
    python -m dashboard --port 8502
    python -m dashboard --behind notes.hospital.example   a proxy on this machine is reached under this name

It shows notes to whoever reaches it, so it listens on 127.0.0.1 alone; beyond this machine it stands behind a proxy
that knows who asks (docs/guides/operator.md). Exit codes: 0 ended by SIGTERM or Ctrl-C; 2 not served.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from stages.common.command import run_command


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8501, help="port (default: 8501)")
    parser.add_argument(
        "--behind", metavar="NAME", action="append", default=[], help="name under which a proxy is reached; repeatable"
    )
    options = parser.parse_args(arguments)
    if not 1 <= options.port <= 65535:
        parser.error("--port must be between 1 and 65535")
    if not all(re.fullmatch(r"[A-Za-z0-9.-]+", name) for name in options.behind):
        parser.error("--behind takes the name of a host alone, as notes.hospital.example")
    return options


def _serve(options: argparse.Namespace) -> None:
    from dashboard.serving import serve

    sys.stdout.write(f"dashboard: http://127.0.0.1:{options.port}, in a moment; Ctrl-C ends it\n")
    sys.stdout.flush()
    serve(options.port, options.behind)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("dashboard", lambda: _serve(options))


if __name__ == "__main__":
    sys.exit(main())
