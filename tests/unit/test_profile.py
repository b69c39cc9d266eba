"""The profile of a batch: what is counted, and pages that load nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from annotation import profile
from annotation.profile import PYTHON, main, profile_tables
from stages.params import load_params
from stages.prepare.batches import load_batches
from stages.prepare.corpus import prepare
from stages.prepare.tables import Tables
from tests.repository import ROOT, Repository, write_notes


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    write_notes(folder / "notes.jsonl", 12)
    add = ["-m", "annotation.add", str(folder / "notes.jsonl"), "--format", "jsonl", "--name", "made"]
    Repository(ROOT).python(*add, "--to", str(folder / "annotations"))
    return folder / "annotations"


@pytest.fixture(scope="module")
def tables(annotations: Path) -> Tables:
    return prepare(load_batches(annotations), load_params(ROOT / "params.yaml").prepare)


def test_every_note_token_and_mention_is_a_row(tables: Tables) -> None:
    pages = profile_tables(tables)
    assert {name: len(frame) for name, frame in pages.items()} == {
        "notes": 12,
        "tokens": len(tables.tokens),
        "mentions": 24,
    }
    notes = pages["notes"]
    assert notes["mentions_Disease"].tolist() == notes["mentions_Treatment"].tolist() == [1] * 12
    assert notes["tokens"].sum() == len(tables.tokens)
    assert (notes["characters"] == tables.documents["text"].str.len().to_numpy()).all()


def test_a_note_without_mentions_or_tokens_is_a_row_too(tables: Tables) -> None:
    first = tables.documents["document"][0]
    emptied = Tables(
        tables.documents,
        tables.tokens[tables.tokens["document"] != first],
        tables.mentions[tables.mentions["document"] != first],
    )
    row = profile_tables(emptied)["notes"].iloc[0]
    assert (row["tokens"], row["sentences"], row["mentions_Disease"]) == (0, 0, 0)


def test_no_table_has_the_text_or_the_name_of_a_note(tables: Tables) -> None:
    for frame in profile_tables(tables).values():
        written = frame.to_csv()
        assert not [name for name in tables.documents["document"] if name in written]
        assert not [text for text in tables.documents["text"] if text in written]


def test_an_unknown_batch_is_refused_with_those_there_are(
    annotations: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(profile, "PYTHON", Path(__file__))
    assert main(["nowhere", "--annotations", str(annotations)]) == 2
    assert "batch nowhere: there is no such batch" in (error := capsys.readouterr().err)
    assert "made" in error


def test_without_its_environment_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(profile, "PYTHON", tmp_path / "python")
    assert main(["made"]) == 2
    assert "`make profile` builds it" in capsys.readouterr().err


@pytest.mark.slow
def test_the_pages_are_whole_and_load_nothing(annotations: Path, tmp_path: Path) -> None:
    if not (ROOT / PYTHON).is_file():
        pytest.skip("the profiler's environment is not there: `make profile` builds it")
    command = ["-m", "annotation.profile", "made", "--annotations", str(annotations), "--to", str(tmp_path)]
    Repository(ROOT).python(*command)
    pages = {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(pages) == {"mentions.html", "notes.html", "tokens.html"}
    assert "scurvy" in pages["mentions.html"]
    assert "Categorical" in pages["mentions.html"]
    assert not [name for name, page in pages.items() if ">Text<" in page]
    loaded = re.compile(r"""<(script|link|img|iframe)[^>]*(src|href)=["']?https?://|url\(["']?https?://|@import""")
    assert not [name for name, page in pages.items() if loaded.search(page)]
