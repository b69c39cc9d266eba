"""What people find in production comes back as training data: notes are served, an audit finds a broken promise, the
watch asks GitHub for a retraining and tells people, the reviewed notes lie in the inbox, and `retrain` opens a pull
request with them. Everything but the model is real; the model finds what is annotated, and words that are not.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select, update

from production.database.engine import writing
from production.database.schema import MODEL_VERSIONS, RESULTS, SERVING_LOG
from production.inference.host import Found, FoundMention
from production.notes.records import Incoming
from production.notes.storing import add
from production.review.claiming import next_task
from production.review.decisions import ACCEPT, REJECT, Decision
from production.review.exporting import BATCH, collect, write_batch
from production.review.handing_in import hand_in
from production.review.params import load_params as load_review_params
from production.review.planning import Drawing, plan
from production.watch.channels import load_channels
from production.watch.params import TriggerParams, load_params
from production.watch.running import Place, watch
from production.watch.sending import send_due
from stages.common.files import write_table
from stages.common.variables import ALERTS, LOG_KEY
from stages.monitor.serving import profile_schema
from tests.github_server import REPOSITORY, TOKEN
from tests.hospital import Hospital, hospital
from tests.production import KEY, PARAMS, FakeHost, empty, sqlite_url, worker
from tests.receivers import webhook
from tests.repository import Repository, write_notes
from tests.served import LABELS, watched
from tests.servers import local_tracking_server

pytestmark = pytest.mark.slow

NOTES = 60


@pytest.fixture(scope="module")
def clinic(light: Repository, workshop: Path) -> Iterator[Hospital]:
    with (
        local_tracking_server(workshop / "watch-mlflow") as tracking,
        hospital(workshop / "watch-servers", light, tracking) as started,
    ):
        yield started


class AnnotatedAndMore(FakeHost):
    """Finds what is annotated, and takes the first word of every note for a disease, too; it is sure of all of it."""

    right: dict[str, list[FoundMention]]

    def extract(self, text: str, seconds: float) -> Found:
        wrong = FoundMention(0, len(text.split(maxsplit=1)[0].rstrip(",")), "Disease", 0.97, True, "present")
        return Found((wrong, *self.right[text]), (), True, 2, len(text.split()), 0.0)


def decisions(task: Any) -> list[Decision]:
    return [Decision(one.kind, one.number, REJECT if one.start == 0 else ACCEPT) for one in task.spans]


def test_what_people_found_becomes_a_pull_request(
    clinic: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notes(tmp_path / "notes.jsonl", NOTES)
    notes = [json.loads(line) for line in (tmp_path / "notes.jsonl").read_text(encoding="utf-8").splitlines()]
    host = AnnotatedAndMore()
    host.right = {
        note["text"]: [
            FoundMention(one["start"], one["end"], one["label"], 0.97, True, "present") for one in note["mentions"]
        ]
        for note in notes
    }
    monkeypatch.setenv(LOG_KEY, KEY)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    monkeypatch.setenv("GITHUB_API_URL", clinic.github.url)

    # a week ago the notes were served
    engine, now = empty(sqlite_url(tmp_path)), datetime.now(UTC)
    add(engine, [Incoming(note["id"], note["text"], {"speciality": "cardiology"}) for note in notes], "ward")
    worker(engine, host, params=PARAMS.model_copy(update={"batch": NOTES})).run()
    monday = (now - timedelta(days=now.weekday(), weeks=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    with writing(engine) as connection:
        connection.execute(update(SERVING_LOG).values(served_at=monday + timedelta(days=2)))
        connection.execute(update(RESULTS).values(created_at=monday + timedelta(days=2)))
        connection.execute(update(MODEL_VERSIONS).values(champion_since=monday))

        rows = list(connection.execute(select(SERVING_LOG.c.row)).scalars())
    profile = tmp_path / "profile.parquet"  # notes like these were learned from
    write_table(profile, pd.DataFrame(rows), profile_schema(LABELS))

    # people read them
    review = load_review_params().model_copy(update={"weekly_minutes": 10_000.0, "double": 0.0})
    assert plan(engine, Drawing(KEY, review, 8.0, ()), now) is not None
    while (task := next_task(engine, "anna", now, review)) is not None:
        hand_in(engine, task.task_id, "anna", decisions(task), 30.0, now)

    # the watch judges the week, and what follows is sent
    trigger = TriggerParams(kind="github", event="retrain", url="", dag="retrain", words=[], seconds=60.0)
    params = load_params().model_copy(update={"trigger": trigger, "issues": True})
    with webhook() as hook:
        monkeypatch.setenv(ALERTS, f"ops={hook.url()}")
        place = Place(engine, params, watched("tokens"), 0.95, load_channels(params), profile)
        later = monday + timedelta(days=7, hours=1)
        [judged] = watch(place, later)
        assert judged.finding.decision == "retrain_and_alert", judged.finding
        assert "an audit finds that quality falls" in " ".join(judged.finding.reasons)
        sent = send_due(engine, params, load_channels(params), partial(datetime.now, UTC), stopping=threading.Event())
    assert sent.failed == 0
    assert len(hook.received) == 1
    assert [issue["title"] for issue in clinic.github.issues]
    (dispatched,) = clinic.github.dispatches
    assert dispatched["event_type"] == "retrain"

    # the reviewed notes lie in the inbox, and the workflow that was asked for makes them a pull request
    write_batch(collect(engine, KEY), tmp_path / "reviewed")
    clinic.variables["ANNOTATION_INBOX"] = "s3://behealthy/inbox"
    clinic.put("inbox/label-studio/reviewed-1.json", (tmp_path / "reviewed" / BATCH).read_bytes())
    event = clinic.push("main", "repository_dispatch")
    event.payload["client_payload"] = dispatched["client_payload"]  # type: ignore[index]
    retrained = clinic.run("retrain.yml", event)
    assert retrained.success, retrained.log
    (pull,) = clinic.github.pulls
    assert "audit finds that quality falls" in pull["body"]
    changed = clinic.origin.git("diff", "--name-only", "main", pull["head"]["ref"]).split()
    assert {"data/annotations.dvc", "dvc.lock"} <= set(changed)
    assert not any(note["text"][20:60] in pull["body"] for note in notes)
