"""What follows from a finding: a retraining or why not, an alert that opens, comes again and is over, and messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, select

from production.database.engine import reading, writing
from production.database.watch_tables import ALERTS, DECISIONS, OUTBOX
from production.watch.chain import Link, verify
from production.watch.channels import Channels
from production.watch.consequences import Consequences, follow
from production.watch.outbox import Envelope
from production.watch.wording import LONGEST_REASON, MOST_REASONS
from stages.monitor.decision import SEVERITIES
from tests.watching import CHANNELS, PARAMS, champion, day, decide, finding, rows


def bodies(engine: Engine, kind: str) -> list[dict[str, Any]]:
    return [json.loads(row.body) for row in rows(engine, DECISIONS) if row.kind == kind]


def messages(engine: Engine, channel: str) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        query = select(OUTBOX.c.body).where(OUTBOX.c.channel == channel).order_by(OUTBOX.c.decided_by)
        return [json.loads(body) for body in connection.scalars(query)]


def purposes(engine: Engine, channel: str = "ops") -> list[str]:
    return [body["purpose"] for body in messages(engine, channel)]


FOLLOWS = {
    "none": set(),
    "too_few_notes": set(),
    "watch": set(),
    "retrain": {"trigger"},
    "retrain_and_alert": {"trigger", "ops", "chat", "issue"},
    "size_uncertain": {"ops", "chat", "issue"},
    "unknown": {"ops", "chat", "issue"},
    "redevelop": {"ops", "chat", "issue"},
}


@pytest.mark.parametrize("decision", SEVERITIES)
def test_what_each_decision_is_told_to(engine: Engine, decision: str) -> None:
    done = decide(engine, decision)
    sent = rows(engine, OUTBOX, "channel", "message_id")
    assert {row.channel for row in sent} == FOLLOWS[decision]
    assert sorted(done.messages) == sorted(row.message_id for row in sent)
    assert (done.trigger is not None) == ("trigger" in FOLLOWS[decision])
    assert (done.alert is not None) == ("ops" in FOLLOWS[decision])


def test_what_does_not_act_starts_nothing(engine: Engine) -> None:
    done = decide(engine, "retrain_and_alert", acts=False)
    assert (done.trigger, done.held) == (None, None)
    assert done.alert


def test_it_is_one_transaction(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), writing(engine) as connection:
        follow(connection, finding("retrain_and_alert"), 0, day(0), PARAMS, CHANNELS)
        raise ZeroDivisionError
    assert not rows(engine, OUTBOX) + rows(engine, ALERTS) + rows(engine, DECISIONS)


def test_the_same_finding_is_followed_once(engine: Engine) -> None:
    first = decide(engine, "retrain_and_alert")
    before = rows(engine, OUTBOX), rows(engine, DECISIONS), rows(engine, ALERTS)
    with writing(engine) as connection:
        again = follow(connection, finding("retrain_and_alert"), 1, day(30), PARAMS, CHANNELS)
    assert again == Consequences(first.trigger, first.held, first.alert, first.over)
    assert (rows(engine, OUTBOX), rows(engine, DECISIONS), rows(engine, ALERTS)) == before


# ---- retraining -----------------------------------------------------------------------------------


def test_no_retraining_within_the_cool_down(engine: Engine) -> None:
    assert decide(engine, "retrain", 0).trigger
    champion(engine, "4", day(2))
    held = decide(engine, "retrain_and_alert", 13.9)
    assert held.trigger is None
    assert "cool-down lasts until 2026-11-16" in bodies(engine, "held")[0]["why"]
    assert "No retraining was started" in messages(engine, "ops")[0]["text"]
    assert decide(engine, "retrain", 14).trigger
    assert len(messages(engine, "trigger")) == 2


def test_no_retraining_while_one_is_not_finished(engine: Engine) -> None:
    champion(engine, "3", day(-5))
    assert decide(engine, "retrain", 0).trigger
    assert decide(engine, "retrain", 20).held
    assert "no new champion yet" in bodies(engine, "held")[0]["why"]
    champion(engine, "4", day(21))
    assert decide(engine, "retrain", 22).trigger


def test_a_retraining_that_nothing_came_of_forbids_no_other_for_ever(engine: Engine) -> None:
    assert decide(engine, "retrain", 0).trigger
    assert decide(engine, "retrain", 29.9).held
    assert decide(engine, "retrain", 30).trigger


def test_what_was_held_prolongs_no_cool_down(engine: Engine) -> None:
    assert decide(engine, "retrain", 0).trigger
    champion(engine, "4", day(1))
    assert decide(engine, "retrain", 13).held
    assert decide(engine, "retrain", 15).trigger


def test_where_nothing_can_be_started_it_says_so(engine: Engine) -> None:
    params = PARAMS.model_copy(update={"trigger": PARAMS.trigger.model_copy(update={"kind": "none"})})
    assert decide(engine, "retrain", params=params).held
    assert bodies(engine, "held")[0]["why"] == "watch.trigger is none"
    assert not rows(engine, OUTBOX)


def test_another_topic_starts_no_second_one(engine: Engine) -> None:
    assert decide(engine, "retrain").trigger
    assert decide(engine, "retrain", topic="promise").held


# ---- alerts ---------------------------------------------------------------------------------------


def test_an_open_alert_comes_again_only_when_it_is_worse_or_late(engine: Engine) -> None:
    for at, decision in ((0, "size_uncertain"), (1, "size_uncertain"), (2, "redevelop"), (3, "size_uncertain")):
        decide(engine, decision, at)
    assert purposes(engine) == ["opened", "worse"]
    decide(engine, "size_uncertain", 8.9)
    assert purposes(engine) == ["opened", "worse"]
    decide(engine, "size_uncertain", 9)
    assert purposes(engine) == ["opened", "worse", "reminder"]
    decide(engine, "redevelop", 9.5)  # it was that bad before
    assert purposes(engine) == ["opened", "worse", "reminder"]
    assert [(row.decision, row.closed_at) for row in rows(engine, ALERTS)] == [("redevelop", None)]


def test_a_later_finding_that_does_not_alert_closes_it(engine: Engine) -> None:
    opened = decide(engine, "unknown", 0)
    done = decide(engine, "watch", 1)
    assert purposes(engine) == ["opened", "over"]
    alert = rows(engine, ALERTS)[0]
    assert (alert.opened_by, alert.closed_by) == (opened.alert, done.over)
    assert bodies(engine, "over")[0]["topic"] == "drift"
    assert "over" in messages(engine, "ops")[1]["title"]
    assert "What to do: Nothing. This is over." in messages(engine, "ops")[1]["text"]
    decide(engine, "none", 2)
    assert purposes(engine) == ["opened", "over"]
    decide(engine, "unknown", 3)
    assert purposes(engine) == ["opened", "over", "opened"]
    assert len(rows(engine, ALERTS)) == 2


@pytest.mark.parametrize("decision", ["too_few_notes", "retrain"])
@pytest.mark.parametrize("opened", ["retrain_and_alert", "size_uncertain", "redevelop"])
def test_a_drift_is_not_over_when_it_cannot_be_told_or_asks_for_less(
    engine: Engine, opened: str, decision: str
) -> None:
    decide(engine, opened, 0)
    decide(engine, decision, 1)
    assert purposes(engine) == ["opened"]
    decide(engine, "watch", 2)
    assert purposes(engine) == ["opened", "over"]


@pytest.mark.parametrize("decision", ["none", "too_few_notes", "watch", "retrain"])
def test_what_was_unknown_is_over_when_it_can_be_judged_again(engine: Engine, decision: str) -> None:
    decide(engine, "unknown", 0)
    decide(engine, decision, 1)
    assert purposes(engine) == ["opened", "over"]


@pytest.mark.parametrize("decision", ["retrain_and_alert", "size_uncertain"])
def test_what_was_unknown_hides_no_drift_that_is_found_then(engine: Engine, decision: str) -> None:
    decide(engine, "unknown", 0)
    decide(engine, decision, 1)
    decide(engine, decision, 2)
    decide(engine, "unknown", 3)
    assert purposes(engine) == ["opened", "changed"]
    assert messages(engine, "ops")[1]["title"].startswith("BeHealthy: now: drift: ")
    decide(engine, "too_few_notes", 4)  # it is a drift by now
    assert purposes(engine) == ["opened", "changed"]
    decide(engine, "none", 5)
    assert purposes(engine) == ["opened", "changed", "over"]


@pytest.mark.parametrize(("opened", "purpose"), [("size_uncertain", "worse"), ("redevelop", "changed")])
def test_a_drift_hides_nothing_that_is_unknown_and_is_not_over_by_it(engine: Engine, opened: str, purpose: str) -> None:
    for at, decision in enumerate((opened, "unknown", "unknown", opened, "too_few_notes")):
        decide(engine, decision, at)
    assert purposes(engine) == ["opened", purpose]


def test_another_model_ends_an_alert_about_the_one_before(engine: Engine) -> None:
    decide(engine, "redevelop", 0)
    decide(engine, "too_few_notes", 1, model_version="4")
    assert purposes(engine) == ["opened", "over"]


def test_an_earlier_finding_closes_nothing(engine: Engine) -> None:
    decide(engine, "none", 0)
    decide(engine, "unknown", 1)
    with writing(engine) as connection:
        follow(connection, finding("none"), 1, day(2), PARAMS, CHANNELS)
    assert purposes(engine) == ["opened"]


def test_topics_are_open_each_for_itself(engine: Engine) -> None:
    decide(engine, "unknown", 0)
    decide(engine, "redevelop", 0, topic="promise")
    decide(engine, "none", 1)
    assert [(row.topic, row.closed_at is None) for row in rows(engine, ALERTS)] == [("drift", False), ("promise", True)]


def test_where_nobody_can_be_told_the_alert_is_open_all_the_same(engine: Engine) -> None:
    assert decide(engine, "redevelop", channels=Channels()).alert
    assert not rows(engine, OUTBOX)
    assert len(rows(engine, ALERTS)) == 1


# ---- messages -------------------------------------------------------------------------------------


def test_the_id_of_a_message_follows_from_decision_channel_and_purpose() -> None:
    link = Link(7, "a" * 64)
    ids = {
        Envelope(decision, channel, purpose, "drift").message_id
        for decision in (link, Link(8, "a" * 64), Link(7, "b" * 64))
        for channel in ("ops", "chat")
        for purpose in ("opened", "over")
    }
    assert len(ids) == 12
    assert Envelope(link, "ops", "opened", "drift").message_id in ids


def test_an_alert_says_what_since_when_how_sure_what_to_do_and_where_to_look(engine: Engine) -> None:
    done = decide(engine, "retrain_and_alert")
    decision = rows(engine, DECISIONS)[(done.alert or 0) - 1]
    body = messages(engine, "ops")[0]
    assert body["title"] == "BeHealthy: drift: retrain and alert"
    text = body["text"]
    for said in (
        "What: drift (do the notes change?)",
        "Since: open since 2026-11-02 00:00 UTC; notes from 2026-10-26 00:00 to 2026-11-02 00:00 UTC",
        "80% interval 5.2 to 7.0",
        "- notes: 812",
        "A retraining was started (decision 2).",
        "docs/runbook.md, section drift",
    ):
        assert said in text
    ends = [row.message_id for row in rows(engine, OUTBOX) if row.channel == "ops"]
    assert text.endswith(f"Decision {done.alert}, hash {decision.hash}\nMessage {ends[0]}")


def test_a_broken_promise_is_told_as_such_whatever_the_topic(engine: Engine) -> None:
    broken = {"notes": 200, "quality": {"verdict": "falls", "audited": True}}
    decide(engine, "retrain_and_alert", figures=broken)
    text = messages(engine, "ops")[0]["text"]
    assert messages(engine, "ops")[0]["title"].endswith("the promise is broken")
    assert "fewer accepted mentions are right than was promised" in text
    assert "python -m delivery.rollback" in text
    assert "docs/runbook.md, section promise" in text
    estimated = {"quality": {"verdict": "falls", "audited": False}}
    decide(engine, "redevelop", topic="learned", figures=estimated)
    other = next(body["text"] for body in messages(engine, "ops") if "What: learned" in body["text"])
    assert "promise" not in other
    assert "redevelop: the notes changed so much that retraining is not enough" in other


def test_a_trigger_carries_its_decision(engine: Engine) -> None:
    done = decide(engine, "retrain")
    body = messages(engine, "trigger")[0]
    assert body["decision"]["number"] == done.trigger
    assert body["reason"].startswith("drift: retrain; tokens deviates")


def test_reasons_are_a_line_each_and_not_too_long(engine: Engine) -> None:
    reasons = ("a\nb\x1b[2J", "x" * 1000, *(f"reason {number}" for number in range(20)))
    decide(engine, "redevelop", reasons=reasons)
    lines = messages(engine, "ops")[0]["text"].splitlines()
    assert "- a b\ufffd[2J" in lines
    assert max(map(len, lines)) <= LONGEST_REASON + 2
    assert f"- and {len(reasons) - MOST_REASONS} more" in lines


def test_of_the_figures_only_numbers_are_told(engine: Engine) -> None:
    figures = {"notes": 5, "slice": "canary", "Dr Canary": 1, "parts": {"canary": 2}, "sure": True, "low": 0.875}
    decide(engine, "redevelop", figures=figures)
    text = messages(engine, "ops")[0]["text"]
    assert "anary" not in text
    assert "- low: 0.875" in text


def test_all_of_it_is_in_the_log(engine: Engine) -> None:
    for at, decision in enumerate(("retrain_and_alert", "none", "redevelop", "too_few_notes", "none")):
        decide(engine, decision, at)
    kinds = [row.kind for row in rows(engine, DECISIONS)]
    assert kinds == ["window", "trigger", "alert", "window", "over", "window", "alert", "window", "window", "over"]
    with reading(engine) as connection:
        assert verify(connection).number is None
