"""Documents stand where prepare's rules put them, none is gone, and git gets no name but that of the batch's key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from annotation.add import main as add
from stages.common.files import write_text
from stages.params import load_params
from stages.prepare.batches import load_batches
from stages.prepare.corpus import prepare
from stages.validate import gate
from stages.validate.assigned import check_assignment, check_names
from stages.validate.catalogue import SCHEMAS
from stages.validate.project import Project
from stages.validate.sources import Source, load_sources
from tests.repository import ROOT

PARAMS = load_params(ROOT / "params.yaml").prepare


def _note(number: int) -> str:
    """Return a text that copies nothing of another's."""
    return "Gout. " + " ".join(f"finding{number}x{place}" for place in range(60))


def _add(name: str, texts: dict[str, str]) -> None:
    lines = (
        json.dumps({"id": identifier, "text": text, "mentions": [{"start": 0, "end": 4, "label": "DISEASE"}]})
        for identifier, text in texts.items()
    )
    write_text(Path(f"{name}.jsonl"), "\n".join(lines) + "\n")
    assert add([f"{name}.jsonl", "--format", "jsonl", "--name", name]) == 0


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> gate.Prepared:
    """Two batches: single notes, a copy of one, and a note that is half of one split and half of another."""
    monkeypatch.chdir(tmp_path)
    write_text(Path("data/mapping/labels.csv"), "source_label,label\nDISEASE,Disease\n")
    write_text(Path("params.yaml"), "labels: [Disease]\n")
    _add("old", {str(number): _note(number) for number in range(40)})
    batches = load_batches(Path("data/annotations"))
    split = dict(zip(*prepare(batches, PARAMS).documents[["document", "split"]].T.to_numpy(), strict=True))
    train, test = (next(n for n in range(40) if split[f"old/{n}"] == name) for name in ("train", "test"))
    both = f"{_note(train)}. {_note(test)}"
    _add("new", {"copy": f"{_note(train)} today", "both": both, **{str(n): _note(n) for n in range(40, 60)}})
    tables = prepare(load_batches(Path("data/annotations")), PARAMS)
    assert tables.report["left_out"] == 1
    typed = {
        name: pa.Table.from_pandas(getattr(tables, name), schema=schema, preserve_index=False).to_pandas()
        for name, schema in SCHEMAS.items()
    }
    return gate.Prepared(gate.Tables(**typed), tables.report, load_sources(PARAMS))


def _faults(prepared: gate.Prepared) -> dict[str, int]:
    found = [
        *check_assignment(prepared.tables, prepared.sources, PARAMS),
        *check_names(prepared.tables, prepared.sources),
    ]
    assert all(entry.severity == "error" for entry in found)
    return {entry.check: entry.count for entry in found}


def _into_a_train_group(prepared: gate.Prepared) -> None:
    documents = prepared.tables.documents
    founder = documents[documents["split"] == "train"].iloc[0]
    later = (documents["split"] == "test") & (documents.index > founder.name)
    documents.loc[later[later].index[:3], ["group", "split"]] = [founder["group"], "train"]


def _without_test_notes(prepared: gate.Prepared) -> None:
    """With their rows in every table, and counted as left out: reports are files like others."""
    documents = prepared.tables.documents
    gone = documents[documents["split"] == "test"]["document"].tolist()[:3]
    for table in (documents, prepared.tables.tokens, prepared.tables.mentions):
        table.drop(table[table["document"].isin(gone)].index, inplace=True)
    prepared.report["left_out"] += len(gone)


def _with_what_was_left_out(prepared: gate.Prepared) -> None:
    documents = prepared.tables.documents
    documents.loc[documents["document"] == "new/59", "document"] = "new/both"


def _named(make: Callable[[str], str]) -> Callable[[gate.Prepared], None]:
    def plant(prepared: gate.Prepared) -> None:
        documents = prepared.tables.documents
        documents.loc[:2, "public_name"] = documents.loc[:2, "document"].map(make)

    return plant


PLANTED: dict[str, tuple[Callable[[gate.Prepared], None], dict[str, int]]] = {
    "test notes in a group of train": (_into_a_train_group, {"split_or_group": 3}),
    "test notes left out": (_without_test_notes, {"documents_left_out": 3}),
    "a note of two splits": (_with_what_was_left_out, {"documents_left_out": 2, "public_name_by_key": 1}),
    "identifiers": (_named(str), {"public_name_by_key": 3}),
    "names by a constant": (_named(lambda name: f"{len(name):016x}"), {"public_name_by_key": 3}),
}


def test_what_prepare_makes_is_right(prepared: gate.Prepared) -> None:
    assert _faults(prepared) == {}


@pytest.mark.parametrize("name", PLANTED)
def test_what_the_rules_do_not_give_is_an_error(prepared: gate.Prepared, name: str) -> None:
    plant, expected = PLANTED[name]
    plant(prepared)
    assert _faults(prepared) == expected


def test_a_fixed_split_is_kept(prepared: gate.Prepared) -> None:
    """Where a batch fixes a split, that is the rule: for what copies from elsewhere, too, and nothing is left out."""
    documents = prepared.tables.documents
    sources = {
        name: Source(source.mapping, "test" if name == "new" else None, source.documents)
        for name, source in prepared.sources.items()
    }
    elsewhere = int((documents["document"].str.startswith("new/") & (documents["split"] != "test")).sum())
    found = {entry.check: entry.count for entry in check_assignment(prepared.tables, sources, PARAMS)}
    assert found == {"split_or_group": elsewhere, "documents_left_out": 1}


def test_the_gate_asks_for_both(prepared: gate.Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "great_expectations", "great_expectations")
    for name in ("check_assignment", "check_names"):
        with monkeypatch.context() as patch:
            patch.setattr(gate, name, lambda *_, name=name: pytest.fail(name))
            with pytest.raises(pytest.fail.Exception, match=name):
                gate.check(prepared, load_params(ROOT / "params.yaml"), Project(data_docs=False))
