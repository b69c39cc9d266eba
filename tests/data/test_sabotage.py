"""What the gate holds the tables against: their own text, the tokenizer, the batches, and what prepare reported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.documents import Document, Mention
from stages.common.errors import AnnotationError, GateError
from stages.common.files import write_json, write_table, write_text
from stages.params import load_params
from stages.prepare.duplicates import content_hash
from stages.prepare.segmentation import split_sentences, tokenize
from stages.prepare.splits import split_of
from stages.prepare.tables import PlacedDocument, Tables, blocks_of, build_tables
from stages.validate import gate, places, verdict_metrics
from stages.validate.catalogue import SCHEMAS
from stages.validate.originals import check_originals, check_splits
from stages.validate.reported import check_report
from stages.validate.sources import Source, load_sources

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml").prepare
LABELS = {"D": "Disease", "T": "Treatment"}
TEXT = "Known asthma, on inhaled salbutamol 100mcg.\n\nNo wheeze today. Gout settled."


def place(text: str, phrase: str, label: str) -> Mention:
    start = text.index(phrase)
    return Mention(start, start + len(phrase), label)


def built(*documents: Document, context: str | None = None) -> Tables:
    return build_tables(
        PlacedDocument(entry, "ward", context or f"ward/{entry.id}", entry.id, "train", LABELS, entry.id)
        for entry in documents
    )


def note(name: str = "a") -> Document:
    marks = [place(TEXT, *mark) for mark in (("asthma", "D"), ("salbutamol", "T"), ("Gout", "D"))]
    return Document(name, TEXT, tuple(marks))


# --- places -----------------------------------------------------------------------------------

_TEXTS = st.text(st.sampled_from("ab1 2.,5!?\n\t-()。Aé\u00a0•"), max_size=40)


@settings(max_examples=200, deadline=None)
@given(_TEXTS)
def test_what_the_segmentation_makes_of_any_text_covers_it(text: str) -> None:
    tokens = [token for start, end in split_sentences(text) for token in tokenize(text, start, end)]
    assert tokens == tokenize(text)
    rows = places.TokensOf([start for start, _ in tokens], [end for _, end in tokens], [0] * len(tokens))
    assert places.uncovered(text, rows) is None
    for left_out, (start, _) in enumerate(tokens):
        rest = [token for number, token in enumerate(tokens) if number != left_out]
        rows = places.TokensOf([a for a, _ in rest], [b for _, b in rest], [0] * len(rest))
        assert places.uncovered(text, rows) == start


def test_a_text_without_tokens_is_uncovered_where_it_begins() -> None:
    assert places.uncovered("  Seen.", None) == 2
    assert places.uncovered(" \n ", None) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.integers(1, 25)), max_size=5))
def test_mentions_are_placed_as_prepare_places_them(drawn: list[tuple[int, int]]) -> None:
    spans, reach = [], 0
    for start, length in sorted(drawn):
        if start >= reach and start + length <= len(TEXT):
            spans.append(Mention(start, start + length, "D"))
            reach = start + length
    tables = built(Document("a", TEXT, tuple(spans)))
    placed = places.placements(tables.mentions, places.tokens_by_document(tables.tokens))
    assert [placement.aligned for placement in placed] == tables.mentions["aligned"].tolist()
    begun = tables.tokens[tables.tokens["tag"].str.startswith("B-")]["start"].tolist()
    assert [placement.tagged[1] for placement in placed if placement.tagged] == begun


def test_blocks_of_a_file_may_share_a_context_with_their_neighbours_only() -> None:
    text = "Asthma . Gout . Iritis . Scurvy ."
    sentences = tuple((start, text.index(".", start) + 1) for start in (0, 9, 16, 25))
    blocks = blocks_of(Document("file", text, (), sentences, stream=True), 1)
    documents = built(*blocks, context="ward/file#00000").documents
    assert places.neighbours(documents) == [True] * 4
    without_second = documents.drop(index=1).reset_index(drop=True)
    assert places.neighbours(without_second) == [True, False, True]
    two_splits = documents.assign(split=["train", "train", "test", "test"])
    assert places.neighbours(two_splits) == [True, True, False, True]
    for other in ("ward/note", "ward/file2#00002"):
        renamed = documents.replace({"document": {"ward/file#00001": other}})
        assert places.neighbours(renamed) == [True, False, False, True]


def test_tokens_out_of_their_place_are_seen() -> None:
    tables = built(note("a"), note("b"))
    names = tables.documents["document"]
    assert all(places.numbered(tables.tokens, names))
    half = len(tables.tokens) // 2
    swapped = pd.concat([tables.tokens[half:], tables.tokens[:half]], ignore_index=True)
    assert [row for row, right in enumerate(places.numbered(swapped, names)) if not right] == [half]
    lasts = set(tables.tokens[:half].groupby("sentence").tail(1).index)  # missed by the text alone
    for left_out in set(range(half)) - lasts:
        assert not all(places.numbered(tables.tokens.drop(index=left_out), names)), left_out
    torn = pd.concat([tables.tokens[1:half], tables.tokens[half:], tables.tokens[:1]], ignore_index=True)
    assert not places.numbered(torn, names)[-1]


def test_sentences_that_change_places_are_seen() -> None:
    tables = built(note())
    last = tables.tokens["sentence"].max()
    tokens = tables.tokens.assign(sentence=last - tables.tokens["sentence"])
    tokens = tokens.sort_values(["sentence", "token"], kind="stable")
    assert all(places.numbered(tokens, tables.documents["document"]))  # the numbers are right: the offsets are not
    starts, ends = tokens["start"].tolist(), tokens["end"].tolist()
    assert any(start < end for start, end in zip(starts[1:], ends[:-1], strict=True))


# --- the report of prepare --------------------------------------------------------------------


def _without_mention(tables: Tables) -> None:
    """Take a mention out of both tables, as if no one had marked it."""
    start = tables.mentions["start"][0]
    tables.tokens.loc[tables.tokens["start"] == start, "tag"] = "O"
    tables.mentions = tables.mentions.drop(index=0).reset_index(drop=True)


def _without_document(tables: Tables) -> None:
    for name in SCHEMAS:
        frame = getattr(tables, name)
        setattr(tables, name, frame[frame["document"] != "ward/a"].reset_index(drop=True))


def _without_sentence(tables: Tables) -> None:
    last = tables.tokens["sentence"].max()
    first = tables.tokens.loc[tables.tokens["sentence"] == last, "start"].iloc[0]
    tables.tokens = tables.tokens[tables.tokens["sentence"] < last]
    tables.mentions = tables.mentions[tables.mentions["end"] <= first]


def _as_one_sentence(tables: Tables) -> None:
    tables.tokens = tables.tokens.assign(sentence=0)


def _unaligned(tables: Tables) -> None:
    tables.mentions = tables.mentions.assign(aligned=False)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_without_mention, "mentions"),
        (_without_document, "documents"),
        (_without_sentence, "tokens"),
        (_as_one_sentence, "sentences"),
        (_unaligned, "unaligned"),
    ],
)
def test_what_is_gone_from_every_table_alike_is_missed(change: Callable[[Tables], None], named: str) -> None:
    tables = built(note("a"), note("b"))
    said = dict(tables.report)
    whole = gate.Tables(tables.documents, tables.tokens, tables.mentions)
    assert check_report(whole, said) == []
    change(tables)
    (found,) = check_report(gate.Tables(tables.documents, tables.tokens, tables.mentions), said)
    assert (found.check, found.severity) == ("prepare_report", "error")
    assert f" {named} reported" in found.summary


@pytest.mark.parametrize("value", [None, "Words of a note", 1.0, True])
def test_a_report_that_does_not_say_is_no_proof(value: object) -> None:
    tables = built(note())
    frames = gate.Tables(tables.documents, tables.tokens, tables.mentions)
    (found,) = check_report(frames, {**tables.report, "documents": value})
    assert "no documents reported, 1 found" in found.summary
    assert "Words" not in found.message


# --- what the files and the batches say -------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one batch and the tables that prepare makes of it."""
    monkeypatch.chdir(tmp_path)
    tables = built(note("a"), note("b"))
    for name, schema in SCHEMAS.items():
        write_table(Path(f"data/prepared/{name}.parquet"), getattr(tables, name), schema)
    write_json(Path("data/prepared/report.json"), tables.report)
    write_json(Path("data/prepared/labels.json"), {"ward": ["Disease", "Treatment"]})
    write_text(Path("data/mapping/labels.csv"), "source_label,label\nD,Disease\nT,Treatment\n")
    write_text(Path("params.yaml"), "labels: [Disease, Treatment]\n")
    _write_batch(Path("data/annotations/ward"), order=1)
    return tmp_path


