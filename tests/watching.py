"""Findings, and what is made of them, for tests of the watch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Table, select

from production.database.engine import reading, writing
from production.database.schema import MODEL_VERSIONS
from production.watch.chain import append
from production.watch.channels import Channels
from production.watch.consequences import Consequences, follow
from production.watch.finding import Finding
from production.watch.params import TriggerParams, WatchParams, load_params
from tests.repository import ROOT

START = datetime(2026, 11, 2, tzinfo=UTC)
CHANNELS = Channels(("ops", "chat"), issue=True, trigger=True)
TRIGGER = TriggerParams(kind="github", event="retrain", url="", dag="retrain", words=[], seconds=5.0)
PARAMS = load_params(ROOT / "params.yaml").model_copy(
    update={
        "cooldown_days": 14.0,
        "retraining_days": 30.0,
        "remind_days": 7.0,
        "issues": True,
        "trigger": TRIGGER,
        "send_seconds": 20.0,
        "retry_seconds": 60.0,
        "longest_retry_seconds": 3600.0,
        "give_up_attempts": 5,
        "poll_seconds": 0.05,
    }
)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def finding(decision: str, at: float = 0, topic: str = "drift", **changes: Any) -> Finding:
    given: dict[str, Any] = {
        "topic": topic,
        "decision": decision,
        "reasons": ("tokens deviates by 6.1% (80% interval 5.2 to 7.0, noise 1.1%)",),
        "model_version": "3",
        "period": f"week-{at:g}",
        "since": day(at - 7),
        "until": day(at),
        "acts": True,
        "figures": {"notes": 812},
    }
    return Finding(**{**given, **changes})


def decide(
    engine: Engine,
    decision: str,
    at: float = 0,
    params: WatchParams = PARAMS,
    channels: Channels = CHANNELS,
    **changes: Any,
) -> Consequences:
    """Write a finding and what follows, as the watch does: in one transaction."""
    found = finding(decision, at, **changes)
    with writing(engine) as connection:
        number = append(
            connection, "window", {"topic": found.topic, "decision": decision, "period": found.period}, day(at)
        )
        return follow(connection, found, number, day(at), params, channels)


def rows(engine: Engine, table: Table, *columns: str) -> list[Any]:
    """Return the rows of a table in the order of its key, or some columns of them."""
    query = select(*(table.c[name] for name in columns)) if columns else select(table)
    with reading(engine) as connection:
        return list(connection.execute(query.order_by(*table.primary_key.columns)).all())


def champion(engine: Engine, version: str, since: datetime) -> None:
    row = {"model_version": version, "digest": "0" * 32, "labels": [], "first_seen": since, "champion_since": since}
    with writing(engine) as connection:
        connection.execute(MODEL_VERSIONS.insert(), row)
