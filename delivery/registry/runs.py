"""Where the tracking server shows the run of a commit."""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

from delivery.errors import DeliveryError
from delivery.registry.server import EXPERIMENT, connect
from delivery.revision.revision import Revision, commit_of

COMMIT_TAG = "mlflow.source.git.commit"
"""MLflow's own name for the commit of a run."""


def run_url(revision: Revision) -> str | None:
    """Find the run of a revision on the server that `MLFLOW_TRACKING_URI` names.

    Returns
    -------
    str or None
        None without such a server (a file has no address), and where it has no run of that commit.

    Raises
    ------
    DeliveryError
        When the server does not answer. The message has no address: it may hold a password.
    """
    server = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", ""))
    commit = commit_of(revision)
    if server.scheme not in ("http", "https") or commit is None:
        return None
    try:
        client = connect(revision.root)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            return None
        runs = client.search_runs([experiment.experiment_id], f"tags.`{COMMIT_TAG}` = '{commit}'", max_results=1)
    except Exception as error:  # whatever the client raises: a report does without the link
        raise DeliveryError(f"the tracking server does not answer ({type(error).__name__})") from error
    if not runs:
        return None
    host = server.netloc.rsplit("@", 1)[-1]
    page = f"/experiments/{experiment.experiment_id}/runs/{runs[0].info.run_id}"
    return urlunsplit((server.scheme, host, f"{server.path.rstrip('/')}/", "", page))