def _write_batch(folder: Path, *, order: int, labels: str | None = None, split: str | None = None) -> None:
    lines = [
        {"id": name, "text": TEXT, "mentions": [mention._asdict() for mention in note().mentions]} for name in "ab"
    ]
    export = "".join(json.dumps(line) + "\n" for line in lines)
    write_text(folder / "export/notes.jsonl", export)
    about = {"name": folder.name, "order": order, "format": "jsonl", "labels": None, "split": split, "source": None}
    about |= {"licence": None, "documents": 2, "mentions": 6}
    about |= {"sha256": {"notes.jsonl": hashlib.sha256(export.encode()).hexdigest()}}
    if labels:
        about["labels"] = "labels.csv"
        write_text(folder / "labels.csv", labels)
    write_text(folder / "batch.yaml", json.dumps(about))


def test_the_batches_say_what_was_annotated(repository: Path) -> None:
    own = "source_label,label\nD,Treatment\n"
    _write_batch(Path("data/annotations/own"), order=2, labels=own, split="test")
    found = load_sources(PARAMS)
    annotated = {name: replace(note(name), labels=("Disease", "Treatment")) for name in "ab"}
    ward = {f"ward/{name}": document for name, document in annotated.items()}
    own_documents = {f"own/{name}": replace(note(name), labels=("Treatment",)) for name in "ab"}
    assert found == {
        "ward": Source(LABELS, None, ward, labels=("Disease", "Treatment")),
        "own": Source({"D": "Treatment"}, "test", own_documents, labels=("Treatment",)),
    }
    assert gate.load_prepared(PARAMS).sources == found
    assert set(load_sources(PARAMS.model_copy(update={"batches": ["own"]}))) == {"own"}


