"""The server of the dashboard: what it may be told, and by whom."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tomllib
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dashboard.doorkeeper import Doorkeeper
from dashboard.short_errors import keep_errors_short
from stages.common.errors import BeHealthyError

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = ROOT / ".streamlit/config.toml"
PAGES = ROOT / "dashboard/entry/streamlit_app.py"
_VARIABLES = "STREAMLIT_"
_NEEDED = ("altair", "pandas", "sqlalchemy")
"""What pages import that takes long: before the first one is asked for, or whoever opens it first would wait."""


def options(port: int, behind: Collection[str] = ()) -> dict[str, Any]:
    """Return Streamlit's options by name: those of the repository, with this port and these names."""
    found = _flat(tomllib.loads(CONFIGURATION.read_text(encoding="utf-8")))
    found["server.allowedHosts"] = [*found["server.allowedHosts"], *behind]
    return {**found, "server.port": port}


def _flat(section: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return options by their whole name; a theme has sections within its section."""
    found: dict[str, Any] = {}
    for name, value in section.items():
        found |= _flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


def serve(port: int, behind: Collection[str] = ()) -> None:
    """Serve the pages until the process is told to end.

    Options that are given here stand above those of the environment and of files in a home or in the folder in which
    it is started, one of which might have it listen to the whole network.

    Raises
    ------
    BeHealthyError
        When the port is taken.
    """
    _refuse_taken(port)
    for name in [name for name in os.environ if name.startswith(_VARIABLES)]:
        del os.environ[name]
    keep_errors_short()
    from starlette.middleware import Middleware
    from streamlit.web.server.starlette import App

    for one in (signal.SIGTERM, signal.SIGINT):  # which uvicorn raises again, once it has ended
        signal.signal(one, lambda *_: sys.exit(0))
    for library in _NEEDED:
        import_module(library)
    sys.argv = [str(PAGES)]  # Streamlit looks for modules and settings beside what was started
    App(PAGES, middleware=[Middleware(Doorkeeper, behind=behind)]).run(config=options(port, behind))


def _refuse_taken(port: int) -> None:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise BeHealthyError(f"port {port} cannot be had ({why}): name another one with --port") from None
