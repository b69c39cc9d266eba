"""Adding a batch, and reading it back: `annotation.add` and `stages.prepare.batches`."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from annotation import add
from annotation.add import main
from stages.common.command import COULD_NOT, DONE, REFUSED
from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare import batches
from stages.prepare.batches import digest, load_batch, load_batches, read_batch
from stages.prepare.mapping import read_mapping

TEXT = "Gout was treated with colchicine."
TO = Path("data/annotations")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    mapping = Path("data/mapping/labels.csv")
    mapping.parent.mkdir(parents=True)
    mapping.write_text("source_label,label\nDisease,Disease\nDrug,Treatment\n")
    Path("params.yaml").write_text("labels: [Disease, Treatment]\n")
    write("notes.jsonl", "n1", TEXT)
    return tmp_path


def write(path: str, id: str, text: str, label: str = "Disease") -> None:
    line = f'{{"id": "{id}", "text": "{text}", "mentions": [{{"start": 0, "end": 4, "label": "{label}"}}]}}\n'
    Path(path).write_text(line)


def run(path: str = "notes.jsonl", name: str = "first", *more: str) -> int:
    return main([path, "--format", "jsonl", "--name", name, *more])


def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest(path) if path.is_file() else "" for path in folder.rglob("*")}


def find(monkeypatch: pytest.MonkeyPatch, *findings: object) -> None:
    """Let the annotation checks find exactly these."""
    import stages.validate.annotations as checks

    monkeypatch.setattr(checks, "check_documents", lambda documents: list(findings))


def test_a_batch_lies_untouched_beside_its_description() -> None:
    assert run("notes.jsonl", "first", "--split", "test", "--source", "Ward 3, 2024: été", "--licence", "no") == DONE
    folder = TO / "first"
    assert (folder / "export" / "notes.jsonl").read_bytes() == Path("notes.jsonl").read_bytes()
    described = yaml.safe_load((folder / "batch.yaml").read_text(encoding="utf-8"))
    assert re.fullmatch("[0-9a-f]{32}", described.pop("key"))
    assert described == {
        "name": "first",
        "order": 1,
        "format": "jsonl",
        "labels": None,
        "mapping": None,
        "overlaps": "refuse",
        "discontinuous": "refuse",
        "split": "test",
        "source": "Ward 3, 2024: été",
        "licence": "no",
        "documents": 1,
        "mentions": 1,
        "sha256": {"notes.jsonl": hashlib.sha256(Path("notes.jsonl").read_bytes()).hexdigest()},
    }
    assert sorted(entry.name for entry in TO.iterdir()) == ["first"]


@pytest.mark.parametrize(("mask", "of_folder", "of_file"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600)])
def test_the_umask_says_who_may_read_a_batch(mask: int, of_folder: int, of_file: int) -> None:
    before = os.umask(mask)
    try:
        assert run() == DONE
    finally:
        os.umask(before)
    found = {stat.S_IMODE(path.stat().st_mode) for path in (TO / "first").rglob("*") if path.is_file()}
    assert (stat.S_IMODE((TO / "first").stat().st_mode), found) == (of_folder, {of_file})


def test_every_batch_has_a_key_of_its_own() -> None:
    run()
    write("others.jsonl", "n2", "Gout came back.")
    run("others.jsonl", "second")
    first, second = load_batches(TO)
    assert first.about.key != second.about.key
    assert first.public_name("n1") != second.public_name("n1")


def test_the_summary_says_what_came_in_and_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    run()
    out = capsys.readouterr().out
    assert "documents  1" in out
    assert "mentions   1 (Disease 1)" in out
    assert out.endswith("next:\n  dvc add data/annotations\n  dvc repro\n  dvc push\n")


def test_batches_are_numbered_as_they_arrive() -> None:
    write("second.jsonl", "n2", "Gout again.")
    assert run() == DONE
    assert run("second.jsonl", "a-second") == DONE
    assert [(batch.name, batch.order) for batch in load_batches(TO)] == [("first", 1), ("a-second", 2)]


def test_a_folder_with_sub_folders_is_taken_as_it_is() -> None:
    Path("export/deep").mkdir(parents=True)
    write("export/a.jsonl", "n1", TEXT)
    write("export/deep/b.jsonl", "n2", TEXT)
    Path("export/README.md").write_text("About.")
    Path("export/.DS_Store").write_bytes(b"\x00")
    assert run("export") == DONE
    batch = load_batch(TO / "first")
    assert set(batch.about.sha256) == {"a.jsonl", "deep/b.jsonl", "README.md"}
    assert set(tree(TO / "first" / "export")) == {"a.jsonl", "deep", "deep/b.jsonl", "README.md"}
    assert [document.id for document in read_batch(batch)] == ["n1", "n2"]


def test_labels_of_a_batch_travel_with_it() -> None:
    write("notes.jsonl", "n1", TEXT, label="Dx")
    Path("mine.csv").write_text("source_label,label\nDx,Disease\n")
    assert run() == REFUSED
    assert run("notes.jsonl", "first", "--labels", "mine.csv") == DONE
    (batch,) = load_batches(TO)
    assert batch.about.mapping == "labels.csv"
    assert batch.mapping == {"Dx": "Disease"}
    assert read_batch(batch)[0].mentions[0].label == "Dx"


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("label,source_label\nDisease,Disease\n", "labels.csv, line 1: has another header"),
        ("source_label,label\nDisease\n", "line 2: is not a pair"),
        ("source_label,label\nDisease,\n", "maps no label"),
        ("source_label,label\nDisease,Illness\n", "line 2: maps to 'Illness', which is no label"),
        ("source_label,label\nDisease,Disease\nDisease,Treatment\n", "line 3: maps a source label a second time"),
        ('source_label,label\n"Disease,Disease\n', "is not valid CSV"),
        ("source_label,label\n", "maps no label"),
        (f"source_label,label\n{'x' * 200_000},Disease\n", "line 2: is not valid CSV"),
    ],
)
def test_a_malformed_mapping_is_refused(content: str, refusal: str) -> None:
    Path("labels.csv").write_text(content)
    with pytest.raises(AnnotationError) as caught:
        read_mapping(Path("labels.csv"))
    assert refusal in str(caught.value)


def test_a_batch_of_which_all_is_left_out_is_refused_with_what_was(capsys: pytest.CaptureFixture[str]) -> None:
    Path("labels.csv").write_text("source_label,label\nDisease,\nDrug,Treatment\n")
    assert run("notes.jsonl", "first", "--labels", "labels.csv") == REFUSED
    said = capsys.readouterr().err
    assert "no mention in 1 document; marked, but left out: 1 ignored (Disease 1). See what the labels" in said


def test_every_line_of_the_shared_mapping_that_leads_to_no_label_is_named_at_once() -> None:
    run()
    Path("params.yaml").write_text("labels: [Disease]\n")
    with Path("data/mapping/labels.csv").open("a") as file:
        file.write("Chemical,Treatment\n")
    with pytest.raises(AnnotationError) as caught:
        load_batch(TO / "first")
    first, *lines = str(caught.value).splitlines()
    assert first == "2 faults:"  # of no batch: the mapping is everybody's
    assert [line.split(": ")[0] for line in lines] == [f"  file data/mapping/labels.csv, line {n}" for n in (3, 4)]


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "..", "a\n", "é", "a" * 65])
def test_a_name_that_is_no_folder_name_is_refused(name: str, home: Path) -> None:
    before = tree(home)
    assert main(["notes.jsonl", "--format", "jsonl", f"--name={name}"]) == COULD_NOT
    assert tree(home) == before


def test_no_batch_takes_the_place_of_those_that_were_not_fetched(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TO.with_name("annotations.dvc").parent.mkdir(exist_ok=True)
    TO.with_name("annotations.dvc").write_text("outs: []\n")
    before = tree(home)
    assert run() == COULD_NOT
    assert tree(home) == before
    assert "make data" in capsys.readouterr().err


def test_labels_are_counted_in_the_order_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    Path("params.yaml").write_text("labels: [Treatment, Disease]\n")
    mentions = '{"start": 0, "end": 4, "label": "Disease"}, {"start": 22, "end": 32, "label": "Drug"}'
    Path("notes.jsonl").write_text(f'{{"id": "n1", "text": "{TEXT}", "mentions": [{mentions}]}}\n')
    assert run() == DONE
    assert "mentions   2 (Treatment 1, Disease 1)" in capsys.readouterr().out


def test_a_name_that_exists_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    before = tree(home)
    assert run() == REFUSED
    assert "batch first: a batch of this name exists. Choose another" in capsys.readouterr().err
    assert tree(home) == before


def test_a_missing_export_is_refused(home: Path) -> None:
    before = tree(home)
    assert run("nothing.jsonl") == COULD_NOT
    assert tree(home) == before


@pytest.mark.parametrize("linked", ["file", "folder", "export", "pipe"])
def test_links_and_pipes_are_refused(linked: str, home: Path) -> None:
    Path("export").mkdir()
    if linked == "file":
        Path("export/a.jsonl").symlink_to(home / "notes.jsonl")
    elif linked == "folder":
        write("export/a.jsonl", "n1", TEXT)
        Path("export/deep").symlink_to(home)
    elif linked == "pipe":
        os.mkfifo("export/a.jsonl")
    else:
        write("export/a.jsonl", "n1", TEXT)
        Path("link").symlink_to("export")
    assert run("link" if linked == "export" else "export") == REFUSED
    assert not TO.exists()


def test_an_error_of_the_checks_refuses_and_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from stages.validate.findings import Finding

    find(monkeypatch, Finding("a", "error", 2, "2 mentions are odd. Mend them."), Finding("b", "warning", 1, "Hm."))
    before = tree(home)
    assert run() == REFUSED
    assert "batch first: 2 mentions are odd. Mend them. Correct the annotations" in capsys.readouterr().err
    assert tree(home) == before


def test_a_warning_of_the_checks_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from stages.validate.findings import Finding

    find(monkeypatch, Finding("b", "warning", 1, "1 sentence is long."))
    assert run() == DONE
    captured = capsys.readouterr()
    assert captured.err == "warning: 1 sentence is long.\n"
    assert "warnings   1" in captured.out


def test_checks_see_the_labels_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    import stages.validate.annotations as checks

    seen: list[str] = []

    def look(documents: list[Document]) -> list[object]:
        seen.extend(mention.label for document in documents for mention in document.mentions)
        return []

    monkeypatch.setattr(checks, "check_documents", look)
    write("notes.jsonl", "n1", TEXT, label="Drug")
    assert run() == DONE
    assert seen == ["Treatment"]


def test_known_documents_are_warned_of_by_name_never_by_text(capsys: pytest.CaptureFixture[str]) -> None:
    run()
    write("again.jsonl", "n9", TEXT)
    assert run("again.jsonl", "second") == DONE
    warning = capsys.readouterr().err
    assert "1 document already in other batches, word for word: n9 (as first/n1)" in warning
    assert "colchicine" not in warning


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS])
def test_a_failure_while_storing_leaves_nothing(
    fault: int, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    before = tree(home)

    def fail(*_: object) -> None:
        raise OSError(fault, os.strerror(fault), "data/annotations")

    monkeypatch.setattr(add, "_flush", fail)
    assert run("notes.jsonl", "second") == COULD_NOT
    assert capsys.readouterr().err.startswith(f"add: {os.strerror(fault)} (data/annotations): make room, or mend")
    assert tree(home) == before


def test_a_bug_is_no_traceback_and_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise KeyError(TEXT)

    monkeypatch.setattr(add, "_check", fail)
    assert run() == COULD_NOT
    err = capsys.readouterr().err
    assert err.startswith("add: stopped by an unforeseen KeyError in test_add.py, line ")
    assert "colchicine" not in err


def test_batches_go_into_a_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    before = tree(home)
    assert run("notes.jsonl", "first", "--to", "file") == COULD_NOT
    assert "--to is not a folder" in capsys.readouterr().err
    assert tree(home) == before


def test_folders_nested_without_end_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1300):  # by descriptors: the path would be too long to name
        os.mkdir("deep", dir_fd=here)
        inner = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    try:
        assert run(".", "first", "--to", "batches") == REFUSED
        assert "has folders within folders, more than 32 deep" in capsys.readouterr().err
    finally:  # what removes the folder of a test recurses, too
        subprocess.run(["rm", "-r", "deep"], check=True)


def test_one_at_a_time_numbers_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both would read the batches that are there before either has stored its own."""
    both = threading.Barrier(2)
    load = batches.load_batches

    def meet(folder: Path) -> list[batches.Batch]:
        found = load(folder)
        with suppress(threading.BrokenBarrierError):  # one waits outside, as it should
            both.wait(timeout=1)
        return found

    monkeypatch.setattr(batches, "load_batches", meet)
    write("other.jsonl", "n2", "Gout again.")
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(run, ["notes.jsonl", "other.jsonl"], ["first", "second"])) == [DONE, DONE]
    assert sorted(batch.order for batch in load(TO)) == [1, 2]