def test_an_export_that_was_changed_proves_nothing(repository: Path) -> None:
    path = Path("data/annotations/ward/export/notes.jsonl")
    path.write_text(path.read_text().replace("asthma", "Asthma"))
    with pytest.raises(AnnotationError, match="differs from its hash"):
        gate.load_prepared(PARAMS)


def test_without_batches_nothing_is_proved(repository: Path) -> None:
    Path("data/annotations/ward/batch.yaml").write_text("name: [")
    with pytest.raises(AnnotationError, match="ward"):
        gate.load_prepared(PARAMS)
    Path("data/annotations").rename("elsewhere")
    with pytest.raises(GateError, match="data/annotations is missing"):
        gate.load_prepared(PARAMS)


def test_a_report_that_is_no_object_is_refused(repository: Path) -> None:
    write_json(Path("data/prepared/report.json"), [1])
    with pytest.raises(GateError, match=r"report\.json"):
        gate.load_prepared(PARAMS)


def _write_seconds(values: list[float | None]) -> None:
    path = Path("data/prepared/documents.parquet")
    table = pq.read_table(path)
    column = table.schema.get_field_index("seconds")
    pq.write_table(table.set_column(column, table.schema.field(column), pa.array(values, pa.float64())), path)


def test_a_time_that_is_no_number_is_not_one_that_is_missing(repository: Path) -> None:
    _write_seconds([None, 30.0])
    assert gate.load_prepared(PARAMS).faults == ()
    _write_seconds([None, float("nan")])
    (found,) = gate.load_prepared(PARAMS).faults
    assert (found.check, found.severity, found.count) == ("seconds_not_a_number", "error", 1)
    assert "ward/b" in found.message
    assert "ward/b" not in found.summary


@pytest.mark.parametrize("seconds", [-1.0, 0.0, float("inf"), -float("inf")])
def test_a_time_that_is_none_is_an_error(seconds: float) -> None:
    tables = built(note())
    documents = tables.documents.assign(seconds=[seconds])
    frames = _frames(gate.Tables(documents, tables.tokens, tables.mentions))
    assert frames["documents"]["seconds_are_a_time"].tolist() == [False]


def _frames(tables: gate.Tables) -> dict[str, pd.DataFrame]:
    from stages.validate.frames import content_frames

    documents = tables.documents.assign(seconds=tables.documents["seconds"].astype(float))
    typed = gate.Tables(documents, tables.tokens, tables.mentions)
    return content_frames(
        typed, list(LABELS.values()), near_duplicate=0.7, copied=0.4, sources={"ward": Source(LABELS)}
    )


def test_what_is_right_is_called_right() -> None:
    tables = built(note("a"), Document("b", "Nothing to report.", ()))
    frames = _frames(gate.Tables(tables.documents, tables.tokens, tables.mentions))
    flags = {
        "documents": ["context_is_near", "seconds_are_a_time", "batch_is_known", "split_is_kept"],
        "tokens": ["is_mention", "is_numbered", "is_tokenized", "text_is_there"],
        "mentions": ["is_tagged", "alignment_is_right", "is_bare", "is_in_order", "label_is_mapped", "text_is_there"],
    }
    for name, columns in flags.items():
        assert frames[name][columns].to_numpy().all(), name
    assert np.isnan(frames["documents"]["uncovered_at"]).all()


def test_of_an_unknown_batch_nothing_is_right() -> None:
    tables = built(note())
    documents = tables.documents.assign(batch="other")
    frames = _frames(gate.Tables(documents, tables.tokens, tables.mentions))
    assert not frames["documents"]["batch_is_known"].any()
    assert not frames["mentions"]["label_is_mapped"].any()


