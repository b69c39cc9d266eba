"""The table of runs as this project offers it: F1 with its interval as columns, beside data set and duration.

MLflow's page begins without any metric. What its button "share" keeps is a tag of the experiment; `VIEW` is such a
tag, and opens by its key in the page's address: `make mlflow` prints it.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING

from delivery.registry.run_metrics import COLUMNS

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "behealthy"
VIEW = f"mlflow.sharedViewState.{KEY}"

_ATTRIBUTES = ("Duration", "Dataset")


def offer_view(client: MlflowClient, experiment: str) -> None:
    """Keep the view with an experiment; where it is kept already, nothing is written."""
    if client.get_experiment(experiment).tags.get(VIEW) != state():
        client.set_experiment_tag(experiment, VIEW, state())


def state() -> str:
    """Return the view as MLflow 3 packs it."""
    columns = [f"attributes.`{name}`" for name in _ATTRIBUTES]
    columns += [f"metrics.`{name}`" for name in COLUMNS]
    view = {
        "selectedColumns": columns,
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "viewMaximized": False,
        "runListHidden": False,
    }
    return "deflate;" + base64.b64encode(zlib.compress(json.dumps(view).encode())).decode()