def test_an_export_that_changes_while_it_is_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    before = tree(TO)
    original = add._check

    def change(documents: list[Document]) -> list[str]:
        write("notes.jsonl", "n1", "Gout is gone.")
        return original(documents)

    monkeypatch.setattr(add, "_check", change)
    assert run("notes.jsonl", "second") == REFUSED
    assert "the export changed while it was read" in capsys.readouterr().err
    assert tree(TO) == before


# --- batches on disk --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "refusal"),
    [
        (lambda f: (f / "export/notes.jsonl").write_text("{}"), r"batch first, file notes\.jsonl: differs from its"),
        (lambda f: (f / "export/notes.jsonl").unlink(), r"file notes\.jsonl: is missing.*dvc checkout"),
        (lambda f: (f / "export/more.jsonl").write_text("{}"), r"file more\.jsonl: is not listed"),
        (lambda f: shutil.rmtree(f / "export"), r"the export does not exist"),
    ],
)  # fmt: skip
def test_a_batch_that_was_tampered_with_is_refused(damage, refusal: str) -> None:  # type: ignore[no-untyped-def]
    run()
    (batch,) = load_batches(TO)
    damage(batch.folder)
    with pytest.raises(AnnotationError, match=refusal):
        read_batch(batch)


def test_a_link_in_a_stored_export_is_refused_even_with_the_same_content() -> None:
    run()
    (batch,) = load_batches(TO)
    path = batch.folder / "export/notes.jsonl"
    path.rename("elsewhere.jsonl")
    path.symlink_to(Path("elsewhere.jsonl").absolute())
    with pytest.raises(AnnotationError, match="is a link"):
        read_batch(batch)


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ("order: 1", "order: one", r"batch first, file batch\.yaml: is malformed: order"),
        ("order: 1", "order: 0", "order"),
        ("order: 1", "order: 1\nextra: 1", "extra"),
        ("order: 1", "order: [", r"line \d+: is not valid YAML"),
        ("order: 1", "order: 2020-13-45", "is not valid YAML"),
        ("order: 1", "order: !!bool y", "is not valid YAML"),
        ("format: jsonl", "format: xml", "the format is unknown"),
        ("split: null", "split: validation", "split"),
        ("name: first", "name: other", "lies in a folder of another name"),
        ("mapping: null", "mapping: labels.csv", r"file labels\.csv: is missing"),
        ("labels: null\nmapping: null", "labels: labels.csv", r"file labels\.csv: is missing"),  # as it was called
        ("labels: null", "labels: []", "labels"),
        ("labels: null", "labels: ['']", r"labels\.0"),
        ("labels: null", "labels: ['Disease, {{ x }}']", r"labels\.0"),
        ("overlaps: refuse", "overlaps: shortest", "overlaps"),
    ],
)
def test_a_malformed_description_is_refused(old: str, new: str, refusal: str) -> None:
    run()
    path = TO / "first/batch.yaml"
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))
    with pytest.raises(AnnotationError, match=refusal):
        load_batches(TO)


