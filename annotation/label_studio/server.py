"""How Label Studio is started: SQLite, loopback, nothing sent anywhere."""

from __future__ import annotations

import os
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
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
}
"""No statistics, no search for updates, no crash reports, no strangers."""


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
        This process's own environment with `QUIET` and the folder. LABEL_STUDIO_USERNAME and
        LABEL_STUDIO_PASSWORD, where they are set, are the first user.
    """
    return os.environ | QUIET | {"LABEL_STUDIO_BASE_DATA_DIR": str(data.resolve()), "DJANGO_DB": "sqlite"}
