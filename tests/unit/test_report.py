"""The report against golden files, one per situation that a reviewer meets. Renew them with `GOLDEN=1 pytest`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from delivery.changes import Changes, changes_between
from delivery.report import is_bad, main
from delivery.revisions import resolve, workspace
from delivery.sections import MARKER, Report, render
from tests.commits import (
    documents,
    repository_at,
    validation,
    write,
    write_annotations,
    write_metrics,
    write_params,
)
from tests.repository import ROOT, Repository

GOLDEN = ROOT / "tests/golden"
OLD = {"Disease": documents(40, missed=range(0, 16)), "Treatment": documents(40, missed=range(20, 30), alarms=[3])}
NEW = {"Disease": documents(40, missed=range(0, 8)), "Treatment": documents(40, missed=range(20, 31), alarms=[4])}
WORSE = {"Disease": documents(40, missed=range(0, 16)), "Treatment": documents(40, missed=range(10, 30), alarms=[3])}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """On main, a finished graph; the workspace is a branch of it."""
    made = repository_at(tmp_path / "repository")
    write_params(made.root, train={"family": "crf", "crf": {"runs": 5}, "seed": 1})
    write_annotations(made.root, "aa" * 16)
    write_metrics(made.root, OLD)
    made.commit("Base")
    made.git("checkout", "--quiet", "-b", "topic")
    return made


def changes(repository: Repository, base: str = "main") -> Changes:
    return changes_between(resolve(base, repository.root), workspace(repository.root))


def report_of(repository: Repository) -> str:
    return render(Report(changes(repository)))


def assert_golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.md"
    if os.environ.get("GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_a_better_model(repository: Repository) -> None:
    write_params(repository.root, train={"family": "stacked", "crf": {"runs": 5}, "seed": 1})
    write_metrics(repository.root, NEW)
    assert_golden("better", report_of(repository))
    assert not is_bad(changes(repository))


def test_a_gate_that_failed_leaves_old_metrics_and_they_are_not_compared(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "main")
    write(repository.root, "dvc.yaml", GRAPH)
    write(repository.root, "dvc.lock", LOCK)
    repository.commit("With a graph")
    repository.git("checkout", "--quiet", "-b", "bad-batch")
    write_annotations(repository.root, "bb" * 16)
    check = {"severity": "error", "count": 3, "message": "3 mentions are empty. Correct the batch."}
    failed = {"passed": False, "errors": 1, "expectations": {"evaluated": 80, "failed": ["empty_mentions"]}}
    write_metrics(repository.root, OLD, validation=validation(OLD, **failed, checks={"empty_mentions": check}))
    assert_golden("gate_failed", report_of(repository))
    assert is_bad(changes(repository))


GRAPH = """
stages:
  validate: {cmd: v, deps: [data/annotations], metrics: [metrics/validation.json: {cache: false}]}
  evaluate: {cmd: e, deps: [metrics/validation.json], metrics: [metrics/evaluation.json: {cache: false}]}
"""
LOCK = """
stages:
  validate: {cmd: v, deps: [{path: data/annotations, md5: cc.dir}], outs: [{path: metrics/validation.json, md5: dd}]}
  evaluate: {cmd: e, deps: [{path: metrics/validation.json, md5: dd}], outs: [{path: metrics/evaluation.json, md5: ee}]}