def test_counts_that_the_reader_no_longer_finds_are_refused() -> None:
    run()
    path = TO / "first/batch.yaml"
    path.write_text(path.read_text().replace("mentions: 1", "mentions: 2"))
    with pytest.raises(AnnotationError, match="reads as 1 document and 1 mention,"):
        read_batch(load_batch(TO / "first"))


def test_two_batches_of_one_order_are_refused() -> None:
    run()
    shutil.copytree(TO / "first", TO / "second")
    path = TO / "second/batch.yaml"
    path.write_text(path.read_text().replace("name: first", "name: second"))
    with pytest.raises(AnnotationError, match=r"batch second, file batch\.yaml: has order 1 like batch first"):
        load_batches(TO)


def test_what_an_interrupted_add_leaves_is_not_a_batch() -> None:
    run()
    (TO / ".second.x1").mkdir()
    assert [batch.name for batch in load_batches(TO)] == ["first"]


def test_a_folder_that_is_no_batch_is_refused() -> None:
    run()
    (TO / "stray").mkdir()
    with pytest.raises(AnnotationError, match="batch stray, file stray: is not a batch"):
        load_batches(TO)


# --- what a batch chooses ------------------------------------------------------------------------


OVERLAPPING = """{"id": "n1", "text": "Gout attack at 64.", "mentions": [{"start": 0, "end": 4, "label": "Disease"},
 {"start": 0, "end": 11, "label": "Disease"}, {"start": 15, "end": 17, "label": "Age"}]}"""


