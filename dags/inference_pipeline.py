"""Notes that arrive get their mentions: each exactly one result of the champion, or a row of the quarantine.

**Does**: `encode_data`: files in data/production/arriving become notes of the database. `input_features_check`: are
they as the pipeline takes them? `load_model`: the champion is fetched, checked and started once.
`prediction_col_check`: the worker takes every note that waits, checks each prediction, and writes.

**Runs** every hour. A note that is known changes nothing; a run that was missed is made up for by the next one.

**Needs** the connection `behealthy`, a database (`python -m production.database build`), a champion in MLflow.

**Red** holds nothing up: notes that are as they should be have their results. `encode_data`, `input_features_check`,
`prediction_col_check`: some notes are set aside; `python -m production.database quarantine` says which and why.
`load_model`: no champion, or its files are not those of the registry. The rest: docs/runbook.md, section
inference_pipeline.
"""

from __future__ import annotations

from airflow.sdk import chain
from settings import NOTES, pipeline, step

with pipeline("inference_pipeline", "0 * * * *", __doc__) as dag:
    encode_data = step(
        *("encode_data", "production.notes", "add", NOTES, "--settled", "5"),
        doc="Files become notes of the database; one that somebody still writes waits for the next run.",
    )
    input_features_check = step(
        "input_features_check",
        "production.check",
        trigger_rule="all_done",
        doc="The suite `inference` of Great Expectations on all that waits; the worker asks the same of each note.",
    )
    load_model = step(
        "load_model",
        *("production.infer", "--load-only"),
        trigger_rule="all_done",
        doc="The champion lies beside the database, whole, and starts.",
    )
    prediction_col_check = step(
        "prediction_col_check",
        "production.infer",
        doc="Results, each checked before it is written, in one transaction.",
    )
    summary = step("summary", "production.database", "status", doc="What the database holds; red where a step was.")
    chain(encode_data, input_features_check, load_model, prediction_col_check)
    [encode_data, input_features_check, prediction_col_check] >> summary
