"""New notes and annotations become the prepared, checked data that the next model learns from.

**Does**: queues what came for the reviewers; puts what they reviewed into the inbox; adds every batch that waits there
to the annotations; cleans and splits them (`prepare`), and holds them against the gate (`validate`).
Then it wakes the training pipeline.

**Runs** when the watch has decided something, and every day at 02:00 UTC. Each step asks the database or DVC what is
undone: without anything new, nothing is changed.

**Needs** the connection `behealthy`; DVC's storage where data is not here.

**Red**: `new_notes`: no champion has looked at a note yet (run the inference pipeline). `new_annotations`: a batch is
refused; the log names file, line and remedy: mend the export in data/production/inbox, clear the task.
`validation_check`: the gate refuses the data; reports/data_docs has the pages. The rest: docs/runbook.md, section
data_pipeline.
"""

from __future__ import annotations

from airflow.sdk import chain
from settings import ANNOTATIONS, DECISION, INBOX, REVIEWED_NOTES, Command, pipeline, step, woken

with pipeline("data_pipeline", woken(DECISION, "0 2 * * *"), __doc__) as dag:
    step("new_notes", "production.review", "plan", doc="Which of the notes that came do people look at?")
    reviewed_notes = step(
        "reviewed_notes",
        *("production.review", "export", "--inbox", INBOX, "--at-least", str(REVIEWED_NOTES)),
        doc="What people reviewed and no batch has, as an export in the inbox.",
    )
    new_annotations = step(
        "new_annotations", "annotation.inbox", INBOX, doc="Each export in the inbox is added or refused, never half."
    )
    versioned = Command(
        task_id="versioned", words=("dvc", "add", "--quiet", "data/annotations"), doc_md="DVC knows the batches."
    )
    cleaned = step("cleaned", "delivery.reproduce", "prepare", doc="Documents, tokens and mentions, split by content.")
    validation_check = step("validation_check", "delivery.reproduce", "validate", doc="The gate: may they be learned?")
    prepared = step(
        "prepared",
        *("delivery.push", "data/annotations.dvc", "prepare"),
        doc="The prepared data is in the storage; whoever learns from it is woken.",
        outlets=[ANNOTATIONS],
    )
    chain(reviewed_notes, new_annotations, versioned, cleaned, validation_check, prepared)