def overlapping() -> tuple[str, ...]:
    Path("notes.jsonl").write_text(OVERLAPPING.replace("\n", ""))
    Path("mine.csv").write_text("source_label,label\nDisease,Disease\nAge,\n")
    return "notes.jsonl", "first", "--labels", "mine.csv"


def test_a_choice_is_recorded_and_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = overlapping()
    assert run(*arguments) == REFUSED
    assert "the mention 0-11 overlaps 0-4. Keep one of the two" in capsys.readouterr().err
    assert run(*arguments, "--overlaps", "longest", "--discontinuous", "join") == DONE
    out = capsys.readouterr().out
    assert "  mentions   1 (Disease 1)\n  left out   1 ignored (Age 1)\n  left out   1 overlapping (Disease 1)\n" in out
    (batch,) = load_batches(TO)
    assert (batch.about.overlaps, batch.about.discontinuous, batch.about.mentions) == ("longest", "join", 3)
    (document,) = read_batch(batch)
    assert [mention[:2] for mention in document.mentions] == [(0, 11)]


def test_a_mapping_may_change_what_is_ignored_but_not_what_is_marked() -> None:
    Path("data/mapping/labels.csv").write_text("source_label,label\nDisease,Disease\nAge,\n")
    overlapping()
    assert run("notes.jsonl", "first", "--overlaps", "longest") == DONE
    Path("data/mapping/labels.csv").write_text("source_label,label\nDisease,Disease\nAge,Treatment\n")
    (document,) = read_batch(load_batches(TO)[0])
    assert [mention.label for mention in document.mentions] == ["Disease", "Age"]
    assert document.labels == ("Disease", "Treatment")


