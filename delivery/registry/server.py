"""The tracking server and model registry: where it is, and one client of it.

`MLFLOW_TRACKING_URI` names a server; without it, it is the SQLite file `mlflow.db` at the root of the
repository. Nothing else in this room reads that variable.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.errors import DeliveryError
from delivery.github.job_summary import ends_unread, is_unread
from delivery.revision.locks import locked
from delivery.revision.site_cache import use
from stages.common.command import exit_code
from stages.common.errors import BeHealthyError

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "behealthy"
MODEL = "behealthy-extractor"
"""Name of the registered model; its aliases are `challenger` and `champion`."""


def tracking_uri(root: Path = Path()) -> str:
    """Return the address of the tracking server: the environment's, or the file at the root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root / 'mlflow.db').resolve()}"


def exit_code_of(command: str, work: Callable[[], object]) -> int:
    """Run a command that talks to the server; return 0, or 2 after printing what is wrong and the remedy."""

    def guarded() -> None:
        use()
        try:
            work()
            sys.stdout.flush()
        except BeHealthyError:
            raise
        except Exception as error:
            from mlflow.exceptions import MlflowException  # takes seconds, which an answer without a server need not

            if not isinstance(error, MlflowException | OSError):  # those of requests are OSErrors
                raise
            if isinstance(error, BrokenPipeError) and is_unread():
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            reason = re.sub(r"\?\S+", "?…", reason)  # signed addresses let in whoever reads them
            raise DeliveryError(
                f"{shown(tracking_uri())} did not do it ({reason}): see that the server runs, then run "
                "the command again; it goes on where it was"
            ) from error

    try:
        return exit_code(command, guarded)
    except BrokenPipeError:
        return ends_unread()


def connect(root: Path = Path()) -> MlflowClient:
    """Point MLflow at the server and return a client of it.

    Raises
    ------
    DeliveryError
        When the server does not answer: within seconds, not after minutes of silent retries. (A
        database that is named directly, without a server, is tried for a minute and a half.)
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", str(sys.stderr.isatty()).lower())
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # what is printed is this project's
    import mlflow

    for name in ("alembic", "mlflow", "mlflow.store.db.utils"):  # a page of migrations on a new file; chatter
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns that an environment made by uv has no pip, whose version is nothing to the model.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    uri = tracking_uri(root)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        with _migrating(uri):
            client = mlflow.MlflowClient()
            client.search_experiments(max_results=1)
    except Exception as error:  # of MLflow, of the database, of the driver that is not installed
        raise DeliveryError(
            f"the tracking server {shown(uri)} does not answer ({type(error).__name__}): "
            "start it, correct MLFLOW_TRACKING_URI, or unset it to use the file mlflow.db"
        ) from error
    return client


def _migrating(uri: str) -> AbstractContextManager[None]:
    """Let one process at a time lay out a SQLite file: two at once fail over each other's tables."""
    file = sqlite_file(uri)
    return locked(file.parent, "opening the file of the runs") if file else nullcontext()


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite address, None for any other server."""
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None


def shown(uri: str) -> str:
    """Return an address without its password."""
    return re.sub(r"//[^/@]*@", "//", uri)