"""


def test_the_first_pull_request_has_nothing_to_compare_with(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "main")
    repository.git("rm", "--quiet", "-r", "metrics")
    repository.commit("Without metrics")
    write_metrics(repository.root, NEW)
    assert_golden("first", report_of(repository))
    assert not is_bad(changes(repository))


def test_a_new_batch_brings_documents_and_a_label(repository: Repository) -> None:
    write_annotations(repository.root, "bb" * 16)
    more = {"Disease": documents(60, missed=range(0, 16)), "Treatment": documents(60, missed=range(20, 30), alarms=[3])}
    write_metrics(repository.root, {**more, "Symptom": documents(60, missed=range(50))})
    assert_golden("new_batch", report_of(repository))
    assert changes(repository).headline.difference is not None
    assert changes(repository).headline.difference.difference == 0  # type: ignore[union-attr]


def test_other_documents_altogether_get_a_wider_interval_and_say_so(repository: Repository) -> None:
    apart = {label: documents(40, first=1000, missed=range(1000, 1010)) for label in OLD}
    write_metrics(repository.root, apart)
    write_annotations(repository.root, "bb" * 16)
    found = changes(repository)
    assert found.headline.method == "unpaired documents"
    text = render(Report(found))
    assert "on other documents" in text
    assert "None in common: intervals are not paired" in text
    assert "different ways" not in text


def test_documents_under_other_names_do_not_pair_and_it_says_why(repository: Repository) -> None:
    write_metrics(repository.root, {label: documents(40, first=1000) for label in OLD})  # the same data
    found = changes(repository)
    assert found.headline.method == "unpaired documents"
    assert not (found.documents and found.documents.same)
    text = render(Report(found))
    assert "on documents without a common name" in text
    assert "The annotations are the same: either the two commits name the documents in different ways" in text


def test_a_label_can_be_worse_while_the_whole_is_noise(repository: Repository) -> None:
    write_metrics(repository.root, {"Disease": NEW["Disease"], "Treatment": WORSE["Treatment"]})
    found = changes(repository)
    assert found.outcome == "within noise"
    assert found.worse_labels == ["Treatment"]
    assert "**Worse** for `Treatment`" in render(Report(found))
    assert is_bad(found)


def test_a_change_that_leaves_every_count_as_it_was_is_told_in_one_line(repository: Repository) -> None:
    write(repository.root, "stages/train/readme.md", "words")
    text = report_of(repository)
    assert "**Unchanged**: strict F1 0.9292, with the same counts in each test document." in text
    assert "F1 by type of note: none of 1 changed." in text
    assert "├" not in text
    assert not is_bad(changes(repository))


def test_the_same_score_with_other_counts_is_not_unchanged(repository: Repository) -> None:
    moved = {**OLD, "Disease": documents(40, missed=range(1, 17))}
    write_metrics(repository.root, moved)
    assert changes(repository).headline.new == changes(repository).headline.old
    assert changes(repository).outcome == "within noise"


def test_precision_that_was_traded_for_recall_is_said_beside_an_f1_within_noise(repository: Repository) -> None:
    traded = {
        "Disease": documents(40, missed=range(0, 8), alarms=range(20, 36)),
        "Treatment": documents(40, missed=range(20, 24), alarms=range(0, 14)),
    }
    write_metrics(repository.root, traded)
    assert changes(repository).outcome == "within noise"
    line = report_of(repository).splitlines()[1]
    assert re.search(r"But precision \*\*worse\*\* \(-0\.\d+\) and recall \*\*better\*\* \(\+0\.\d+\)\.$", line)


def test_a_decision_that_changed_is_said_at_the_top(repository: Repository) -> None:
    write_metrics(repository.root, NEW, decision={"decision": "redevelop", "reasons": ["columns moved"]})
    assert "monitor: `none` → `redevelop`" in report_of(repository).split("|")[0]


@pytest.mark.parametrize("name", ["evaluation", "validation"])
def test_metrics_that_are_missing_are_no_good_news(repository: Repository, name: str) -> None:
    (repository.root / f"metrics/{name}.json").unlink()
    assert changes(repository).outcome == "not judged"
    assert is_bad(changes(repository))


def test_without_counts_there_is_no_verdict(repository: Repository) -> None:
    write_metrics(repository.root, NEW)
    (repository.root / "metrics/documents.csv").unlink()
    assert changes(repository).outcome == "no interval"
    assert "noise cannot be told" in report_of(repository)


def test_annotations_that_changed_under_the_same_documents_are_told(repository: Repository) -> None:
    anew = {**OLD, "Disease": {**OLD["Disease"], f"{0:016x}": (5, 0, 5)}}
    write_metrics(repository.root, anew)
    assert "1 common test documents have another number of annotated mentions" in report_of(repository)


def run(repository: Repository, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.chdir(repository.root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return main(["--git-only", *arguments])


@pytest.mark.parametrize(
    ("counts", "flags", "status"),
    [(NEW, [], 0), (WORSE, [], 0), (NEW, ["--fail-if-worse"], 0), (WORSE, ["--fail-if-worse"], 1)],
)
def test_exit_codes(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, counts: dict, flags: list[str], status: int
) -> None:
    write_metrics(repository.root, counts)
    assert run(repository, monkeypatch, "--base", "main", "--out", "report.md", *flags) == status
    assert (repository.root / "report.md").read_text(encoding="utf-8").startswith(MARKER + "\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base", "nowhere"], "git knows no commit nowhere"),
        (["--run-url", "javascript:alert(1)"], "is no address"),
        (["--run-url", "https://x) ![a](https://evil"], "is no address"),
        (["--images-url", "https://x/ y"], "is no address"),
    ],
)
def test_what_cannot_be_reported_is_exit_code_2(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    arguments: list[str],
    message: str,
) -> None:
    assert run(repository, monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err


def test_broken_metrics_are_exit_code_2(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write(repository.root, "metrics/evaluation.json", "{")
    assert run(repository, monkeypatch, "--out", "report.md") == 2
    assert "metrics/evaluation.json at workspace is not valid JSON" in capsys.readouterr().err
    assert not (repository.root / "report.md").exists()


def test_what_was_left_out_is_said(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write_metrics(repository.root, NEW)
    run(repository, monkeypatch)
    out = capsys.readouterr().out
    assert "Left out: mentions one by one: --git-only" in out
    assert "Left out: names of the batches: --git-only" in out


def test_the_base_moved_on_and_merge_base_goes_back_to_where_the_branch_left(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    repository.git("checkout", "--quiet", "main")
    write_params(repository.root, train={"family": "moved-on"})
    repository.commit("Main moves on")
    repository.git("checkout", "--quiet", "topic")
    run(repository, monkeypatch)
    out = capsys.readouterr().out
    assert "moved-on" in out
    assert "`main` has 1 commit that `workspace` lacks" in out
    run(repository, monkeypatch, "--merge-base")
    out = capsys.readouterr().out
    assert "moved-on" not in out
    assert "`workspace` lacks" not in out


def test_experiments_of_dvc_are_compared_by_their_names(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write_metrics(repository.root, NEW)
    repository.git("update-ref", f"refs/exps/12/{'3' * 38}/shy-lynx", repository.commit("An experiment"))
    assert run(repository, monkeypatch, "--head", "shy-lynx") == 0
    assert "`main` → `shy-lynx`" in capsys.readouterr().out


def test_images_are_written_and_referred_to(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    write_metrics(repository.root, NEW)
    run(repository, monkeypatch, "--out", "reports/report.md", "--images", "reports/my images")
    written = repository.root / "reports/my images/differences.png"
    assert written.read_bytes().startswith(b"\x89PNG")
    text = repository.text("reports/report.md")
    assert "![Differences with 95% intervals](my%20images/differences.png)" in text
    assert "├" not in text
    run(repository, monkeypatch, "--out", "r.md", "--images", "i", "--images-url", "https://example.org/7/")
    assert "(https://example.org/7/differences.png)" in repository.text("r.md")