def test_a_fault_is_named_with_its_offset() -> None:
    from stages.validate.project import _place

    assert _place({"document": "ward/a", "start": 12, "is_bare": False}) == "ward/a at 12"
    assert _place({"document": "ward/a", "uncovered_at": 7.0}) == "ward/a at 7"
    assert _place({"document": "ward/a", "uncovered_at": float("nan")}) == "ward/a"
    assert _place({"label": "Disease"}) == "Disease"


def test_the_metrics_name_no_place() -> None:
    tables = built(note("a"), note("b"))
    (found,) = check_report(gate.Tables(tables.documents, tables.tokens, tables.mentions), {})[:1]
    verdict = gate.GateVerdict(gate.Outcome(1), (found,))
    assert not verdict.passed
    assert verdict_metrics.metrics_of(verdict)["checks"]["prepare_report"]["message"] == found.summary


# --- the exports ------------------------------------------------------------------------------


def _of_export(*documents: Document) -> dict[str, Source]:
    return {"ward": Source(LABELS, None, {f"ward/{document.id}": document for document in documents})}


def _checks(tables: Tables, sources: dict[str, Source], left_out: object = 0) -> list[tuple[str, int]]:
    whole = gate.Tables(tables.documents, tables.tokens, tables.mentions)
    found = check_originals(whole, sources, {"left_out": left_out})
    assert all(entry.severity == "error" and "asthma" not in entry.message for entry in found)
    return [(entry.check, entry.count) for entry in found]


def test_tables_that_say_what_was_annotated_are_right() -> None:
    documents = note("a"), Document("b", "No change.", metadata={"sex": "f"}, seconds=20.0)
    assert _checks(built(*documents), _of_export(*documents)) == []


_CHANGED = {
    "text_of_the_export": Document("a", TEXT.upper(), note().mentions),
    "mentions_of_the_export": Document("a", TEXT, note().mentions[1:]),
    "mentions_of_the_export, label": Document(
        "a", TEXT, tuple(mention._replace(label="T") for mention in note().mentions)
    ),
    "metadata_of_the_export": Document("a", TEXT, note().mentions, metadata={"month": "2024-01"}),
    "metadata_of_the_export, empty": Document("a", TEXT, note().mentions, metadata={"month": ""}),
    "metadata_of_the_export, time": Document("a", TEXT, note().mentions, seconds=20.0),
    "sentences_of_the_text": Document("a", TEXT, note().mentions, sentences=((0, len(TEXT)),)),
}


@pytest.mark.parametrize("name", _CHANGED)
def test_what_was_changed_in_every_table_alike_is_seen(name: str) -> None:
    check, _, _ = name.partition(",")
    assert _checks(built(_CHANGED[name], note("b")), _of_export(note("a"), note("b"))) == [(check, 1)]


def test_a_changed_mention_is_named_with_its_offset() -> None:
    tables = built(_CHANGED["mentions_of_the_export"])
    whole = gate.Tables(tables.documents, tables.tokens, tables.mentions)
    (found,) = check_originals(whole, _of_export(note()), {"left_out": 0})
    assert found.message.endswith("[documents: ward/a at 6]")


def test_documents_that_no_one_annotated_and_those_that_are_gone() -> None:
    assert _checks(built(note("a"), note("new")), _of_export(note("a"))) == [("document_in_no_export", 1)]
    assert _checks(built(note("a")), _of_export(note("a"), note("b"))) == [("documents_lost", 1)]
    assert _checks(built(note("a")), _of_export(note("a"), note("b")), left_out=1) == []
    for said in (1, None, "0"):
        assert _checks(built(note("a")), _of_export(note("a")), left_out=said) == [("documents_lost", 1)]


def _placed(*rows: tuple[str, str, str]) -> gate.Tables:
    """Build documents of (text, group, split)."""
    tables = build_tables(
        PlacedDocument(Document(str(number), text), "ward", f"ward/{number}", group, split, LABELS, str(number))
        for number, (text, group, split) in enumerate(rows)
    )
    return gate.Tables(tables.documents, tables.tokens, tables.mentions)


def test_the_content_of_a_groups_first_document_gives_its_split() -> None:
    group = content_hash("Seen today.")
    right = split_of(group, PARAMS)
    wrong = next(split for split in ("train", "test") if split != right)
    free, fixed = ({"ward": Source(LABELS, split)} for split in (None, wrong))

    def checks(tables: gate.Tables, sources: dict[str, Source]) -> list[str]:
        return [entry.check for entry in check_splits(tables, sources, PARAMS)]

    follower = ("Seen today again.", group, right)
    assert checks(_placed(("Seen today.", group, right), follower), free) == []
    assert checks(_placed(("Seen today.", group, wrong)), free) == ["split_not_by_content"]
    assert checks(_placed(("Seen today.", group, wrong)), fixed) == []
    assert checks(_placed(follower), free) == ["group_without_founder"]
    assert checks(_placed(("Seen today.", "all in one", right)), free) == ["group_without_founder"]
