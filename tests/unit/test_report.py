"""The report against golden files, one per situation that a reviewer meets. Renew them with `GOLDEN=1 pytest`."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from delivery.changes.changes import Changes, changes_between
from delivery.rendering.sections import MARKER, Report, render
from delivery.report import main
from delivery.revision.revision import checked_out, resolve, workspace
from tests.commits import (
    Counts,
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


def under_other_names(counts: Counts) -> Counts:
    """Return the same documents as a key that changed would name them: in another order, too."""
    return {f"{int(name, 16) * 7919 % 10007 + 2**40:016x}": of for name, of in counts.items()}


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
    assert not changes(repository).bad


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
    assert changes(repository).bad


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
    assert not changes(repository).bad


@pytest.mark.parametrize(
    ("acceptance", "said"),
    [
        ({"accepts_nothing": True}, "; **nothing is accepted without a person**"),
        (
            {"accepts_nothing": False, "labels": {"Disease": {"accepts_nothing": True}, "Treatment": {}}},
            "; **nothing of `Disease` is accepted without a person**",
        ),
        ({"accepts_nothing": False, "labels": {"Disease": {"accepts_nothing": False}}}, ""),
    ],
)
def test_a_model_that_accepts_nothing_is_named_in_the_first_line(
    repository: Repository, acceptance: dict[str, Any], said: str
) -> None:
    write_metrics(repository.root, NEW)
    path = repository.root / "metrics/evaluation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "acceptance": acceptance}))
    first = next(line for line in report_of(repository).splitlines() if line.startswith("### "))
    assert first.endswith(said)
    assert ("without a person" in first) == bool(said)


def first_line(repository: Repository) -> str:
    return next(line for line in report_of(repository).splitlines() if line.startswith("### "))


def with_acceptance(root: Path, counts: dict[str, Counts], acceptance: dict[str, Any], kpi: dict[str, Any]) -> None:
    write_metrics(root, counts, kpi=kpi)
    path = root / "metrics/evaluation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "acceptance": acceptance}))


def work(accepted: float, hours: float, *, intervals: bool = True) -> dict[str, Any]:
    ends = {"mentions_low": accepted - 0.03, "mentions_high": accepted + 0.03} if intervals else {}
    name = "hours_per_1000_notes"
    after = {f"{name}_low": hours - 2, f"{name}_high": hours + 2} if intervals else {}
    return {"accepted": {"mentions": accepted, **ends}, "after": {name: hours, **after}}


_WEIGH = "; **fewer mentions accepted (69% → 57%) and more hours per 1,000 notes (40 → 54), a person must weigh it**"


@pytest.mark.parametrize("known", [(True, True), (False, True), (True, False)])
def test_more_work_beyond_noise_is_in_the_first_line(repository: Repository, known: tuple[bool, bool]) -> None:
    """Also where one of the two commits has no interval yet."""
    write_metrics(repository.root, OLD, kpi=work(0.69, 40, intervals=known[0]))
    base = repository.commit("Less work")
    write_metrics(repository.root, OLD, kpi=work(0.57, 54, intervals=known[1]))
    line = f"### Every test note is scored as before{_WEIGH}"
    assert render(Report(changes(repository, "HEAD"))).splitlines()[1] == line, base


@pytest.mark.parametrize(
    "after",
    [work(0.66, 42), work(0.75, 30), work(0.57, 54, intervals=False)],
    ids=["noise", "less work", "no interval"],
)
def test_work_that_may_be_luck_is_not(repository: Repository, after: dict[str, Any]) -> None:
    intervals = "mentions_low" in after["accepted"]
    write_metrics(repository.root, OLD, kpi=work(0.69, 40, intervals=intervals))
    repository.commit("Before")
    write_metrics(repository.root, OLD, kpi=after)
    line = render(Report(changes(repository, "HEAD"))).splitlines()[1]
    assert line == "### Every test note is scored as before: nothing in the scores against merging"


def test_a_better_model_that_leaves_more_work_is_not_simply_merged(repository: Repository) -> None:
    write_metrics(repository.root, OLD, kpi=work(0.69, 40))
    repository.commit("Before")
    better = {label: documents(40) for label in OLD}
    write_metrics(repository.root, better, kpi=work(0.57, 54))
    line = render(Report(changes(repository, "HEAD"))).splitlines()[1]
    assert line.endswith(f": better in the scores{_WEIGH}")


@pytest.mark.parametrize(
    ("acceptance", "said"),
    [
        ({"mentions": 0.0, "precision": None}, "; **nothing is accepted without a person**"),
        ({"accepts_nothing": True, "mentions": 0.0}, "; **nothing is accepted without a person**"),
        (
            {
                "mentions": 0.3,
                "labels": {"Disease": {"accepts_nothing": False, "number": 0}, "Treatment": {"number": 9}},
            },
            "; **nothing of `Disease` is accepted without a person**",
        ),
        ({"mentions": 0.3, "labels": {"Absent": {"accepts_nothing": False, "number": 0}}}, ""),
    ],
)
def test_scores_as_before_are_no_consent_to_a_model_that_accepts_nothing(
    repository: Repository, acceptance: dict[str, Any], said: str
) -> None:
    """Also of a commit that counts what is accepted, and does not say that it is nothing."""
    with_acceptance(repository.root, OLD, acceptance, {})
    assert first_line(repository).endswith(said or ": nothing in the scores against merging")
    assert ("against merging" in first_line(repository)) != bool(said)


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


def test_a_new_label_in_other_documents_is_not_in_what_the_difference_is_of(repository: Repository) -> None:
    apart = {label: documents(40, first=1000, missed=range(1000, 1010)) for label in OLD}
    write_metrics(repository.root, {**apart, "Symptom": documents(40, first=1000, missed=range(1000, 1030))})
    write_annotations(repository.root, "bb" * 16)
    headline = changes(repository).headline
    assert headline.common and headline.difference
    assert headline.common[1] - headline.common[0] == pytest.approx(headline.difference.difference, abs=1e-4)
    assert headline.common[1] > headline.new  # the label is a hard one
    text = render(Report(changes(repository)))
    old, new = (f"{value:.4f}" for value in headline.common)
    over_all = f"of all {headline.old:.4f} → {headline.new:.4f}"
    assert f"strict F1 of the common labels {old} → {new} on other documents" in text and over_all in text
    assert re.search(rf"^\| `strict.micro.f1` ↑ +\| +{old} \| +{new} \|", text, re.MULTILINE)


def test_the_same_documents_under_other_names_are_unchanged_and_it_says_why(repository: Repository) -> None:
    write_metrics(repository.root, {label: under_other_names(table) for label, table in OLD.items()})
    found = changes(repository)
    assert found.outcome == "unchanged"
    assert not found.bad
    text = render(Report(found))
    assert "### Every test note is scored as before: nothing in the scores against merging" in text
    assert "The two commits name the test documents in different ways (under a key since decision 19" in text
    assert "counts of all 40, one by one: they are taken for the same documents." in text
    assert "40 common test documents" in text
    assert "What is compared with what" not in text


def test_other_names_and_other_annotations_are_other_documents(repository: Repository) -> None:
    write_metrics(repository.root, {label: under_other_names(table) for label, table in OLD.items()})
    write_annotations(repository.root, "bb" * 16)
    assert changes(repository).outcome == "within noise"
    assert not changes(repository).renamed


def test_documents_under_other_names_with_other_counts_do_not_pair_and_it_says_why(repository: Repository) -> None:
    one_more = {**OLD, "Disease": documents(40, missed=range(9), alarms=range(6))}
    write_metrics(repository.root, {label: under_other_names(table) for label, table in one_more.items()})
    found = changes(repository)
    assert found.headline.method == "unpaired documents"
    assert not (found.documents and found.documents.same)
    text = render(Report(found))
    assert "on documents without a common name" in text
    assert "The annotations are the same: either the two commits name the documents in different ways" in text
    assert "by their names" not in text  # all 80 are new or gone


def test_a_label_can_be_worse_while_the_whole_is_noise(repository: Repository) -> None:
    write_metrics(repository.root, {"Disease": NEW["Disease"], "Treatment": WORSE["Treatment"]})
    found = changes(repository)
    assert found.outcome == "within noise"
    assert found.worse_labels == ["Treatment"]
    assert "**Worse** for `Treatment`" in render(Report(found))
    assert found.bad


def test_a_change_that_leaves_every_count_as_it_was_is_told_in_one_line(repository: Repository) -> None:
    write(repository.root, "stages/train/readme.md", "words")
    text = report_of(repository)
    assert "**Unchanged**: strict F1 0.9292, with the same counts in each test document." in text
    assert "F1 by type of note: none of 1 changed." in text
    assert "├" not in text
    assert not changes(repository).bad


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
    line = report_of(repository).splitlines()[3]
    assert re.search(r"But precision \*\*worse\*\* \(-0\.\d+\) and recall \*\*better\*\* \(\+0\.\d+\)\. Of", line)


def test_a_decision_that_changed_is_said_at_the_top(repository: Repository) -> None:
    write_metrics(repository.root, NEW, decision={"decision": "redevelop", "reasons": ["columns moved"]})
    assert "monitor: `none` → `redevelop`" in report_of(repository).split("|")[0]


@pytest.mark.parametrize("name", ["evaluation", "validation"])
def test_metrics_that_are_missing_are_no_good_news(repository: Repository, name: str) -> None:
    (repository.root / f"metrics/{name}.json").unlink()
    assert changes(repository).outcome == "not judged"
    assert changes(repository).bad


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
    topic = repository.git("rev-parse", "--short=7", "topic").strip()
    assert f"`main` has 1 commit that `topic ({topic})` lacks" in out
    run(repository, monkeypatch, "--merge-base")
    out = capsys.readouterr().out
    assert "moved-on" not in out
    assert "lacks" not in out


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


OTHERS = {label: documents(40, first=1000, missed=range(1000, 1010)) for label in OLD}
HEADLINES = {
    "better": (NEW, "14 fewer missed, as many false alarms: better, may be merged"),
    "worse": (WORSE, "20 more missed, as many false alarms: worse, do not merge"),
    "luck": (
        {**OLD, "Disease": documents(40, missed=range(1, 16))},
        "2 fewer missed, as many false alarms: may be luck",
    ),
    "a label": (
        {"Disease": NEW["Disease"], "Treatment": WORSE["Treatment"]},
        "4 more missed, as many false alarms: worse for `Treatment`, do not merge",
    ),
    "one more alarm": (
        {**OLD, "Treatment": documents(40, missed=range(20, 30), alarms=[3, 4])},
        "As many missed, 1 more false alarm: may be luck, no reason to merge",
    ),
    "traded": (
        {
            "Disease": documents(40, missed=range(0, 8), alarms=range(20, 36)),
            "Treatment": documents(40, missed=range(20, 24), alarms=range(0, 14)),
        },
        "28 fewer missed, 29 more false alarms: one traded for the other, a person must weigh it",
    ),
    "unchanged": (OLD, "Every test note is scored as before: nothing in the scores against merging"),
    "notes added": (
        {label: {**OLD[label], **OTHERS[label]} for label in OLD},
        "Every test note of before is",
    ),
    "other notes": (OTHERS, "Scored on other test notes than before: "),
}


@pytest.mark.parametrize("case", HEADLINES)
def test_the_headline_counts_what_is_missed_and_says_what_to_do(repository: Repository, case: str) -> None:
    counts, expected = HEADLINES[case]
    write_metrics(repository.root, counts)
    found = changes(repository)
    line = render(Report(found)).splitlines()[1]
    assert line.startswith(f"### {expected}")
    assert ("do not merge" in line) == found.bad


def test_what_nobody_can_know_is_not_to_be_merged(repository: Repository) -> None:
    write_metrics(repository.root, NEW)
    (repository.root / "metrics/documents.csv").unlink()
    assert report_of(repository).splitlines()[1] == "### Nobody can tell this change from luck: do not merge"
    (repository.root / "metrics/evaluation.json").unlink()
    assert report_of(repository).splitlines()[1] == "### There are no results: do not merge before `dvc repro`"


def opened(text: str) -> str:
    """Return what a reviewer sees before unfolding anything."""
    return re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)


def test_only_what_can_decide_is_open_and_the_rest_is_folded(repository: Repository) -> None:
    write_metrics(repository.root, NEW)
    text = report_of(repository)
    assert "noise unknown" not in opened(text)
    assert "noise unknown" in text
    rows = re.findall(r"^\| `([^`]+)`", opened(text), re.MULTILINE)
    assert rows == [f"strict.{name}" for name in ("micro.f1", "micro.precision", "micro.recall")] + [
        "strict.Disease.f1",
        "strict.Treatment.f1",
    ]


def test_of_many_labels_those_that_are_worse_stay_open(repository: Repository) -> None:
    many = {f"Label{number:02}": documents(40) for number in range(12)}
    write_metrics(repository.root, many)
    repository.commit("Many labels")
    repository.git("branch", "--force", "many")
    write_metrics(repository.root, {**many, "Label11": documents(40, missed=range(20))})
    text = render(Report(changes(repository, "many")))
    assert "`strict.Label11.f1`" in opened(text)
    assert "`strict.Label10.f1`" not in opened(text)
    assert "`strict.Label10.f1`" in text


def test_new_documents_are_set_apart_from_those_that_are_compared(repository: Repository) -> None:
    more = {"Disease": documents(60, missed=[*range(0, 8), 50]), "Treatment": documents(60, missed=range(20, 30))}
    write_metrics(repository.root, more)
    text = opened(report_of(repository))
    assert "The verdict and its interval are over the documents in both" in text
    row = re.search(r"^\| in both +\| +40 \| +400 \| +(\S+) \| +(\S+) \|$", text, re.MULTILINE)
    assert row
    assert re.search(r"^\| new +\| +20 \| +200 \| +— \| +0\.9950 \|$", text, re.MULTILINE)
    decided = re.search(r"^\| `strict.micro.f1` ↑ +\| +(\S+) \| +(\S+) \| +(\S+) \|", text, re.MULTILINE)
    assert decided
    assert decided.groups()[:2] == row.groups()  # the values beside a difference are those it is of
    assert float(decided[3]) == pytest.approx(float(decided[2]) - float(decided[1]), abs=2e-4)
    assert f"New: `{40:016x}`" in report_of(repository)


def test_figures_of_other_documents_are_not_called_improved(repository: Repository) -> None:
    write_metrics(repository.root, {label: documents(60) for label in OLD})
    text = report_of(repository)
    assert re.search(r"^\| `lenient.micro.f1` ↑ .*\| +— \| +— \| other documents +\|$", text, re.MULTILINE)
    assert "noise unknown |" not in text


def test_a_clean_branch_is_named_and_a_changed_one_is_the_workspace(repository: Repository) -> None:
    sha = repository.git("rev-parse", "--short=7", "HEAD").strip()
    assert checked_out(repository.root).name == f"topic ({sha})"
    repository.git("checkout", "--quiet", "--detach")
    assert checked_out(repository.root).name == sha
    write(repository.root, "params.yaml", "changed: true")
    assert checked_out(repository.root).name == "workspace"


def test_the_command_names_the_branch(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write_metrics(repository.root, NEW)
    sha = repository.commit("Learn otherwise")[:7]
    assert run(repository, monkeypatch) == 0
    out = capsys.readouterr().out
    assert f"`main` → `topic ({sha})`" in out
    assert "workspace" not in out
