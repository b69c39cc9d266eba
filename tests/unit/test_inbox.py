"""Batches that wait in an inbox: each added once, the refused named, nothing half-done."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotation.inbox import main
from stages.prepare.batches import load_batches
from tests.repository import write_notes


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    for format in ("jsonl", "brat"):
        (tmp_path / "inbox" / format).mkdir(parents=True)
    return tmp_path / "inbox"


def collect(inbox: Path) -> tuple[int, list[str]]:
    to = inbox.parent / "annotations"
    status = main([str(inbox), "--to", str(to)])
    batches = load_batches(to) if to.is_dir() else []
    return status, [f"{batch.order} {batch.name} {batch.about.format}" for batch in batches]


def write_brat(folder: Path) -> None:
    folder.mkdir()
    (folder / "note.txt").write_text("Gout, on allopurinol.\n", encoding="utf-8")
    (folder / "note.ann").write_text("T1\tDisease 0 4\tGout\nT2\tTreatment 9 20\tallopurinol\n", encoding="utf-8")


def test_files_and_folders_are_added_once(inbox: Path) -> None:
    write_notes(inbox / "jsonl/Ward-3.export.jsonl", 4)
    write_brat(inbox / "brat/ward-4")
    expected = ["1 ward-4 brat", "2 ward-3-export jsonl"]
    assert collect(inbox) == (0, expected)
    assert collect(inbox) == (0, expected)


def test_a_refused_batch_is_named_and_the_others_come_in(inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notes(inbox / "jsonl/good.jsonl", 4)
    (inbox / "jsonl/bad.jsonl").write_text('{"id": "x"}\n', encoding="utf-8")
    assert collect(inbox) == (1, ["1 good jsonl"])
    assert "refused: batch bad" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["word", "notes.jsonl"])
def test_what_names_no_format_is_said(inbox: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (inbox / name).mkdir()
    assert main([str(inbox), "--to", str(inbox.parent / "annotations")]) == 2
    assert f"{name} in the inbox is not a folder named after a format" in capsys.readouterr().err


def test_an_inbox_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none"), "--to", str(tmp_path / "annotations")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "annotations").exists()


def test_parts_of_one_ward_are_batches_of_their_own(inbox: Path) -> None:
    write_notes(inbox / "jsonl/ward-3.2024-01.jsonl", 4)
    write_notes(inbox / "jsonl/ward-3.2024-02.jsonl", 5)
    expected = ["1 ward-3-2024-01 jsonl", "2 ward-3-2024-02 jsonl"]
    assert collect(inbox) == (0, expected)
    assert collect(inbox) == (0, expected)


def test_what_is_passed_over_is_said_with_its_reason(inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notes(inbox / "jsonl/ward-3.jsonl", 4)
    (inbox / "jsonl/.DS_Store").write_bytes(b"\x00")
    (inbox / ".cache").mkdir()
    collect(inbox)
    (inbox / "jsonl/ward-3.jsonl").rename(inbox / "jsonl/renamed.jsonl")
    assert collect(inbox) == (0, ["1 ward-3 jsonl"])
    out = capsys.readouterr().out
    assert "jsonl/renamed.jsonl passed over: it is batch ward-3 already" in out
    assert ".DS_Store passed over: it is hidden" in out
    assert ".cache passed over: it is hidden" in out
    assert out.endswith("inbox: 0 added, 0 refused, 1 there already\n")


def test_another_content_under_a_known_name_is_refused_and_both_are_named(
    inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notes(inbox / "jsonl/ward-3.jsonl", 4)
    collect(inbox)
    write_notes(inbox / "jsonl/ward-3.jsonl", 5)
    assert collect(inbox) == (1, ["1 ward-3 jsonl"])
    wanted = "jsonl/ward-3.jsonl has another content than the batch ward-3, which was added from ward-3.jsonl"
    assert wanted in capsys.readouterr().err


def test_two_that_would_have_one_name_are_both_refused_and_named(
    inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notes(inbox / "jsonl/ward-3.jsonl", 4)
    write_notes(inbox / "jsonl/Ward 3.jsonl", 5)
    write_notes(inbox / "jsonl/ward-4.jsonl", 6)
    assert collect(inbox) == (1, ["1 ward-4 jsonl"])
    out, err = capsys.readouterr()
    assert out.endswith("inbox: 1 added, 2 refused, 0 there already\n")
    assert "jsonl/Ward 3.jsonl and jsonl/ward-3.jsonl would be the batch of one name, ward-3" in err
    assert "jsonl/ward-3.jsonl and jsonl/Ward 3.jsonl would be the batch of one name, ward-3" in err


def test_a_name_that_looks_like_a_pattern_is_a_name(inbox: Path) -> None:
    """As browsers name what is downloaded twice."""
    write_notes(inbox / "jsonl/export[1].jsonl", 4)
    write_brat(inbox / "brat/ward[4]*")
    expected = ["1 ward-4 brat", "2 export-1 jsonl"]
    assert collect(inbox) == (0, expected)
    assert collect(inbox) == (0, expected)


@pytest.mark.parametrize("place", ["jsonl/linked.jsonl", "brat/folder/note.txt"])
def test_a_link_that_leads_nowhere_is_refused_and_the_others_come(
    inbox: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notes(inbox / "jsonl/good.jsonl", 1)
    (inbox / place).parent.mkdir(exist_ok=True)
    (inbox / place).symlink_to("nowhere")
    assert collect(inbox) == (1, ["1 good jsonl"])
    printed = capsys.readouterr()
    assert f"file {'/'.join(place.split('/')[:2])}: holds a link that leads nowhere" in printed.err
    assert "added batch good, number 1: 1 document, " in printed.out


@pytest.mark.parametrize("place", ["jsonl/linked.jsonl", "brat/linked", "brat/folder/note.txt"])
def test_a_link_brings_nothing_in_and_the_others_come(
    inbox: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may write to an inbox may not read what the one who collects may."""
    write_notes(inbox / "jsonl/good.jsonl", 4)
    write_notes(inbox.parent / "secret.jsonl", 4)
    write_brat(inbox.parent / "secret")
    (inbox / place).parent.mkdir(exist_ok=True)
    (inbox / place).symlink_to(inbox.parent / ("secret" if place == "brat/linked" else "secret.jsonl"))
    assert collect(inbox) == (1, ["1 good jsonl"])
    printed = capsys.readouterr()
    assert f"file {'/'.join(place.split('/')[:2])}: holds a link" in printed.err
    assert "1 refused" in printed.out


def test_an_export_whose_name_has_no_letter_is_named_as_it_lies_there(
    inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notes(inbox / "jsonl/病棟.jsonl", 4)
    assert collect(inbox)[0] == 1
    assert "refused: batch jsonl/病棟.jsonl: the name is not usable" in capsys.readouterr().err
