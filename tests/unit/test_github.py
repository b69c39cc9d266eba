"""What the pipeline says on GitHub: one comment, one issue of a kind, one pull request; whatever gets lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import act, comment, propose
from delivery.errors import DeliveryError
from delivery.github.client import ATTEMPTS, GitHub, LostAnswerError, connect
from delivery.github.workflows import dispatch
from tests.github_server import EXPIRED, READ_ONLY, REPOSITORY, TOKEN, FakeGitHub, Fault, github

REPORT = f"{comment.MARKER}\n\n# What moved\n\nNothing.\n"
LOST = [Fault("POST", 502, done=True), Fault("POST", 502), Fault("POST", 0, done=True), Fault("POST", 0)]


@pytest.fixture
def server() -> Iterator[FakeGitHub]:
    with github() as started:
        yield started


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(server: FakeGitHub, waits: list[float]) -> GitHub:
    return GitHub(server.url, REPOSITORY, TOKEN, wait=waits.append)


# ---- the comment ----------------------------------------------------------------------------------


def test_the_comment_is_created_then_updated(server: FakeGitHub, client: GitHub) -> None:
    for number in range(7):
        server.say(1, f"a person's remark {number}", {"login": "ada", "type": "User"})
    address = comment.post(client, 1, REPORT)
    server.say(1, "a later remark")
    assert comment.post(client, 1, REPORT + "more\n") == address
    assert [c["body"] for c in server.comments if c["body"].startswith(comment.MARKER)] == [REPORT + "more\n"]


def test_another_persons_comment_is_left_alone(server: FakeGitHub, client: GitHub) -> None:
    theirs = server.say(1, REPORT, {"login": "mallory", "type": "User"})
    quoting = server.say(1, f"> {REPORT}")
    comment.post(client, 1, REPORT + "new\n")
    assert [theirs["body"], quoting["body"]] == [REPORT, f"> {REPORT}"]
    assert len(server.comments) == 3


def test_of_two_comments_one_is_left(server: FakeGitHub, client: GitHub) -> None:
    first = server.say(1, REPORT)
    server.say(1, REPORT)
    comment.post(client, 1, REPORT + "new\n")
    assert [(c["id"], c["body"]) for c in server.comments] == [(first["id"], REPORT + "new\n")]


@pytest.mark.parametrize(
    "fault", LOST, ids=lambda fault: f"{fault.status or 'closed'}, {'done' if fault.done else 'not done'}"
)
def test_a_lost_answer_makes_no_second_comment(server: FakeGitHub, client: GitHub, fault: Fault) -> None:
    server.faults.append(fault)
    comment.post(client, 1, REPORT)
    assert [c["body"] for c in server.comments] == [REPORT]


def test_reading_and_updating_are_tried_again(server: FakeGitHub, client: GitHub, waits: list[float]) -> None:
    server.say(1, REPORT)
    server.faults += [Fault("GET", 503), Fault("GET", 0), Fault("PATCH", 500), Fault("PATCH", 0, done=True)]
    comment.post(client, 1, REPORT + "new\n")
    assert [c["body"] for c in server.comments] == [REPORT + "new\n"]
    assert len(waits) == 4


@pytest.mark.parametrize("status", [403, 429])
def test_a_rate_limit_is_waited_for(server: FakeGitHub, client: GitHub, waits: list[float], status: int) -> None:
    server.faults.append(Fault("POST", status, {"Retry-After": "17"}))
    comment.post(client, 1, REPORT)
    assert len(server.comments) == 1
    assert waits == [17.0]


def test_a_rate_limit_of_an_hour_is_not(server: FakeGitHub, client: GitHub, waits: list[float]) -> None:
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9999999999"}
    server.faults.append(Fault("POST", 403, reset))
    with pytest.raises(DeliveryError, match="rate limit"):
        comment.post(client, 1, REPORT)
    assert not waits


def test_a_server_that_stays_down_is_given_up(server: FakeGitHub, client: GitHub, waits: list[float]) -> None:
    server.faults += [Fault("GET", 502)] * (2 * ATTEMPTS)
    with pytest.raises(DeliveryError, match=f"502 .* {ATTEMPTS} times"):
        comment.post(client, 1, REPORT)
    assert waits == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    ("token", "words"),
    [(EXPIRED, "401.*has expired"), (READ_ONLY, "403.*a fork's token can only read")],
    ids=["expired", "read-only"],
)
def test_a_refusal_says_what_to_do_and_not_the_token(server: FakeGitHub, token: str, words: str) -> None:
    with pytest.raises(DeliveryError, match=words) as caught:
        comment.post(GitHub(server.url, REPOSITORY, token), 1, REPORT)
    assert token not in str(caught.value)
    assert not server.comments


def test_an_unknown_repository_is_named(server: FakeGitHub) -> None:
    with pytest.raises(DeliveryError, match=r"404.*GITHUB_REPOSITORY"):
        dispatch("retrain.yml", "main", {}, GitHub(server.url, "clinic/other", TOKEN))


def test_a_page_on_another_server_gets_no_token(
    server: FakeGitHub, client: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(7):
        server.say(1, "a remark")
    monkeypatch.setattr(server, "url", "http://127.0.0.2:9")
    with pytest.raises(DeliveryError, match="another server"):
        list(client.pages("issues/1/comments"))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [301, 302, 307])
def test_another_server_is_not_followed(server: FakeGitHub, client: GitHub, method: str, status: int) -> None:
    server.faults.append(Fault(method, status, {"Location": "http://127.0.0.2:9/elsewhere"}))
    with pytest.raises(DeliveryError, match=r"another server|has moved"):
        comment.post(client, 1, REPORT)
    assert not server.comments


def test_an_answer_that_is_no_json_is_asked_for_again(server: FakeGitHub, client: GitHub, waits: list[float]) -> None:
    server.faults += [Fault("GET", 200, text="<html>a proxy"), Fault("POST", 201, text='{"id":', done=True)]
    comment.post(client, 1, REPORT)
    assert [c["body"] for c in server.comments] == [REPORT]
    assert len(waits) == 2


def test_a_server_that_does_not_answer_in_time(
    server: FakeGitHub, client: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.github.client.TIMEOUT", 1)
    server.faults.append(Fault("POST", 201, done=True, seconds=1.5))
    comment.post(client, 1, REPORT)
    assert [c["body"] for c in server.comments] == [REPORT]


def test_nothing_that_is_logged_holds_the_token(
    server: FakeGitHub, client: GitHub, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        comment.post(client, 1, REPORT)
    assert "/repos/clinic/behealthy/issues/1/comments" in caplog.text
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(client)


def test_a_dispatch_may_run_twice(server: FakeGitHub, client: GitHub) -> None:
    server.faults.append(Fault("POST", 0, done=True))
    dispatch("retrain.yml", "main", {"reason": "x"}, client)
    assert len(server.dispatches) == 2


def test_what_creates_is_sent_once_where_nobody_looks(server: FakeGitHub, client: GitHub) -> None:
    server.faults.append(Fault("POST", 502, done=True))
    with pytest.raises(LostAnswerError, match="may have been done"):
        client.post("issues/1/comments", {"body": REPORT})
    assert server.requests == ["POST /repos/clinic/behealthy/issues/1/comments"]


@pytest.mark.parametrize("address", ["api.github.com", "ftp://x.org", "https://"])
def test_an_address_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    for name, value in {"GITHUB_API_URL": address, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DeliveryError, match="GITHUB_API_URL"):
        connect()


# ---- the command ----------------------------------------------------------------------------------


@pytest.fixture
def job(server: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a job; returns its summary."""
    for name in ("GITHUB_EVENT_PATH", "GITHUB_HEAD_REF", "GITHUB_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    return summary


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_pull_request_is_that_of_the_event(
    server: FakeGitHub, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_EVENT_PATH", write(tmp_path / "event.json", '{"pull_request": {"number": 7}}'))
    assert comment.main(["--file", write(tmp_path / "report.md", REPORT)]) == 0
    assert [(c["issue"], c["body"]) for c in server.comments] == [(7, REPORT)]
    assert job.read_text() == REPORT + "\n"


def test_or_the_open_one_of_the_branch(
    server: FakeGitHub, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.open_pull("other")
    number = server.open_pull("batch")["number"]
    monkeypatch.setenv("GITHUB_REF_NAME", "batch")
    assert comment.main(["--file", write(tmp_path / "report.md", REPORT)]) == 0
    assert [c["issue"] for c in server.comments] == [number]


def test_without_a_pull_request_the_summary_has_it(
    server: FakeGitHub, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REF_NAME", "batch")
    assert comment.main(["--file", write(tmp_path / "report.md", REPORT)]) == 0
    assert not server.comments
    assert "What moved" in job.read_text()


def test_a_fork_gets_the_summary_and_asks_nothing(server: FakeGitHub, job: Path, tmp_path: Path) -> None:
    assert comment.main(["--file", write(tmp_path / "report.md", REPORT), "--summary-only"]) == 0
    assert "What moved" in job.read_text()
    assert not server.requests


def test_what_failed_goes_first(tmp_path: Path) -> None:
    body = comment.compose(REPORT, "**The graph could not be reproduced.**\n")
    assert body.startswith(f"{comment.MARKER}\n\n**The graph could not be reproduced.**\n\n# What moved")


def test_a_report_that_is_missing_is_said_and_red(
    server: FakeGitHub, job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert comment.main(["--file", str(tmp_path / "none.md"), "--number", "3"]) == 2
    assert "There is no report" in server.comments[0]["body"]
    assert "python -m delivery.report" in capsys.readouterr().err


def test_a_report_longer_than_github_takes_is_cut_at_a_line(server: FakeGitHub, client: GitHub) -> None:
    body = comment.compose(REPORT + "| a row of a table |\n" * 10_000, None)
    comment.post(client, 1, body)
    assert body.endswith("| a row of a table |\n\n*Cut here: the job's summary has the rest.*\n")


def test_a_missing_variable_is_named(
    job: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert comment.main(["--file", write(tmp_path / "report.md", REPORT), "--number", "3"]) == 2
    assert "GITHUB_TOKEN not set" in capsys.readouterr().err


# ---- the monitor's decision -----------------------------------------------------------------------


def decide(folder: Path, decision: str, *reasons: str) -> str:
    content = {"decision": decision, "alert": decision in act.ALERTS, "reasons": reasons}
    return write(folder / "decision.json", json.dumps(content))


@pytest.mark.parametrize(
    ("decision", "runs", "issues", "status"),
    [
        ("none", 0, 0, 0),
        ("watch", 0, 0, 0),
        ("retrain", 1, 0, 0),
        ("retrain_and_alert", 1, 1, 0),
        ("redevelop", 0, 1, 0),
        ("too_few_notes", 0, 0, 0),
        ("size_uncertain", 0, 1, 0),
        ("unknown", 0, 1, 1),
        ("nothing that the monitor writes", 0, 1, 1),
    ],
)
def test_every_decision_is_acted_on(
    server: FakeGitHub, job: Path, tmp_path: Path, decision: str, runs: int, issues: int, status: int
) -> None:
    path = decide(tmp_path, decision, "sex deviates by 7.0%")
    assert act.main([path, "--ref", "main"]) == status
    assert (len(server.dispatches), len(server.issues)) == (runs, issues)
    assert act.main([path, "--ref", "main"]) == status
    assert len(server.issues) == issues
    assert all(
        run["workflow"] == "retrain.yml" and "sex deviates" in run["inputs"]["reason"] for run in server.dispatches
    )
    assert job.read_text().startswith("**Monitor: ")


@pytest.mark.parametrize(
    "content",
    [
        None, "", "{", "[]", "{}", '{"decision": "none"}', '{"decision": null, "reasons": []}', "[" * 100_000,
        '{"decision": ["none"], "reasons": []}', '{"decision": {}, "reasons": []}',
        '{"decision": "none", "reasons": "x"}',
    ],
    ids=lambda content: str(content)[:40],
)  # fmt: skip
def test_no_readable_decision_is_unknown(server: FakeGitHub, job: Path, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "decision.json"
    if content is not None:
        write(path, content)
    assert act.main([str(path), "--ref", "main"]) == 1
    assert [issue["title"] for issue in server.issues] == ["Monitor: unknown"]


@pytest.mark.parametrize(
    ("decision", "alert"),
    [("none", True), ("retrain", True), ("none", None), ("retrain_and_alert", False), ("none", 0)],
)
def test_a_decision_that_contradicts_its_alert_is_unknown_and_starts_nothing(
    server: FakeGitHub, job: Path, tmp_path: Path, decision: str, alert: object
) -> None:
    path = write(tmp_path / "decision.json", json.dumps({"decision": decision, "alert": alert, "reasons": ["x"]}))
    assert act.main([path, "--ref", "main"]) == 1
    assert [issue["title"] for issue in server.issues] == ["Monitor: unknown"]
    assert f"the monitor wrote {decision}, and an alert that does not go with it" in server.issues[0]["body"]
    assert not server.dispatches


def test_each_kind_has_its_issue_and_a_closed_one_is_not_reopened(
    server: FakeGitHub, job: Path, tmp_path: Path
) -> None:
    for decision in ("redevelop", "unknown", "redevelop"):
        act.main([decide(tmp_path, decision), "--ref", "main"])
    assert [issue["title"] for issue in server.issues] == ["Monitor: redevelop", "Monitor: unknown"]
    server.issues[0]["state"] = "closed"
    act.main([decide(tmp_path, "redevelop"), "--ref", "main"])
    assert [issue["title"] for issue in server.issues if issue["state"] == "open"] == [
        "Monitor: unknown",
        "Monitor: redevelop",
    ]


@pytest.mark.parametrize("fault", LOST[::2], ids=["502", "closed"])
def test_a_lost_answer_makes_no_second_issue(server: FakeGitHub, client: GitHub, fault: Fault) -> None:
    server.faults.append(fault)
    act.alert(act.DriftVerdict("redevelop", ("x",)), client)
    assert len(server.issues) == 1


HOSTILE = "@all closes #1 `](https://x.example)\n\n<img src=x>\u202e![](https://x.example/y) | GH-2"
INERT = re.compile(r"`[^`\n]*@all closes #1 [^`\n]*<img src=x>[^`\n]*GH-2`")


def test_reasons_mean_nothing_to_github(server: FakeGitHub, client: GitHub, job: Path, tmp_path: Path) -> None:
    """A column of the log, or who starts a run, may be called anything: no one is called, nothing closed or loaded."""
    assert act.main([decide(tmp_path, "redevelop", HOSTILE), "--ref", "main"]) == 0
    pull = propose.offer(client, "retrain/2", "main", HOSTILE, REPORT)
    for body in (server.issues[0]["body"], job.read_text(), pull["body"]):
        assert INERT.search(body), body
        assert "@all" not in INERT.sub("", body)
        assert "\u202e" not in body


# ---- the pull request -----------------------------------------------------------------------------


def test_a_pull_request_is_opened_once_and_stays_closed(server: FakeGitHub, client: GitHub) -> None:
    server.faults.append(Fault("POST", 0, done=True))
    first = propose.offer(client, "retrain/1", "main", "new\ndata", REPORT)
    second = propose.offer(client, "retrain/1", "main", "new data", REPORT + "more\n")
    assert first["number"] == second["number"]
    assert len(server.pulls) == 1
    assert "more" in server.pulls[0]["body"]
    assert "Run because: `new data`" in server.pulls[0]["body"]
    server.pulls[0]["state"] = "closed"
    assert propose.offer(client, "retrain/1", "main", "again", REPORT)["state"] == "closed"
    assert "again" not in server.pulls[0]["body"]
