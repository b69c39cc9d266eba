"""Results go back to their branch once, whole, and only where they belong; in real repositories, without DVC."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import propose
from delivery.errors import DeliveryError, DeliveryRefusedError
from delivery.publish import TRAILER, publish
from delivery.publish import main as publish_main
from delivery.revision.git import attempt, credentials, git
from tests.github_server import FakeGitHub, github
from tests.graphs import clone, hand_over, job_of, others_push, pushed, run_graph, writer_of


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return job_of(tmp_path, monkeypatch)


def test_results_are_committed_once(job: Path, tmp_path: Path) -> None:
    source = git("rev-parse", "HEAD", root=job).strip()
    (job / "scribble.txt").write_text("not a result", encoding="utf-8")
    (job / "params.yaml").write_text("{other: 1}\n", encoding="utf-8")
    assert publish("work", job)
    assert pushed(job) == ["Reproduce the graph", "Change the code", "Begin"]
    assert git("show", "--format=", "--name-only", "HEAD", root=job).split() == ["dvc.lock", "metrics/score.json"]
    assert git("log", "-1", f"--format=%(trailers:key={TRAILER},valueonly)", root=job).strip() == source
    assert not publish("work", job)
    later = clone(tmp_path, "later")
    run_graph(later)
    assert not publish("work", later)
    assert len(pushed(job)) == 3


def test_what_is_not_reproduced_is_not_published(job: Path) -> None:
    (job / "code.py").write_text("3\n", encoding="utf-8")
    with pytest.raises(DeliveryError, match=r"stage score: code.py changed"):
        publish("work", job)
    assert pushed(job)[0] == "Change the code"


def test_a_graph_that_never_settles_is_not_committed_for_ever(job: Path, tmp_path: Path) -> None:
    publish("work", job)
    later = clone(tmp_path, "later")
    run_graph(later, luck=" and luck")
    with pytest.raises(DeliveryError, match="depends on the machine"):
        publish("work", later)
    assert len(pushed(job)) == 3
    assert git("rev-parse", "HEAD", root=later) == git("rev-parse", "HEAD", root=job)


def test_a_job_killed_between_commit_and_push_is_finished_by_the_same_command(job: Path, tmp_path: Path) -> None:
    origin = (tmp_path / "origin.git").rename(tmp_path / "away.git")
    with pytest.raises(DeliveryError):
        publish("work", job)
    origin.rename(tmp_path / "origin.git")
    git("add", "dvc.lock", "metrics", root=job)
    git("-c", "user.name=a", "-c", "user.email=a", "commit", "--quiet", "--message", "Reproduce the graph", root=job)
    assert publish("work", job)
    assert pushed(job) == ["Reproduce the graph", "Change the code", "Begin"]
    assert not publish("work", job)


def test_batches_are_a_commit_of_their_own_so_that_a_second_training_publishes_too(job: Path) -> None:
    """Without it the second would be results of a commit that holds results: a graph that never settles."""
    data = job / "data/annotations.dvc"
    data.parent.mkdir()
    for batch, luck in (("one", ""), ("two", " of new data")):
        data.write_text(f"outs: [{{md5: {batch}, path: annotations}}]\n", encoding="utf-8")
        run_graph(job, luck)
        assert publish("work", job, with_data=True)
    assert pushed(job)[:4] == ["Reproduce the graph", "Add annotation batches"] * 2
    assert not publish("work", job, with_data=True)
    data.write_text("outs: [{md5: three, path: annotations}]\n", encoding="utf-8")
    run_graph(job, " of other data")
    with pytest.raises(DeliveryError, match="depends on the machine"):
        publish("work", job)


def test_a_push_that_came_first_and_does_not_matter_stays_below(job: Path, tmp_path: Path) -> None:
    others_push(tmp_path, "README.md")
    assert publish("work", job)
    assert pushed(job) == ["Reproduce the graph", "Change README.md", "Change the code", "Begin"]


@pytest.mark.parametrize("name", ["code.py", "dvc.lock"])
def test_results_of_older_inputs_are_not_put_on_newer_ones(job: Path, tmp_path: Path, name: str) -> None:
    others_push(tmp_path, name)
    with pytest.raises(DeliveryError, match="other inputs meanwhile"):
        publish("work", job)
    assert pushed(job)[0] == f"Change {name}"
    assert git("log", "-1", "--format=%s", root=job).strip() == "Reproduce the graph"
    assert not (job / ".git/rebase-merge").exists()


def test_what_a_person_committed_here_is_not_pushed_along(job: Path) -> None:
    """A gate's bounds count as they are on main: a commit that nobody has read must not get there with results."""
    (job / "delivery/registry").mkdir(parents=True)
    (job / "delivery/registry/gate.yaml").write_text("margin: 1\n", encoding="utf-8")
    git("add", "delivery", root=job)
    git("-c", "user.name=a", "-c", "user.email=a", "commit", "--quiet", "--message", "Loosen the gate", root=job)
    with pytest.raises(DeliveryRefusedError, match=r"not pushed changes delivery/registry/gate.yaml"):
        publish("work", job)
    assert pushed(job) == ["Change the code", "Begin"]
    assert git("log", "-1", "--format=%s", root=job).strip() == "Loosen the gate"


