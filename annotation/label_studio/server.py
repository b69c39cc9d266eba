"""How Label Studio is started: SQLite, loopback, nothing sent anywhere."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from stages.common.errors import BeHealthyError

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".venv-label-studio" / "bin" / "label-studio"
DATA = ROOT / ".label-studio"

QUIET = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}
"""No statistics, no search for updates, no crash reports."""


def command(port: int) -> list[str]:
    """Return the command that serves on the loopback.

    Raises
    ------
    BeHealthyError
        When Label Studio is not installed.
    """
    if not PROGRAM.exists():
        raise BeHealthyError("Label Studio is not installed: run `make label-studio-env`")
    at = ["--internal-host", "127.0.0.1", "--host", f"http://127.0.0.1:{port}", "--port", str(port)]
    return [str(PROGRAM), "start", "--no-browser", *at]


def environment(data: Path) -> dict[str, str]:
    """Return the environment of the server.

    Parameters
    ----------
    data : Path
        Folder of its database and media.

    Returns
    -------
    dict of str to str
        This process's own environment with `QUIET` and the folder. Once there is an account, others get theirs
        by an invitation only. LABEL_STUDIO_USERNAME and LABEL_STUDIO_PASSWORD, where they are set, are the first.
    """
    closed = has_account(data) or "LABEL_STUDIO_USERNAME" in os.environ
    return (
        os.environ
        | QUIET
        | {
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": str(closed).lower(),
            "LABEL_STUDIO_BASE_DATA_DIR": str(data.resolve()),
            "DJANGO_DB": "sqlite",
        }
    )


def has_account(data: Path) -> bool:
    """Tell whether somebody has an account already; before that, nobody could invite anybody."""
    database = data.resolve() / "label_studio.sqlite3"
    if not database.exists():
        return False
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT 1 FROM htx_user LIMIT 1").fetchone() is not None
        except sqlite3.OperationalError:  # ended before its tables were made
            return False
