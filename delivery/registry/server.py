"""The tracking server and model registry: where it is, and one client of it.

`MLFLOW_TRACKING_URI` names a server; without it, it is the SQLite file `mlflow.db` at the root of the
repository. Nothing else in this room reads that variable.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.errors import DeliveryError
from delivery.revision.site_cache import use
from stages.common.command import is_unread
from stages.common.errors import BeHealthyError
from stages.common.locks import locked

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "behealthy"
MODEL = "behealthy-extractor"
"""Name of the registered model; its aliases are `challenger` and `champion`."""


def tracking_uri(root: Path = Path()) -> str:
    """Return the address of the tracking server: the environment's, or the file at the root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root / 'mlflow.db').resolve()}"


@contextmanager
def server_session() -> Iterator[None]:
    """Let a command talk to the server within the block; what the server refuses becomes an error of this room.

    Raises
    ------
    DeliveryError
        When the server did not do what was asked of it.
    """
    use()
    try:
        yield
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
    return locked(file, "opening the file of the runs") if file else nullcontext()


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite address, None for any other server."""
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None


def shown(uri: str) -> str:
    """Return an address without its password."""
    return re.sub(r"//[^/@]*@", "//", uri)