def test_results_of_code_that_is_not_committed_are_of_no_commit(job: Path) -> None:
    (job / "code.py").write_text("tried out\n", encoding="utf-8")
    run_graph(job)
    with pytest.raises(DeliveryRefusedError, match="are not those of a commit"):
        publish("work", job)
    assert pushed(job) == ["Change the code", "Begin"]
    assert git("log", "-1", "--format=%s", root=job).strip() == "Change the code"
    git("checkout", "--quiet", "--", "code.py", root=job)
    run_graph(job)
    assert publish("work", job)


def test_a_protected_branch_is_said(job: Path, tmp_path: Path) -> None:
    hook = tmp_path / "origin.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'this branch is protected' >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    with pytest.raises(DeliveryError, match=r"does not take the push to work.*this branch is protected"):
        publish("work", job)


def test_a_branch_that_is_gone_is_not_brought_back(job: Path, tmp_path: Path) -> None:
    git("update-ref", "-d", "refs/heads/work", root=tmp_path / "origin.git")
    with pytest.raises(DeliveryError, match="work"):
        publish("work", job)
    assert not git("ls-remote", "--heads", "origin", root=job)


# ---- a pull request for new results ---------------------------------------------------------------


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    with github() as started:
        for name, value in started.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
        yield started


def offer(job: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(job)
    (job / "report.md").write_text("# What moved\n", encoding="utf-8")
    return propose.main(["--report", "report.md", "--reason", "a test", "--base", "work", "--then", "tests.yml"])


def test_the_same_results_are_offered_once(
    job: Path, tmp_path: Path, server: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert offer(job, monkeypatch) == 0
    later = clone(tmp_path, "later")
    run_graph(later)
    assert offer(later, monkeypatch) == 0
    (pull,) = server.pulls
    assert pull["head"]["ref"].startswith("retrain/")
    assert pull["base"]["ref"] == "work"
    assert "What moved" in pull["body"]
    assert [(run["workflow"], run["ref"]) for run in server.dispatches] == [("tests.yml", pull["head"]["ref"])]
    assert pushed(job)[0] == "Change the code"


def test_nothing_new_is_said_and_red(
    job: Path, server: FakeGitHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish("work", job)
    assert offer(job, monkeypatch) == 1
    assert "nothing to offer" in capsys.readouterr().err
    assert not server.pulls


# ---- what another job handed over, by the commands that the workflows call ------------------------


def test_what_was_handed_over_is_published_and_its_checks_are_started(
    job: Path, server: FakeGitHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handed = hand_over(job)
    monkeypatch.chdir(writer_of(job))
    for words in ("published on work: ", "nothing new to publish"):
        assert publish_main(["--branch", "work", "--results", str(handed), "--then", "tests.yml"]) == 0
        assert capsys.readouterr().out.startswith(words)
    assert [(run["workflow"], run["ref"]) for run in server.dispatches] == [("tests.yml", "work")]
    for name in ("dvc.lock", "source.json", "metrics/score.json"):
        (handed / name).unlink()
    assert publish_main(["--branch", "work", "--results", str(handed)]) == 0
    assert "nothing to publish" in capsys.readouterr().out


def test_what_was_handed_over_is_offered_with_its_report_once(
    job: Path, server: FakeGitHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handed = hand_over(job)
    monkeypatch.chdir(writer_of(job))
    asked = ["--results", str(handed), "--reason", "a test", "--base", "work", "--then", "tests.yml"]
    assert [propose.main(asked), propose.main(asked)] == [0, 0]
    (pull,) = server.pulls
    assert "What moved" in pull["body"]
    assert "Run because: `a test`" in pull["body"]
    assert [(run["workflow"], run["ref"]) for run in server.dispatches] == [("tests.yml", pull["head"]["ref"])]
    (handed / "report.md").unlink()
    assert propose.main(asked) == 2
    assert "the report is not there" in capsys.readouterr().err


# ---- credentials ----------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["https://github.example/a/b", "https://github.example:8443/a/b.git"])
def test_the_token_goes_to_the_server_of_origin_alone(job: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_secret")
    git("remote", "set-url", "origin", url, root=job)
    settings = credentials(job)
    assert settings["GIT_CONFIG_KEY_0"] == f"http.{url.split('/a/', maxsplit=1)[0]}/.extraheader"
    assert base64.b64decode(settings["GIT_CONFIG_VALUE_0"].split()[-1]) == b"x-access-token:ghs_secret"
    assert git("config", "--get-urlmatch", "http.extraheader", url, root=job)
    assert attempt("config", "--get-urlmatch", "http.extraheader", "https://other.example/x", root=job).stdout == ""


@pytest.mark.parametrize("url", ["/srv/git/b.git", "git@github.example:a/b.git", "http://github.example/a/b"])
def test_without_https_no_token_is_sent(job: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_secret")
    git("remote", "set-url", "origin", url, root=job)
    assert credentials(job) == {}