def test_what_a_batch_annotates_is_told_and_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == DONE
    assert (
        "  annotates  Disease; no mention of Treatment: taken as not looked for (if it was, " in capsys.readouterr().out
    )
    write("more.jsonl", "n2", "Gout again.")
    assert run("more.jsonl", "second", "--annotates", "Treatment, Disease") == DONE
    assert "  annotates  Disease, Treatment\n" in capsys.readouterr().out
    first, second = load_batches(TO)
    assert (first.about.labels, second.about.labels) == (None, ["Disease", "Treatment"])
    assert [read_batch(batch)[0].labels for batch in (first, second)] == [("Disease",), ("Disease", "Treatment")]


def test_a_batch_that_marks_what_it_does_not_annotate_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("notes.jsonl", "first", "--annotates", "Treatment") == REFUSED
    assert "document n1, offset 0: marks Disease, which is not among the labels" in capsys.readouterr().err
    assert not (TO / "first").exists()


def test_only_labels_of_the_project_can_be_annotated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("notes.jsonl", "first", "--annotates", "Disease,Illness")
    assert "give labels of the project" in capsys.readouterr().err


def test_descriptions_from_before_named_the_mapping_by_labels() -> None:
    run("notes.jsonl", "first")
    path = TO / "first/batch.yaml"
    described = yaml.safe_load(path.read_text())
    for name in ("mapping", "overlaps", "discontinuous"):
        del described[name]
    (TO / "first/labels.csv").write_text("source_label,label\nDisease,Treatment\n")
    path.write_text(yaml.safe_dump({**described, "labels": "labels.csv"}))
    batch = load_batch(TO / "first")
    assert (batch.about.labels, batch.about.mapping, batch.mapping) == (None, "labels.csv", {"Disease": "Treatment"})
    assert read_batch(batch)[0].labels == ("Treatment",)


@pytest.mark.parametrize("content", [None, "labels: []\n", "{"])
def test_labels_that_cannot_be_read_end_in_a_usage_error(
    content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("params.yaml").unlink()
    if content is not None:
        Path("params.yaml").write_text(content)
    with pytest.raises(SystemExit, match="2"):
        run("notes.jsonl", "first", "--annotates", "Disease")
    assert "argument --annotates: params.yaml" in capsys.readouterr().err
