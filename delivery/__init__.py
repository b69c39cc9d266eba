"""What happens to a finished graph: tracked, reported, registered, promoted, rolled back.

Everything with side effects on servers lives here; stages stay pure. The commands (`python -m delivery.<command>`)
stand in the corridor; what they use stands behind five doors, and no door leads back up:

commands → `rendering`, `registry` → `changes` → `revision`, `github` → `errors`

================  ====================================================================================================
`track`           DVC's experiments and commits with results, as runs of MLflow; `compare` and `overview` rank and list
`report`          what a change did, as Markdown; `comment` says it on the pull request
`register`        a version of the model; `promote`, `rollback` and `lineage` follow it
`reproduce`       one step of a workflow, as `push`, `results`, `publish`, `propose`, `dispatch` and `act` are
`merge`           two branches that both added batches; `repair` mends what a DVC that died left half-written
================  ====================================================================================================
"""

import os

# Before MLflow is imported anywhere: nothing is sent about who uses what.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
