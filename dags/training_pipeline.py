"""Annotations become a model: trained, tracked, registered, and promoted where every gate lets it.

**Does**: reproduces the DVC graph (`encode_features`, then `get_trained_model` with its evaluation), keeps the results
in the storage and in git, tracks the run, registers the model as challenger, promotes it. After *redevelop*, or where
the watch could not tell, a person approves first: *Required actions* on the page of the run.

**Runs** when the data pipeline has prepared something, and every day at 03:00 UTC. DVC, git and the registry say what
is undone: without anything new, nothing is trained, judged or asked.

**Needs** the connection `behealthy`, DVC's storage, the right to push to main, MLflow.

**Red**: `promote`: a gate refuses, and the champion stays; the log and the ledger name it. `approve`: nobody answered
within a week, and nothing is promoted. `publish`: main moved on; the next run goes on from there, after `git pull`.
The rest: docs/runbook.md, section training_pipeline.
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import chain
from settings import ANNOTATIONS, APPROVED, BRANCH, COMMIT, DAY, HOUR, NOBODY, pipeline, step, woken

with pipeline("training_pipeline", woken(ANNOTATIONS, "0 3 * * *"), __doc__, timeout=6 * HOUR) as dag:
    encode_features = step(
        "encode_features", "delivery.reproduce", "featurize", doc="Tokens to attributes.", alone=True
    )
    get_trained_model = step("get_trained_model", "delivery.reproduce", doc="Train, evaluate, monitor.", alone=True)
    store = step("store", "delivery.push", doc="What the graph made is in the storage.")
    publish = step(
        "publish", "delivery.publish", "--with-data", "--branch", BRANCH, doc="And its lock in git.", alone=True
    )
    track = step("track", "delivery.track", "--rev", "HEAD", doc="A run of MLflow.")
    register = step("register", "delivery.register", doc="A version, challenger.", do_xcom_push=True)
    asked = ("production.pipelines", "approval", "--rev", COMMIT)
    person_needed = step("person_needed", *asked, skips=[NOBODY], doc="Must a person approve? Else skipped.")
    approve = ApprovalOperator(
        task_id="approve",
        subject="Promote the new model?",
        body="{{ ti.xcom_pull(task_ids='register') }}. The log of person_needed says why a person is asked.",
        response_timeout=7 * DAY,
        execution_timeout=None,
        retries=0,
        do_xcom_push=True,
        doc_md="Rejected: nothing is promoted, and nobody is asked for this version again.",
    )
    answered = EmptyOperator(task_id="answered", trigger_rule="none_failed", doc_md="Approved, or nobody had to.")
    promote = step(
        "promote",
        *("production.pipelines", "promote", "--rev", COMMIT, f"--approved={APPROVED}"),
        doc="Champion, if every gate lets it, and nothing was decided since that asks for a person.",
    )
    why = ("--rev", COMMIT, "--why", "rejected in Airflow, {{ run_id }}")
    decline = step("decline", "delivery.decline", *why, trigger_rule="all_skipped", doc="The ledger has the no.")

    chain(encode_features, get_trained_model, store, publish, track, register)
    chain(register, person_needed, approve, answered, [promote, decline])
