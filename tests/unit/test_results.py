"""What a job that runs a branch's code hands over is data: anything else is refused, whole and before it is used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from delivery import comment, propose
from delivery.errors import DeliveryError
from delivery.publish import TRAILER, publish_results
from delivery.results import collect
from delivery.revision import handed_over
from delivery.revision.git import commit_files, git
from delivery.revision.handed_over import Results, read
from tests.graphs import clone, hand_over, job_of, others_push, pushed, run_graph, writer_of

Plant = Callable[[Path], object]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return job_of(tmp_path, monkeypatch)


@pytest.fixture
def handed(job: Path) -> Path:
    """What `job`, whose graph has been run again, hands over, with its report."""
    return hand_over(job)


@pytest.fixture
def writer(job: Path) -> Path:
    """A clone of another branch, from whose code the results are published."""
    return writer_of(job)


def text(name: str, content: str | bytes) -> Plant:
    def plant(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return plant


def link(name: str, target: str) -> Plant:
    def plant(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return plant


def lock(**changes: object) -> Plant:
    def plant(folder: Path) -> None:
        content = yaml.safe_load((folder / "dvc.lock").read_text())
        content["stages"]["score"] |= changes
        (folder / "dvc.lock").write_text(yaml.safe_dump(content))

    return plant


def entry(path: str) -> list[dict[str, object]]:
    return [{"path": path, "md5": "0" * 32}]


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
DESCRIBED = "outs:\n- {md5: 1df458b3d24ec4facf2e4825666c098b.dir, hash: md5, path: annotations}\n"
PLANTED: dict[str, tuple[Plant, str]] = {
    "code": (text("delivery/publish.py", "print()"), "publish.py.* may not be handed over"),
    "a workflow": (text(".github/workflows/tests.yml", "{}"), "may not"),
    "code beside metrics": (text("metrics/score.py", "print()"), "may not"),
    "a metric below a folder": (text("metrics/a/score.json", "{}"), "may not"),
    "a name that git quotes": (text("metrics/sc\nore.json", "{}"), "may not"),
    "data": (text("data/annotations.dvc", DESCRIBED), "may not"),
    "a link": (link("report.md", "/etc/passwd"), "link"),
    "a link to a folder": (link("more", "/etc"), "link"),
    "a pipe": (lambda folder: os.mkfifo(folder / "failure.md"), "no regular file"),
    "many files": (lambda folder: [text(f"{n}.md", "")(folder) for n in range(handed_over.MOST)], "more than"),
    "a large report": (text("report.md", "x" * (handed_over.LARGEST[".md"] + 1)), "larger than"),
    "a large metric": (text("metrics/score.json", " " * (handed_over.LARGEST_OTHER + 1)), "larger than"),
    "bytes": (text("report.md", b"\xff"), "not UTF-8"),
    "an escape sequence": (text("failure.md", "\x1b[2J"), "control"),
    "no JSON": (text("metrics/score.json", "{"), "no JSON"),
    "NaN": (text("metrics/score.json", '{"f1": NaN}'), "no JSON"),
    "infinity in digits": (text("metrics/score.json", '{"f1": 1e999}'), "no JSON"),
    "a number that no float holds": (text("metrics/score.json", f'{{"f1": {"9" * 400}}}'), "no JSON"),
    "half a character": (text("metrics/score.json", '{"f1": "\\ud800"}'), "no JSON"),
    "a list": (text("metrics/score.json", "[]"), "no JSON object"),
    "deep JSON": (text("metrics/score.json", '{"a":' * 100_000), "no JSON"),
    "no CSV": (text("metrics/documents.csv", 'a,b\n"1'), "no CSV"),
    "a ragged CSV": (text("metrics/documents.csv", "a,b\n1\n"), "different lengths"),
    "no YAML": (text("dvc.lock", "{"), "not as DVC writes it"),
    "a bomb": (text("dvc.lock", BOMB), "refers to itself"),
    "deep YAML": (text("dvc.lock", "[" * 20_000), "not as DVC writes it"),
    "YAML that takes hours": (text("dvc.lock", "[" * 200_000), "levels"),
    "a type that does not fit": (text("dvc.lock", "schema: !!bool x\n"), "names the type"),
    "a number in base 60": (text("dvc.lock", f"schema: {':'.join(['1'] * 100_000)}\n"), "more than 1,000 characters"),
    "a number beyond floats": (text("dvc.lock", f"schema: {':'.join(['1'] * 450)}.5\n"), "OverflowError"),
    "an object of Python": (text("dvc.lock", "!!python/object/apply:os.system [ls]"), "not as DVC writes it"),
    "another schema": (text("dvc.lock", "schema: '1.0'\nstages: {}\n"), "schema"),
    "a key that DVC has not": (lock(frozen=True), "frozen"),
    "a path outside": (lock(outs=entry("../../score.json")), "outs"),
    "an absolute path": (lock(deps=entry("/etc/passwd")), "deps"),
    "no commit": (lambda folder: (folder / "source.json").unlink(), "belong together"),
    "no lock": (lambda folder: (folder / "dvc.lock").unlink(), "belong together"),
    "a name for a commit": (text("source.json", '{"commit": "--upload-pack=x"}'), "belong together"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_may_not_be_there_is_refused(handed: Path, name: str) -> None:
    plant, words = PLANTED[name]
    assert read(handed).files
    plant(handed)
    with pytest.raises(DeliveryError, match=words):
        read(handed)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{DESCRIBED}cmd: curl x | sh\n", "cmd"),
        (DESCRIBED.replace("path: annotations", "path: ../stages"), "path"),
        (DESCRIBED.replace("path: annotations", "path: incoming"), "something else"),
        (DESCRIBED.replace("1df4", "XXXX"), "md5"),
        ("outs: []\n", "outs"),
    ],
)
def test_data_that_comes_with_a_command_or_from_elsewhere_is_refused(handed: Path, content: str, words: str) -> None:
    text("data/annotations.dvc", DESCRIBED)(handed)
    assert "data/annotations.dvc" in read(handed, with_data=True).files
    text("data/annotations.dvc", content)(handed)
    with pytest.raises(DeliveryError, match=words):
        read(handed, with_data=True)


def test_a_graph_that_failed_hands_over_words_only(tmp_path: Path) -> None:
    text("failure.md", "**no**\n")(tmp_path)
    assert read(tmp_path) == Results(None, {}, None, "**no**\n")


def test_a_graph_that_is_out_of_date_hands_over_nothing(job: Path) -> None:
    (job / "code.py").write_text("3\n", encoding="utf-8")
    with pytest.raises(DeliveryError, match=r"code.py changed"):
        collect(job.parent / "handed", with_data=False, root=job)
    assert not (job.parent / "handed").exists()


# ---- published ------------------------------------------------------------------------------------


def test_results_come_on_top_of_their_branch_and_nothing_is_checked_out(job: Path, handed: Path, writer: Path) -> None:
    source = git("rev-parse", "HEAD", root=job).strip()
    before = git("rev-parse", "HEAD", root=writer)
    assert publish_results("work", read(handed), writer)
    assert pushed(job) == ["Reproduce the graph", "Change the code", "Begin"]
    changed = git("show", "--format=", "--name-only", "refs/remotes/origin/work", root=job).split()
    assert changed == ["dvc.lock", "metrics/score.json"]
    trailer = git("log", "-1", f"--format=%(trailers:key={TRAILER},valueonly)", "refs/remotes/origin/work", root=job)
    assert trailer.strip() == source
    assert git("rev-parse", "HEAD", root=writer) == before
    assert not git("status", "--porcelain", root=writer)
    assert not publish_results("work", read(handed), writer)


def test_what_the_graph_does_not_write_is_refused(handed: Path, writer: Path) -> None:
    text("metrics/other.json", "{}")(handed)
    with pytest.raises(DeliveryError, match=r"metrics/other.json is no output"):
        publish_results("work", read(handed), writer)


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (lock(outs=[*entry("metrics/score.json"), *entry("code.py")]), "same stages and outputs"),
        (text("metrics/score.json", '{"score": 1}'), r"score.json is not what it wrote"),
        (lock(cmd="./other"), "its command changed"),
        (lock(deps=entry("code.py")), "code.py changed"),
    ],
)
def test_a_lock_that_does_not_hold_is_refused(job: Path, handed: Path, writer: Path, plant: Plant, words: str) -> None:
    plant(handed)
    with pytest.raises(DeliveryError, match=words):
        publish_results("work", read(handed), writer)
    assert pushed(job)[0] == "Change the code"


def test_a_commit_of_elsewhere_is_refused(job: Path, handed: Path, writer: Path) -> None:
    elsewhere = commit_files({"README.md": b""}, git("rev-parse", "HEAD", root=writer).strip(), "Elsewhere", writer)
    text("source.json", json.dumps({"commit": elsewhere}))(handed)
    with pytest.raises(DeliveryError, match="other inputs"):
        publish_results("work", read(handed), writer)


def test_what_is_pushed_meanwhile_and_does_not_matter_stays_below(
    job: Path, handed: Path, writer: Path, tmp_path: Path
) -> None:
    others_push(tmp_path, "README.md")
    assert publish_results("work", read(handed), writer)
    assert pushed(job)[:2] == ["Reproduce the graph", "Change README.md"]


@pytest.mark.parametrize("name", ["code.py", "dvc.lock"])
def test_results_of_older_inputs_are_not_handed_to_newer_ones(
    job: Path, handed: Path, writer: Path, tmp_path: Path, name: str
) -> None:
    others_push(tmp_path, name)
    with pytest.raises(DeliveryError, match="other inputs meanwhile"):
        publish_results("work", read(handed), writer)
    assert pushed(job)[0] == f"Change {name}"


def test_a_push_that_comes_between_is_met(job: Path, handed: Path, writer: Path, tmp_path: Path) -> None:
    """The first push is refused, as when another came first; the next finds where it belongs."""
    hook = tmp_path / "origin.git/hooks/pre-receive"
    hook.write_text(
        f"#!/bin/sh\ntest -e {tmp_path}/once && exit 0\ntouch {tmp_path}/once\n"
        f"unset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/work {_later(tmp_path)}\nexit 1\n",
        encoding="utf-8",
    )
    hook.chmod(0o755)
    assert publish_results("work", read(handed), writer)
    assert pushed(job)[:2] == ["Reproduce the graph", "Change README.md"]


def _later(tmp_path: Path) -> str:
    """Put a commit into origin that is on no branch yet."""
    head = git("rev-parse", "work", root=tmp_path / "origin.git").strip()
    made = commit_files({"README.md": b"theirs\n"}, head, "Change README.md", tmp_path / "origin.git")
    assert made
    return made


def test_a_graph_that_never_settles_is_not_handed_over_for_ever(
    job: Path, handed: Path, writer: Path, tmp_path: Path
) -> None:
    publish_results("work", read(handed), writer)
    later = clone(tmp_path, "later")
    run_graph(later, luck=" and luck")
    collect(tmp_path / "again", with_data=False, root=later)
    with pytest.raises(DeliveryError, match="depends on the machine"):
        publish_results("work", read(tmp_path / "again"), writer)


def test_a_protected_branch_is_said_of_results_too(handed: Path, writer: Path, tmp_path: Path) -> None:
    hook = tmp_path / "origin.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'this branch is protected' >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    with pytest.raises(DeliveryError, match=r"does not take the push to work.*this branch is protected"):
        publish_results("work", read(handed), writer)


# ---- offered and said -----------------------------------------------------------------------------


def test_results_of_main_become_a_branch_once(job: Path, handed: Path, writer: Path) -> None:
    branch, fresh = propose.push_results(read(handed), "work", writer)
    assert fresh
    assert branch.startswith("retrain/")
    assert propose.push_results(read(handed), "work", writer) == (branch, False)
    git("fetch", "--quiet", "origin", root=job)
    assert git("diff", "--name-only", "HEAD", f"refs/remotes/origin/{branch}", root=job).split() == [
        "dvc.lock",
        "metrics/score.json",
    ]
    assert not git("status", "--porcelain", root=writer)


def test_results_of_another_branch_are_not_offered(handed: Path, writer: Path) -> None:
    with pytest.raises(DeliveryError, match="of no commit of trusted"):
        propose.push_results(read(handed), "trusted", writer)


def test_results_that_are_there_are_not_offered(job: Path, handed: Path, writer: Path, tmp_path: Path) -> None:
    publish_results("work", read(handed), writer)
    later = clone(tmp_path, "later")
    collect(tmp_path / "again", with_data=False, root=later)
    with pytest.raises(DeliveryError, match="nothing to offer"):
        propose.push_results(read(tmp_path / "again"), "work", writer)


def test_a_comment_never_repeats_what_a_link_leads_to(
    handed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert comment.main(["--results", str(handed), "--summary-only"]) == 0
    assert "What moved" in summary.read_text()
    summary.write_text("")
    (tmp_path / "secret").write_text("the token")
    link("report.md", str(tmp_path / "secret"))(handed)
    assert comment.main(["--results", str(handed), "--summary-only"]) == 1
    assert summary.read_text() == ""
    assert "link" in capsys.readouterr().err
    assert comment.main(["--results", str(tmp_path / "absent"), "--summary-only"]) == 2
    assert "There is no report" in summary.read_text()
