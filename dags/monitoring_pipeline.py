"""What was served is held against what was learned from and what was served before, and what follows is started.

**Does**: `read_log`: the serving log as files. `drift_report`: every window that is over is judged once, with a page
in reports/drift of each that alerts. `decision`: the log of decisions is whole. `trigger`: what was decided is
sent: alerts, and the start of a retraining. Then it wakes the data pipeline. `rolled_up`: what the dashboard shows.

**Runs** every day at 01:00 UTC. A window is judged once, however often this runs.

**Needs** the connection `behealthy`, with BEHEALTHY_ALERTS in it, and `watch.trigger` in params.yaml.

**Red**: `drift_report`: a decision is unknown, which is no all-clear, or no champion has looked at a note yet.
`decision`: somebody changed the log of decisions: docs/runbook.md says what then. `trigger`: a message was not taken,
and is tried again by the next run. The rest: docs/runbook.md, section monitoring_pipeline.
"""

from __future__ import annotations

from airflow.sdk import chain
from settings import DECISION, SERVING_LOG, pipeline, step

with pipeline("monitoring_pipeline", "0 1 * * *", __doc__) as dag:
    read_log = step("read_log", "production.log", "export", "--to", SERVING_LOG, doc="What was served, by month.")
    drift_report = step(
        "drift_report", "production.watch", "run", "--report", "reports/drift", doc="Every window that is over, once."
    )
    decision = step("decision", "production.decisions", "verify", doc="Nobody changed what was decided.")
    trigger = step(
        "trigger", "production.watch", "send", outlets=[DECISION], refused=None, doc="Alerts, and what is started."
    )
    rolled_up = step("rolled_up", "production.rollup", trigger_rule="all_done", doc="What the dashboard shows.")
    chain(read_log, drift_report, decision, trigger)
    drift_report >> rolled_up
