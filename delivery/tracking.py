"""One run per commit on the tracking server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.revisions import Revision
from delivery.server import EXPERIMENT

if TYPE_CHECKING:
    from mlflow import MlflowClient


def track(revision: Revision, *, client: MlflowClient) -> str:
    """Return the run of a commit, made where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        experiment = client.create_experiment(EXPERIMENT)
    except MlflowException:
        known = client.get_experiment_by_name(EXPERIMENT)
        if known is None:
            raise
        experiment = known.experiment_id
    found = client.search_runs([experiment], f"tags.`git.sha` = '{revision.sha}'", order_by=["start_time ASC"])
    if found:
        return str(found[0].info.run_id)
    run = client.create_run(experiment, tags={"git.sha": str(revision.sha)}, run_name=revision.name).info.run_id
    for key, value in revision.params().items():
        client.log_param(run, key, value)
    for key, value in revision.metrics().items():
        if isinstance(value, int | float):
            client.log_metric(run, key, float(value))
    client.set_terminated(run)
    return str(run)
