"""Channels for real: mail, webhooks, GitHub, Airflow, a command; with secrets and doubles, on the loopback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from delivery.github.client import GitHub
from production.database.engine import reading, writing
from production.database.review_tables import REVIEW_PLANS, REVIEW_TASKS, REVIEWS
from production.database.schema import METADATA
from production.database.watch_tables import OUTBOX
from production.notes.records import Incoming
from production.notes.storing import add
from production.watch import notifying
from production.watch.channels import Channels, addresses, load_channels
from production.watch.checking import check_channels
from production.watch.claiming import undelivered
from production.watch.deliver import Request, deliver, deliver_apart
from production.watch.faults import NotDeliveredError
from production.watch.issues import LABEL, post_issue
from production.watch.params import TriggerParams, WatchParams
from production.watch.sending import Sent, send_due
from production.watch.starting import Way, run_once, start
from stages.common.errors import BeHealthyError
from stages.common.variables import AIRFLOW_PASSWORD, AIRFLOW_TOKEN, AIRFLOW_USER, ALERTS, TRIGGER_ID
from tests.github_server import FakeGitHub, Fault, github
from tests.production import worker
from tests.receivers import airflow, mail, serving, webhook
from tests.repository import ROOT
from tests.watching import PARAMS, TRIGGER, day, decide, rows

ID = "0123456789abcdef" * 4
CONTENT = {
    "title": "BeHealthy: drift: redevelop",
    "text": "What: drift\nMessage",
    "topic": "drift",
    "purpose": "opened",
}
STARTS = {"reason": "drift: retrain", "decision": {"number": 7, "hash": "a" * 64}, "purpose": "start", "topic": "drift"}
SECRET = "hunter2-secret"
CANARY = "xylocanaryosis"


def request(
    channel: str, content: dict[str, Any] = CONTENT, trigger: TriggerParams = TRIGGER, folder: Any = "."
) -> Request:
    return Request(channel, ID, content, trigger.model_dump(), str(folder))


def trigger(kind: str, **changes: Any) -> TriggerParams:
    return TriggerParams.model_validate({**TRIGGER.model_dump(), "kind": kind, **changes})


def way(made: TriggerParams) -> Way:
    return Way(**made.model_dump())


def with_trigger(made: TriggerParams, **changes: Any) -> WatchParams:
    return PARAMS.model_copy(update={"trigger": made, **changes})


# ---- addresses ------------------------------------------------------------------------------------


def test_addresses_have_names() -> None:
    given = {ALERTS: "ops=mailtos://user:pass@host?to=a@b.example\n chat=slack://a/b/c?x=y"}
    assert addresses(given) == {"ops": "mailtos://user:pass@host?to=a@b.example", "chat": "slack://a/b/c?x=y"}
    assert addresses({}) == {}
    assert load_channels(PARAMS, given) == Channels(("ops", "chat"), issue=True, trigger=True)
    assert load_channels(with_trigger(trigger("none"), issues=False), {}) == Channels()
    assert load_channels(PARAMS, given).telling == ("ops", "chat", "issue")


@pytest.mark.parametrize(
    "given",
    [
        f"json://u:{SECRET}@host", f"Ops=json://{SECRET}", f"ops={SECRET}", f"trigger=json://{SECRET}", f"issue=json://{SECRET}",
        f"ops=json://localhost ops=json://{SECRET}", f"=json://{SECRET}",
    ],
)  # fmt: skip
def test_what_is_no_address_is_said_without_it(given: str) -> None:
    with pytest.raises(BeHealthyError, match=ALERTS) as refused:
        addresses({ALERTS: given})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"nothing://{SECRET}", "none that apprise knows"),
        (f"slack://{SECRET}", "none that apprise knows"),
        (f"mailtos://{SECRET}?to=%%%", "none that apprise knows"),
        (f"json://user:{SECRET}@hooks.example", "in the clear"),
        (f"mailto://user:{SECRET}@clinic.example", "in the clear"),
        (f"mailtos://user:{SECRET}@clinic.example?mode=insecure", "in the clear"),
        (f"ntfy://user:{SECRET}@ntfy.clinic.example/topic", "in the clear"),
    ],
)
def test_addresses_are_checked_without_sending(url: str, why: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BeHealthyError, match=why) as refused:
        check_channels(with_trigger(trigger("none"), issues=False), {ALERTS: f"ops={url}"})
    assert SECRET not in str(refused.value)
    assert capfd.readouterr().err == ""


def test_addresses_that_can_be_used() -> None:
    urls = (
        "jsons://u:p@hooks.example/x?verify=no&redirect=yes", "mailtos://u:p@clinic.example?to=a@clinic.example",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "json://localhost/x", "workflows://h.example:443/WFID/SIGN",
    )  # fmt: skip
    given = {ALERTS: " ".join(f"a{place}={url}" for place, url in enumerate(urls))}
    check_channels(with_trigger(trigger("none"), issues=False), given)


def test_certificates_are_verified_and_redirections_not_followed() -> None:
    from production.watch.notifying import plugin_of

    plugin = plugin_of("ops", "jsons://u:p@hooks.example/x?verify=no&redirect=yes&rto=900&retry=3")
    assert (plugin.verify_certificate, plugin.redirects, plugin.retry) == (True, False, 0)
    assert plugin.request_timeout == (10.0, 10.0)


def test_what_else_channels_need_is_named() -> None:
    for params, needed in (
        (with_trigger(trigger("none")), "GITHUB_TOKEN and GITHUB_REPOSITORY"),
        (with_trigger(trigger("github"), issues=False), "GITHUB_TOKEN and GITHUB_REPOSITORY"),
        (
            with_trigger(trigger("airflow", url="https://a.example"), issues=False),
            f"{AIRFLOW_USER} and {AIRFLOW_PASSWORD}",
        ),
    ):
        with pytest.raises(BeHealthyError, match=needed):
            check_channels(params, {})
    check_channels(with_trigger(trigger("airflow", url="https://a.example"), issues=False), {AIRFLOW_TOKEN: "t"})


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "airflow"}, {"kind": "airflow", "url": "http://airflow.example"}, {"url": "https://u:p@a.example"},
        {"url": "https://a.example?token=x"}, {"url": "ftp://a.example"}, {"kind": "command"},
        {"event": "a b"}, {"kind": "x"},
    ],
)  # fmt: skip
def test_triggers_that_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        TriggerParams.model_validate({**TRIGGER.model_dump(), **changes})


# ---- alerts ---------------------------------------------------------------------------------------


def test_a_webhook_has_the_id_in_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as hook:
        monkeypatch.setenv(ALERTS, f"ops={hook.url(SECRET)}")
        assert deliver(request("ops")) is None
        message_id, body = hook.received[0]
    assert message_id == ID
    assert (body["title"], body["message"]) == (CONTENT["title"], CONTENT["text"])


@pytest.mark.parametrize("kind", ["xml", "form"])
def test_other_webhooks_have_it_too(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    with webhook() as hook:
        monkeypatch.setenv(ALERTS, f"ops={kind}://127.0.0.1:{hook.port}/hook")
        assert deliver(request("ops")) is None
    assert [message_id for message_id, _ in hook.received] == [ID]


def test_of_an_unforeseen_error_only_the_kind_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"{CANARY} json://user:{SECRET}@host")

    monkeypatch.setattr(notifying, "plugin_of", fail)
    monkeypatch.setenv(ALERTS, "ops=json://localhost")
    assert deliver(request("ops")) == "unforeseen RuntimeError"


def test_a_mail_has_the_id_in_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail() as server:
        monkeypatch.setenv(ALERTS, f"ops={server.url}")
        assert deliver(request("ops")) is None
    assert server.received[0]["Idempotency-Key"] == ID
    assert server.received[0]["Subject"] == CONTENT["title"]
    assert "What: drift" in server.received[0].as_string()


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 503])
def test_what_a_webhook_refuses_is_a_fault_without_its_words(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    with webhook(status=status, answers=CANARY, headers={"Location": "http://127.0.0.1:9/"}) as hook:
        monkeypatch.setenv(ALERTS, f"ops={hook.url(SECRET)}")
        assert deliver(request("ops")) == "json: not delivered"


def test_an_address_that_is_gone_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALERTS, "chat=json://localhost/x")
    assert deliver(request("ops")) == f"{ALERTS} has no address of this name"


def test_a_webhook_that_hangs_is_killed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook(seconds=60) as hook:
        monkeypatch.setenv(ALERTS, f"ops={hook.url()}")
        begin = time.monotonic()
        assert deliver_apart(request("ops"), 2.0, threading.Event()) == "no answer within 2 s"
    assert time.monotonic() - begin < 9  # the socket would wait ten seconds


def test_who_sends_ends_in_time_also_when_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook(seconds=60) as hook:
        monkeypatch.setenv(ALERTS, f"ops={hook.url()}")
        given = {**request("ops").__dict__, "until": time.time() + 2}
        process = subprocess.Popen([sys.executable, "-m", "production.watch.deliver"], stdin=subprocess.PIPE, cwd=ROOT)
        process.communicate(json.dumps(given).encode(), timeout=9)
    assert process.returncode == -signal.SIGALRM


# ---- issues ---------------------------------------------------------------------------------------


def client(state: FakeGitHub) -> GitHub:
    values = state.environment()
    return GitHub(values["GITHUB_API_URL"], values["GITHUB_REPOSITORY"], values["GITHUB_TOKEN"], wait=lambda _: None)


def test_one_issue_a_topic_is_opened_updated_and_closed() -> None:
    with github() as state:
        post_issue("drift", "first", "What: a\n- `x` <b>", over=False, github=client(state))
        post_issue("promise", "other", "What: b", over=False, github=client(state))
        post_issue("drift", "worse", "What: c", over=False, github=client(state))
        assert [(one["title"], one["state"]) for one in state.issues] == [("worse", "open"), ("other", "open")]
        assert state.issues[0]["body"].startswith(f"<!-- {LABEL}: drift -->\n\n**worse**\n\n```text\nWhat: c\n```")
        post_issue("drift", "over", "Nothing", over=True, github=client(state))
        assert [one["state"] for one in state.issues] == ["closed", "open"]
        post_issue("drift", "over", "Nothing", over=True, github=client(state))
        post_issue("drift", "again", "What: d", over=False, github=client(state))
        assert [one["state"] for one in state.issues] == ["closed", "open", "open"]


def test_an_issue_whose_answer_was_lost_is_not_opened_twice() -> None:
    with github() as state:
        state.faults = [Fault("POST", 502, done=True)]
        post_issue("drift", "first", "What", over=False, github=client(state))
        assert len(state.issues) == 1


def test_what_github_refuses_is_a_fault_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with github() as state:
        for name, value in state.environment("ghs_a-fork").items():
            monkeypatch.setenv(name, value)
        assert deliver(request("issue")) == "GitHub: RefusedError with 403"
        monkeypatch.delenv("GITHUB_TOKEN")
        assert deliver(request("issue")) == "GitHub: DeliveryError"


# ---- triggers -------------------------------------------------------------------------------------


def test_a_dispatch_carries_id_and_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with github() as state:
        for name, value in state.environment().items():
            monkeypatch.setenv(name, value)
        assert deliver(request("trigger", STARTS)) is None
        payload = {"id": ID, "reason": "drift: retrain", "decision": 7}
        assert state.dispatches == [{"event_type": "retrain", "client_payload": payload}]
        state.faults = [Fault("POST", 502)]
        assert deliver(request("trigger", STARTS)) == "GitHub: LostAnswerError"


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AIRFLOW_USER, "watch")
    monkeypatch.setenv(AIRFLOW_PASSWORD, "hunter2")
    monkeypatch.delenv(AIRFLOW_TOKEN, raising=False)


@pytest.mark.usefixtures("user")
def test_airflow_makes_one_run_of_an_id() -> None:
    with airflow(lose=1) as server:
        asked = request("trigger", STARTS, trigger("airflow", url=server.url))
        assert deliver(asked) == "Airflow answered 502"  # made, and the answer was lost
        assert deliver(asked) is None  # 409: it is there
        assert list(server.runs) == [ID]
        assert server.runs[ID]["conf"] == {"id": ID, "reason": "drift: retrain", "decision": 7}
        assert server.requests[-1] == f"GET /api/v2/dags/retrain/dagRuns/{ID}"


def test_airflow_takes_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv(AIRFLOW_TOKEN, "a-token")
    with airflow() as server:
        assert deliver(request("trigger", STARTS, trigger("airflow", url=server.url))) is None
        assert server.requests == ["POST /api/v2/dags/retrain/dagRuns"]
        monkeypatch.setenv(AIRFLOW_TOKEN, "an-old-one")
        assert deliver(request("trigger", STARTS, trigger("airflow", url=server.url))) == "Airflow answered 401"


@pytest.mark.usefixtures("user")
def test_what_airflow_refuses_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with airflow() as server:
        wrong = trigger("airflow", url=server.url, dag="another")
        assert deliver(request("trigger", STARTS, wrong)) == "Airflow answered 404"
        monkeypatch.setenv(AIRFLOW_PASSWORD, SECRET)
        right = trigger("airflow", url=server.url)
        assert deliver(request("trigger", STARTS, right)) == "Airflow gave no token: 401"
    assert deliver(request("trigger", STARTS, right)) == "Airflow: ConnectionError"


@pytest.mark.usefixtures("user")
def test_no_secret_is_sent_to_another_host() -> None:
    seen: list[str] = []

    def other(method: str, path: str, headers: Any, body: bytes) -> Any:
        seen.append(path)
        return 200, {"access_token": "x"}, {}

    with serving(other) as port, airflow(away=f"http://localhost:{port}/") as server:
        assert deliver(request("trigger", STARTS, trigger("airflow", url=server.url))) == "Airflow gave no token: 302"
    assert seen == []


@pytest.mark.usefixtures("user")
def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    def endless(method: str, path: str, headers: Any, body: bytes) -> Any:
        return 201, {"access_token": "x" * 50_000_000}, {}

    with serving(endless) as port:
        made = trigger("airflow", url=f"http://127.0.0.1:{port}")
        assert deliver(request("trigger", STARTS, made)) == "Airflow gave no token: 201"


def python(code: str, seconds: float = 20.0) -> TriggerParams:
    return trigger("command", words=[sys.executable, "-c", code], seconds=seconds)


def test_a_command_has_the_id_and_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALERTS, f"ops=json://{SECRET}")
    said = f"os.environ['{TRIGGER_ID}'] + os.environ.get('{ALERTS}', '-')"
    code = f"import os; open({str(tmp_path / 'ran')!r}, 'a').write({said})"
    for _ in range(3):
        start(way(python(code)), ID, STARTS, tmp_path)
    assert (tmp_path / "ran").read_text() == f"{ID}-"
    start(way(python(code)), "f" * 64, STARTS, tmp_path)
    assert (tmp_path / "ran").read_text() == f"{ID}-{'f' * 64}-"


def test_of_a_command_only_its_exit_code_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    asked = request("trigger", STARTS, python(f"import sys; print('{CANARY}'); sys.exit('{CANARY}')"), tmp_path)
    assert deliver(asked) == "the command ended with 1"
    assert CANARY not in "".join(capfd.readouterr())
    missing = trigger("command", words=[f"/nowhere/{SECRET}"])
    assert deliver(request("trigger", STARTS, missing, tmp_path)) == "the command does not start: FileNotFoundError"
    slow = python("import time; time.sleep(60)", 0.5)
    assert deliver(request("trigger", STARTS, slow, tmp_path)) == "the command took longer than 0.5 s"


def test_never_two_commands_at_once_also_when_the_sender_was_killed(tmp_path: Path) -> None:
    code = f"import pathlib, time; pathlib.Path({str(tmp_path / 'begun')!r}).touch(); time.sleep(4)"
    given = {**request("trigger", STARTS, python(code), tmp_path).__dict__, "until": time.time() + 60}
    process = subprocess.Popen([sys.executable, "-m", "production.watch.deliver"], stdin=subprocess.PIPE, cwd=ROOT)
    assert process.stdin
    process.stdin.write(json.dumps(given).encode())
    process.stdin.close()
    limit = time.monotonic() + 30
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < limit
        time.sleep(0.02)
    process.kill()
    process.wait()
    with pytest.raises(NotDeliveredError, match="still running"):
        run_once(way(python("pass")), "f" * 64, tmp_path)
    while time.monotonic() < limit:
        try:
            run_once(way(python("pass")), "f" * 64, tmp_path)
            return
        except NotDeliveredError:
            time.sleep(0.1)
    raise AssertionError("the lock was not released when the command ended")


def test_who_is_asked_to_end_waits_for_no_command(tmp_path: Path) -> None:
    stopping = threading.Event()
    stopping.set()
    asked = request("trigger", STARTS, python("import time; time.sleep(3)"), tmp_path)
    assert deliver_apart(asked, 60, stopping) == "the sender ended while the command was running"


# ---- all of it ------------------------------------------------------------------------------------


def everything(engine: Engine) -> str:
    with reading(engine) as connection:
        return "".join(
            str(list(connection.execute(table.select())))
            for table in METADATA.tables.values()
            if table.name not in ("notes", "note_texts")
        )


def reviewed(engine: Engine) -> None:
    """Have a note with an unusual word looked at by somebody."""
    add(engine, [Incoming("001", f"{CANARY} and gout.", {})], "s")
    worker(engine).run()
    with writing(engine) as connection:
        key = connection.execute(METADATA.tables["results"].select()).mappings().one()
        plan = {
            "plan_id": 1,
            "model_version": "1",
            "since": day(0),
            "until": day(7),
            "planned_at": day(0),
            "minutes": 9.0,
            "strata": {},
        }
        connection.execute(REVIEW_PLANS.insert(), plan)
        task = {name: key[name] for name in ("note_id", "text_hash", "model_version")}
        task |= {
            "task_id": 1,
            "stream": "audit",
            "place": 1,
            "stratum": "silent",
            "probability": 1.0,
            "plan_id": 1,
            "seconds": 9.0,
        }
        connection.execute(REVIEW_TASKS.insert(), {**task, "reviewer": "r-7", "claimed_at": None, "done_at": None})
        connection.execute(REVIEWS.insert(), {"task_id": 1, "reviewer": "r-7", "at": day(1), "seconds": 5.0})


def test_no_word_of_a_note_no_reviewer_and_no_secret_is_told_anywhere(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reviewed(engine)
    channels = Channels(("ops", "hook", "bad", "gone"), issue=True, trigger=True)
    with mail() as server, webhook() as hook, webhook(status=500, answers=CANARY + SECRET) as bad, github() as state:
        given = {
            "ops": server.url,
            "hook": hook.url(SECRET),
            "bad": bad.url(SECRET),
            "gone": f"json://u:{SECRET}@localhost:9",
        }
        monkeypatch.setenv(ALERTS, " ".join(f"{name}={url}" for name, url in given.items()))
        for name, value in state.environment().items():
            monkeypatch.setenv(name, value)
        decide(engine, "retrain_and_alert", 0, channels=channels)
        sent = send_due(engine, PARAMS, channels, lambda: day(0))
        told = str([state.issues, state.dispatches, hook.received, [post.as_string() for post in server.received]])
    assert sent == Sent(4, 2)
    assert len(hook.received) == len(server.received) == len(state.issues) == len(state.dispatches) == 1
    kept = everything(engine)
    assert {(one.channel, one.fault) for one in undelivered(engine, day(0), PARAMS)} == {
        ("bad", "json: not delivered"), ("gone", "json: not delivered"),
    }  # fmt: skip
    printed = "".join(capfd.readouterr())
    for secret in (CANARY, SECRET, state.environment()["GITHUB_TOKEN"], "127.0.0.1", "localhost"):
        assert secret not in kept + printed
        assert secret not in told.replace("127.0.0.1", "") or secret == "localhost"
    assert "r-7" not in told + printed
    ids = {row.message_id for row in rows(engine, OUTBOX)}
    assert set(hook.kept) | {post["Idempotency-Key"] for post in server.received} <= ids
