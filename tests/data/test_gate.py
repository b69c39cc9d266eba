"""The gate on the prepared tables: every expectation goes red for its own fault, and nothing fails open."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.add import main as add
from stages.common.annotated import write_annotated
from stages.common.documents import Document, Mention
from stages.common.errors import GateError
from stages.common.files import read_json, write_json, write_table
from stages.common.tables import empty_columns
from stages.common.tags import is_valid_iob2, to_iob2
from stages.params import Params, load_params
from stages.prepare.duplicates import content_hash
from stages.prepare.tables import PlacedDocument, build_tables
from stages.validate import __main__ as command
from stages.validate import frames, gate, incoming, leakage, suites, verdict_metrics
from stages.validate.annotated import check_labels
from stages.validate.catalogue import SCHEMAS, SUITES
from stages.validate.frames import Tables
from stages.validate.project import Project
from stages.validate.sources import Source, annotated_by
from tests.labels import LABELS
from tests.pages import missing

ROOT = Path(__file__).parents[2]
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


# --- tables that pass -------------------------------------------------------------------------


def clean_tables() -> Tables:
    """Ten documents of two sentences; each names a disease of two words and a treatment."""
    columns = {name: empty_columns(schema) for name, schema in SCHEMAS.items()}
    splits = ["train"] * 6 + ["dev"] * 2 + ["test"] * 2
    for number, split in zip(NUMBERS, splits, strict=True):
        text = f"{number} had {number} cough . {number} took {number}ol and {number} rested ."
        name = f"batch/{number}"
        public = f"public {number}"
        row = [name, public, "batch", name, content_hash(text), split, text, None, None, None, None, None, 60.0]
        _append(columns["documents"], row)
        start, place = 0, 0
        labels = {2: "Disease", 7: "Treatment"}
        for place, word in enumerate(text.split()):
            sentence, token = divmod(place, 5) if place < 5 else (1, place - 5)
            tag = {2: "B-Disease", 3: "I-Disease", 7: "B-Treatment"}.get(place, "O")
            _append(columns["tokens"], [name, sentence, token, word, start, start + len(word), tag])
            if place in labels:
                end = start + len(f"{number} cough" if place == 2 else word)
                _append(columns["mentions"], [name, start, end, text[start:end], labels[place], labels[place], True])
            start += len(word) + 1
    return Tables(**{name: _typed(pd.DataFrame(values), SCHEMAS[name]) for name, values in columns.items()})


MEANING = {"Disease": "Disease", "Treatment": "Treatment"}
REPORT = {
    "documents": 10,
    "sentences": 20,
    "tokens": 120,
    "mentions": 20,
    "inside_token": 0,
    "across_sentences": 0,
    "left_out": 0,
}
SALT = "9296"
"""With it the hashes of the clean texts give the splits of the clean tables."""


def clean_sources() -> dict[str, Source]:
    """Give the clean tables exports that say the same."""
    tables = clean_tables()
    marked = tables.mentions.groupby("document")[["start", "end", "source_label"]]
    documents = {
        name: Document(
            name.removeprefix("batch/"),
            text,
            tuple(Mention(*values) for values in marked.get_group(name).itertuples(index=False)),
            sentences=((0, text.index(".") + 1), (text.index(".") + 2, len(text))),
            seconds=60.0,
        )
        for name, text in zip(tables.documents["document"], tables.documents["text"], strict=True)
    }
    return {"batch": Source(MEANING, None, documents), "held-out": Source(MEANING, "test"), "other": Source(MEANING)}


def prepared_of(tables: Tables, **report: object) -> gate.Prepared:
    """Give tables the report and the batches of the clean ones."""
    return gate.Prepared(tables, {**REPORT, **report}, clean_sources())


def in_one_sentence(prepared: gate.Prepared, name: str) -> gate.Prepared:
    """Let the export of a document, too, say that it is one sentence."""
    batch = prepared.sources["batch"]
    whole = replace(batch.documents[name], sentences=((0, len(batch.documents[name].text)),))
    source = replace(batch, documents={**batch.documents, name: whole})
    return replace(prepared, sources={**prepared.sources, "batch": source})


def _append(columns: dict[str, list[object]], row: list[object]) -> None:
    for values, value in zip(columns.values(), row, strict=True):
        values.append(value)


def _typed(frame: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False).to_pandas()


def tracked(root: Path) -> dict[str, str]:
    """Hash every file under a folder."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a fresh clone has it: only what is written by the command, and the .gitignore."""
    folder = tmp_path_factory.mktemp("clone")
    suites.write_project(folder / "great_expectations")
    shutil.copy(ROOT / "great_expectations/.gitignore", folder / "great_expectations/.gitignore")
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def project(workspace: Path) -> Iterator[Project]:
    """One context for all tests: opening it takes seconds."""
    opened = Project(workspace / "great_expectations")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opened, "build_data_docs", lambda: None)
        yield opened


@pytest.fixture(scope="module")
def params() -> Params:
    loaded = load_params(ROOT / "params.yaml")
    bounds = {"mentions_per_label": 3, "sentence_tokens": 8, "label_share": [0.3, 0.7], "aligned_share": 0.9}
    prepare = loaded.prepare.model_copy(update={"salt": SALT})
    return loaded.model_copy(update={"validate_": loaded.validate_.model_copy(update=bounds), "prepare": prepare})


def failed(tables: Tables, params: Params, project: Project) -> set[str]:
    verdict = gate.check(prepared_of(tables), params, project)
    return {finding.check for finding in verdict.outcome.failed}


# --- planted faults ---------------------------------------------------------------------------


@dataclass
class Fault:
    """A change of clean tables that must turn exactly one expectation red; others only where they say no less."""

    expectation: str
    plant: Callable[[Tables], Tables]
    implied: tuple[str, ...] = ()


def _set(table: str, row: int, **values: object) -> Callable[[Tables], Tables]:
    def plant(tables: Tables) -> Tables:
        frame = getattr(tables, table).copy()
        for column, value in values.items():
            frame.loc[frame.index[row], column] = value
        return _with(tables, table, frame)

    return plant


def _add(table: str, like: int, place: int | None = None, **values: object) -> Callable[[Tables], Tables]:
    def plant(tables: Tables) -> Tables:
        frame = getattr(tables, table)
        row = frame.iloc[[like]].assign(**values)
        cut = (len(frame) if like == -1 else like + 1) if place is None else place
        frame = pd.concat([frame.iloc[:cut], row, frame.iloc[cut:]], ignore_index=True)
        return _with(tables, table, frame)

    return plant


def _drop(table: str, row: int) -> Callable[[Tables], Tables]:
    return lambda tables: _with(tables, table, getattr(tables, table).drop(index=row).reset_index(drop=True))


def _with(tables: Tables, table: str, frame: pd.DataFrame) -> Tables:
    frame = frame.astype(getattr(tables, table).dtypes)
    values = {name: getattr(tables, name) for name in SCHEMAS} | {table: frame}
    return Tables(**values)


def _retext(tables: Tables, one: int, other: int, change: Callable[[str], str] = str) -> Tables:
    """Give document `other` the text (changed, no longer) and the rows of document `one`."""
    names = tables.documents["document"].tolist()
    text = change(tables.documents["text"][one])
    documents = tables.documents.copy()
    documents.loc[other, "text"] = text
    parts = {}
    for table in ("tokens", "mentions"):
        frame = getattr(tables, table)
        copied = frame[frame["document"] == names[one]].assign(document=names[other])
        copied["text"] = [text[start:end] for start, end in zip(copied["start"], copied["end"], strict=True)]
        parts[table] = pd.concat([frame[frame["document"] != names[other]], copied], ignore_index=True)
    return Tables(documents, **parts)


def _relabel(tables: Tables, keep: Callable[[int], bool]) -> Tables:
    """Turn the treatments of the rows that `keep` refuses into diseases, tags too."""
    mentions, tokens = tables.mentions.copy(), tables.tokens.copy()
    change = [not keep(row) for row in range(len(mentions))]
    mentions.loc[change, ["label", "source_label"]] = "Disease"
    refused = set(zip(mentions["document"][change], mentions["start"][change], strict=True))
    places = [key in refused for key in zip(tokens["document"], tokens["start"], strict=True)]
    tokens.loc[places, "tag"] = "B-Disease"
    return Tables(tables.documents, tokens, mentions)


def _unalign(tables: Tables) -> Tables:
    mentions = tables.mentions.copy()
    for row in range(0, 6, 2):  # from here on the mention is a part of its last word
        mentions.loc[row, "end"] -= 1
        mentions.loc[row, "text"] = mentions["text"][row][:-1]
        mentions.loc[row, "aligned"] = False
    return _with(tables, "mentions", mentions)


def _lengthen(tables: Tables) -> Tables:
    """Join the two sentences of the first document."""
    tokens = tables.tokens.copy()
    first = tokens["document"] == "batch/one"
    tokens.loc[first, "sentence"] = 0
    tokens.loc[first, "token"] = range(first.sum())
    return _with(tables, "tokens", tokens)


def _copy_forward(tables: Tables) -> Tables:
    """Add a training note, and a test note that holds half of it and as much of its own."""
    first, second, third = ([f"{part}{number}" for number in range(30)] for part in "abc")
    texts = {split: _in_sentences([*first, *rest]) for split, rest in (("train", second), ("test", third))}
    notes = [
        PlacedDocument(
            Document(split, text), "other", f"other/{split}", content_hash(text), split, {}, f"public {split}"
        )
        for split, text in texts.items()
    ]
    built = build_tables(notes)
    parts = {}
    for name, schema in SCHEMAS.items():
        rows = getattr(built, name)
        parts[name] = pd.concat([getattr(tables, name), _typed(rows, schema)], ignore_index=True) if len(rows) else None
    return Tables(**{name: getattr(tables, name) if part is None else part for name, part in parts.items()})


def _in_sentences(words: list[str]) -> str:
    return " ".join(f"So {' '.join(words[first : first + 3])}." for first in range(0, len(words), 3))


def _blocks(tables: Tables, row: int, *, splits: tuple[str, str], contexts: tuple[str, str]) -> Tables:
    """Turn two documents that follow each other into blocks of one file."""
    documents = tables.documents.copy()
    old = documents["document"][row : row + 2].tolist()
    names = ["batch/a#00000", "batch/a#00001"]
    for place, (name, split, context) in enumerate(zip(names, splits, contexts, strict=True), row):
        documents.loc[place, ["document", "split", "context"]] = [name, split, f"batch/{context}"]
    renamed = {"document": dict(zip(old, names, strict=True))}
    return Tables(documents, tables.tokens.replace(renamed), tables.mentions.replace(renamed))


def _as_of_fixed_batch(tables: Tables) -> Tables:
    """Give the first document to a batch that is annotated to judge by."""
    renamed = {"document": {"batch/one": "held-out/one"}}
    documents = tables.documents.replace(renamed)
    documents.loc[0, ["batch", "context"]] = ["held-out", "held-out/one"]
    return Tables(documents, tables.tokens.replace(renamed), tables.mentions.replace(renamed))


def _cut_last_token(tables: Tables) -> Tables:
    return _with(tables, "tokens", tables.tokens.iloc[:-1])


def _add_empty_token(tables: Tables) -> Tables:
    end = int(tables.tokens["end"].iloc[-1])
    return _add("tokens", -1, token=7, start=end, end=end, text="")(tables)


def _halve_first_token(tables: Tables) -> Tables:
    """Cut "one" into "on" and "e"; every character is in a token still."""
    tokens = tables.tokens.copy()
    tokens.loc[0, ["end", "text"]] = [2, "on"]
    first = (tokens["document"] == "batch/one") & (tokens["sentence"] == 0) & (tokens["token"] > 0)
    tokens.loc[first, "token"] += 1
    return _add("tokens", 0, token=1, start=2, end=3, text="e")(_with(tables, "tokens", tokens))


def _swap_labels(tables: Tables) -> Tables:
    """Turn diseases into treatments and treatments into diseases, in tags and mentions alike."""
    tags = {"B-Disease": "B-Treatment", "I-Disease": "I-Treatment", "B-Treatment": "B-Disease"}
    labels = {"Disease": "Treatment", "Treatment": "Disease"}
    tokens = tables.tokens.assign(tag=tables.tokens["tag"].map(lambda tag: tags.get(tag, tag)))
    return Tables(tables.documents, tokens, tables.mentions.assign(label=tables.mentions["label"].map(labels)))


def _swap_mentions(tables: Tables) -> Tables:
    order = [1, 0, *range(2, len(tables.mentions))]
    return _with(tables, "mentions", tables.mentions.iloc[order].reset_index(drop=True))


FAULTS = [
    Fault("documents.document_is_unique", _add("documents", 0, public_name="public eleven")),
    Fault("documents.public_name_is_unique", _set("documents", 0, public_name="public two")),
    Fault("documents.split_is_known", _set("documents", 0, split="Train")),
    Fault(
        "documents.train_and_test_are_filled",
        lambda t: Tables(t.documents.replace({"split": {"test": "dev"}}), t.tokens, t.mentions),
    ),
    Fault("documents.group_in_one_split", lambda t: _set("documents", 9, group=t.documents["group"][0])(t)),
    Fault(
        "documents.context_in_one_split",
        lambda t: _blocks(t, 5, splits=("train", "dev"), contexts=("a#00000", "a#00000")),
        implied=("documents.context_is_of_neighbours",),
    ),
    Fault("documents.context_is_of_neighbours", _set("documents", 1, context="batch/one")),
    Fault("documents.batch_is_known", _set("documents", 1, batch="other")),
    Fault("documents.fixed_split_is_kept", _as_of_fixed_batch),
    Fault("documents.text_in_one_split", lambda t: _retext(t, 0, 9, str.upper)),
    Fault("documents.near_duplicates_in_one_split", lambda t: _retext(t, 0, 9, lambda text: text[:-8] + "sleeps .")),
    Fault("documents.copied_text_in_one_split", _copy_forward),
    Fault("documents.text_is_in_tokens", _cut_last_token),
    Fault(
        "documents.has_tokens",
        _add(
            "documents",
            9,
            document="batch/empty",
            public_name="its own",
            context="batch/empty",
            text=" ",
            group="its own",
        ),
    ),
    Fault(
        "documents.seconds_are_a_time",
        _set("documents", 0, seconds=-60.0),
        implied=("documents.seconds_are_plausible",),
    ),
    Fault("documents.seconds_are_plausible", _set("documents", 0, seconds=20_000.0)),
    Fault("tokens.key_is_unique", _set("tokens", 1, token=0), implied=("tokens.numbers_advance",)),
    Fault("tokens.tag_is_known", _set("tokens", 1, tag="o")),
    Fault("tokens.tags_are_iob2", _set("tokens", 1, tag="I-Disease")),
    Fault("tokens.offsets_advance", _add("tokens", -1, token=7)),
    Fault("tokens.numbers_advance", _set("tokens", -1, token=7)),
    Fault("tokens.document_exists", _add("tokens", -1, document="batch/ghost", sentence=0, token=0)),
    Fault("tokens.start_is_in_text", _set("tokens", 0, start=-1)),
    Fault("tokens.end_is_in_text", _set("tokens", -1, end=999)),
    Fault("tokens.end_is_after_start", _add_empty_token),
    Fault("tokens.text_is_at_its_offsets", _set("tokens", 0, text="other")),
    Fault("tokens.are_the_tokenizers", _halve_first_token),
    Fault("tokens.tagged_span_is_a_mention", _drop("mentions", 0)),
    Fault("tokens.sentence_length", _lengthen),
    Fault("mentions.key_is_unique", _add("mentions", 0), implied=("mentions.are_in_order",)),
    Fault(
        "mentions.label_is_known",
        _add("mentions", 0, start=18, end=23, text=". one", label="Gene", source_label="Gene", aligned=False),
        implied=("mentions.label_is_what_the_source_means",),
    ),
    Fault("mentions.label_is_what_the_source_means", _swap_labels),
    Fault("mentions.are_in_order", _swap_mentions),
    Fault("mentions.document_exists", _add("mentions", 0, document="batch/ghost", aligned=False)),
    Fault("mentions.start_is_in_text", _add("mentions", 0, 0, start=-1, end=0, aligned=False)),
    Fault("mentions.end_is_in_text", _add("mentions", 1, start=60, end=999, aligned=False)),
    Fault("mentions.end_is_after_start", _add("mentions", 0, 0, start=4, end=4, aligned=False)),
    Fault("mentions.text_is_at_its_offsets", _set("mentions", 0, text="other")),
    Fault("mentions.have_no_blank_ends", _set("mentions", 0, end=18, text="one cough ", aligned=False)),
    Fault("mentions.mention_is_tagged", _add("mentions", 0, 0, start=0, end=3, text="one")),
    Fault("mentions.alignment_is_right", _set("mentions", 0, aligned=False)),
    Fault("mentions.are_aligned", _unalign),
    Fault("labels.share_is_in_bounds", lambda t: _relabel(t, lambda row: row % 2 == 0 or row < 6)),
    Fault("labels.train_has_enough", lambda t: _relabel(t, lambda row: row % 2 == 0 or row > 7)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.expectation)
def test_a_planted_fault_turns_exactly_its_expectation_red(
    fault: Fault, params: Params, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = fault.plant(clean_tables())
    for name, schema in SCHEMAS.items():  # the schema suites would be clean; leaving them out halves the time
        pd.testing.assert_frame_equal(getattr(planted, name), _typed(getattr(planted, name), schema))
    monkeypatch.setattr(gate, "check_schemas", lambda *_: gate.Outcome())
    assert failed(planted, params, project) == {fault.expectation, *fault.implied}


def test_clean_tables_pass_every_expectation_and_check(params: Params, project: Project) -> None:
    verdict = gate.check(prepared_of(clean_tables()), params, project)
    assert verdict.findings == ()
    assert verdict.passed
    assert verdict.outcome.evaluated == sum(len(suite.expectations) for suite in SUITES)
    assert verdict.documents == {"train": 6, "dev": 2, "test": 2}
    assert verdict.mentions["train"] == {"Disease": 6, "Treatment": 6}


def test_dev_may_be_empty(params: Params, project: Project) -> None:
    tables = clean_tables()
    documents = tables.documents.replace({"split": {"dev": "train"}})
    assert failed(Tables(documents, tables.tokens, tables.mentions), params, project) == set()


def test_every_expectation_outside_of_the_schemas_has_a_planted_fault() -> None:
    names = {entry.name for suite in SUITES if suite.index for entry in suite.expectations}
    assert names == {fault.expectation for fault in FAULTS}


def _schema_faults() -> Iterator[tuple[str, str, object, set[str]]]:
    for table, schema in SCHEMAS.items():
        for field in schema:
            kind, null = f"{table}.{field.name}_has_its_type", f"{table}.{field.name}_is_not_null"
            yield table, field.name, 7 if field.type == "string" else "text", {kind}
            if not field.nullable:  # a null makes floats of a column of integers
                yield table, field.name, None, {null, kind} if field.type == "int32" else {null}


@pytest.mark.parametrize(("table", "column", "value", "expected"), list(_schema_faults()))
def test_a_wrong_type_or_a_null_is_red(
    table: str, column: str, value: object, expected: set[str], params: Params, project: Project
) -> None:
    tables = clean_tables()
    frame = getattr(tables, table)
    frame[column] = frame[column].astype(object)
    frame.loc[3, column] = value
    if value is None and len(expected) == 2:
        frame[column] = frame[column].astype("float64")
    assert {f.check for f in project.run(f"{table}_schema", frame, {}).failed} == expected
    if (table, column) == ("tokens", "tag"):
        assert failed(tables, params, project) == expected  # and the gate stops there


@pytest.mark.parametrize("table", SCHEMAS)
def test_columns_and_rows_are_checked(table: str, params: Params, project: Project) -> None:
    frame = getattr(clean_tables(), table)
    swapped = frame[[*frame.columns[1:], frame.columns[0]]]
    assert [f.check for f in project.run(f"{table}_schema", swapped, {}).failed] == [f"{table}.columns"]
    extra = frame.assign(extra=1)
    assert [f.check for f in project.run(f"{table}_schema", extra, {}).failed] == [f"{table}.columns"]
    assert [f.check for f in project.run(f"{table}_schema", frame.iloc[:0], {}).failed] == [f"{table}.has_rows"]


def test_a_missing_column_is_an_error_and_not_a_crash(params: Params, project: Project) -> None:
    tables = clean_tables()
    broken = Tables(tables.documents, tables.tokens.drop(columns="tag"), tables.mentions)
    verdict = gate.check(prepared_of(broken), params, project)
    assert not verdict.passed
    assert "tokens.columns" in {finding.check for finding in verdict.outcome.failed}


def test_warnings_are_reported_and_pass(params: Params, project: Project) -> None:
    planted = in_one_sentence(prepared_of(_lengthen(clean_tables()), sentences=19), "batch/one")
    verdict = gate.check(planted, params, project)
    assert [(f.check, f.severity, f.count) for f in verdict.findings] == [("tokens.sentence_length", "warning", 1)]
    assert verdict.passed
    assert "batch/one" in verdict.findings[0].message
    assert "batch/one" not in json.dumps(verdict_metrics.metrics_of(verdict))


def test_tokens_of_an_unaligned_mention_may_be_tagged(params: Params, project: Project) -> None:
    loose = params.model_copy(update={"validate_": params.validate_.model_copy(update={"aligned_share": 0.5})})
    assert failed(_unalign(clean_tables()), loose, project) == set()


# --- nothing fails open -----------------------------------------------------------------------


def test_an_expectation_that_great_expectations_drops_is_an_error(workspace: Path, project: Project) -> None:
    path = workspace / "great_expectations/expectations/labels.json"
    original = path.read_text()
    broken = json.loads(original)
    broken["expectations"][0]["kwargs"]["min_value"] = ["not", "a", "number"]
    try:
        path.write_text(json.dumps(broken))
        with pytest.raises(Exception, match=r"labels|min_value"):
            project.run("labels", pd.DataFrame({"label": ["Disease"], "share": [0.5], "train": [9]}), {})
    finally:
        path.write_text(original)


def test_an_expectation_that_crashes_is_an_error_even_if_only_a_warning(project: Project, params: Params) -> None:
    found = frames.content_frames(clean_tables(), LABELS, near_duplicate=0.7, copied=0.4, sources=clean_sources())
    frame = found["documents"].drop(columns="tokens")
    outcome = project.run("documents", frame, {})
    assert [(f.check, f.severity) for f in outcome.failed] == [("documents.has_tokens", "error")]


def test_a_verdict_of_nothing_does_not_pass() -> None:
    assert not gate.GateVerdict(gate.Outcome()).passed


@pytest.fixture
def prepared(workspace: Path, monkeypatch: pytest.MonkeyPatch, project: Project, params: Params) -> Path:
    """The working directory of a run with clean tables on disk."""
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(gate, "Project", lambda: project)
    monkeypatch.setattr(command, "load_params", lambda: params)
    tables = clean_tables()
    for name, schema in SCHEMAS.items():
        write_table(Path(f"data/prepared/{name}.parquet"), getattr(tables, name), schema)
    write_json(Path("data/prepared/report.json"), REPORT)
    write_annotated(Path("data/prepared"), annotated_by(clean_sources()))
    monkeypatch.setattr(gate, "load_sources", lambda _: clean_sources())
    shutil.rmtree("metrics", ignore_errors=True)
    return workspace


def test_the_stage_writes_its_metrics_and_exits_0(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    first = verdict_metrics.METRICS.read_bytes()
    metrics = read_json(verdict_metrics.METRICS)
    assert metrics["passed"] is True
    assert (metrics["errors"], metrics["warnings"], metrics["prepare"]) == (0, 0, REPORT)
    assert "passed" in capsys.readouterr().out
    assert command.main([]) == 0
    assert verdict_metrics.METRICS.read_bytes() == first


def test_a_failed_gate_writes_its_metrics_and_exits_1(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = _set("tokens", 0, text="Wordfromanote")(clean_tables())
    write_table(Path("data/prepared/tokens.parquet"), tables.tokens, SCHEMAS["tokens"])
    assert command.main([]) == 1
    metrics = read_json(verdict_metrics.METRICS)
    assert metrics["passed"] is False
    assert metrics["expectations"]["failed"] == ["tokens.text_is_at_its_offsets"]
    output = capsys.readouterr().out
    assert "batch/one" in output
    assert "Wordfromanote" not in output + verdict_metrics.METRICS.read_text()


@pytest.mark.parametrize("name", ["documents.parquet", "tokens.parquet", "mentions.parquet", "report.json"])
@pytest.mark.parametrize("content", [None, b"rubbish"])
def test_a_missing_or_damaged_file_is_not_a_pass(
    prepared: Path, name: str, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("data/prepared") / name
    path.unlink() if content is None else path.write_bytes(content)
    assert command.main([]) == 2
    metrics = read_json(verdict_metrics.METRICS)
    assert metrics["passed"] is False
    assert "GateError" in metrics["checks"]["could_not_be_computed"]["message"]
    assert name in capsys.readouterr().err


def test_a_crash_writes_its_class_and_no_text(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("text of a note")

    write_json(verdict_metrics.METRICS, {"passed": True})
    monkeypatch.setattr(gate, "content_frames", crash)
    assert command.main([]) == 2
    written = verdict_metrics.METRICS.read_text()
    assert '"passed": false' in written
    assert "RuntimeError" in written
    assert "text of a note" not in written + capsys.readouterr().err


def test_a_killed_run_does_not_leave_the_pass_of_the_run_before(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    write_json(verdict_metrics.METRICS, {"passed": True})
    monkeypatch.setattr(command, "check", kill)
    assert command.main([]) == 130
    assert read_json(verdict_metrics.METRICS)["passed"] is False


# --- the project in git -----------------------------------------------------------------------


def test_the_project_in_git_is_what_the_command_writes() -> None:
    for name, content in suites.project_files().items():
        assert (ROOT / "great_expectations" / name).read_text() == content, (
            f"run python -m stages.validate.suites: {name}"
        )
    folders = ("expectations", "validation_definitions", "checkpoints")
    found = {f"{folder}/{p.name}" for folder in folders for p in (ROOT / "great_expectations" / folder).iterdir()}
    assert found <= set(suites.project_files())


def test_no_tracked_file_holds_an_absolute_path() -> None:
    assert not any("/work" in text or '"/' in text or "'/" in text for text in suites.project_files().values())


def test_every_expectation_says_what_it_protects_and_stands_in_the_readme() -> None:
    readme = (ROOT / "great_expectations/README.md").read_text()
    for suite in SUITES:
        for entry in suite.expectations:
            assert entry.protects
            assert entry.remedy
            if suite.index:
                assert f"`{entry.name}`" in readme


def test_a_whole_run_with_data_docs_leaves_the_project_untouched(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "Project", Project)
    before = tracked(prepared / "great_expectations")
    assert command.main([]) == 0
    assert tracked(prepared / "great_expectations") == before
    pages = list((prepared / "reports/data_docs").rglob("*.html"))
    assert pages
    verdict = prepared / "metrics/validation.json"
    assert (prepared / "reports/data_docs/validation.json").read_bytes() == verdict.read_bytes()
    shown = [re.sub(r"\.fa-[a-z-]+", "", page.read_text()) for page in pages]  # an icon is named head-side-cough
    assert not any("rested" in page or "cough" in page for page in shown)
    assert not {address for page in pages for address in missing(page)}, "a page is not whole without a network"


# --- leakage and BIO: invariants --------------------------------------------------------------

_texts = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g"]), max_size=12).map(" ".join), max_size=8)


@settings(max_examples=60, deadline=None)
@given(_texts, st.sampled_from([0.5, 0.7, 0.9, 1.0]))
def test_near_duplicates_are_a_subset_of_the_exact_answer(texts: list[str], threshold: float) -> None:
    grams = [leakage.shingles(text) for text in texts]
    exact = {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if texts[i] != texts[j] and leakage.jaccard(grams[i], grams[j]) >= threshold
    }
    found = list(leakage.near_duplicates(texts, threshold))
    assert set(found) <= exact
    assert found == list(leakage.near_duplicates(texts, threshold))


def test_a_pair_right_at_the_threshold_is_found() -> None:
    words = [f"w{number}" for number in range(102)]
    for place in (40, 50, 60):  # 100 grams each, 17 lost on either side: 83 / 117
        changed = [*words[:place], *(f"x{number}" for number in range(15)), *words[place + 15 :]]
        pair = [" ".join(words), " ".join(changed)]
        assert leakage.jaccard(*map(leakage.shingles, pair)) == pytest.approx(83 / 117)
        assert list(leakage.near_duplicates(pair, 83 / 117)) == [(0, 1)]


def _span_lists(length: int) -> st.SearchStrategy[list[tuple[int, int, str]]]:
    cuts = st.lists(st.integers(0, length), unique=True, max_size=6).map(sorted)
    return cuts.map(lambda at: [(a, b, "Disease") for a, b in zip(at[::2], at[1::2], strict=False)])


@settings(max_examples=60, deadline=None)
@given(_span_lists(12))
def test_tagged_spans_are_what_was_encoded(spans: list[tuple[int, int, str]]) -> None:
    tags = to_iob2(12, spans)
    assert is_valid_iob2(tags)
    tokens = pd.DataFrame(
        {"document": "d", "sentence": 0, "start": range(0, 24, 2), "end": range(1, 25, 2), "tag": tags}
    )
    expected = {("d", 2 * a, 2 * b - 1, label) for a, b, label in spans}
    assert set(frames.tagged_spans(tokens).values()) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["O", "B-Disease", "I-Disease", "B-Treatment", "I-Treatment"]), max_size=6)))
def test_the_iob2_expectation_agrees_with_the_definition(sentences: list[list[str]]) -> None:
    from stages.validate.expectations import continues_mentions

    rows = [("d", number, tag) for number, tags in enumerate(sentences) for tag in tags]
    frame = pd.DataFrame(rows, columns=["document", "sentence", "tag"], dtype=object)
    assert bool(continues_mentions(frame).all()) == all(map(is_valid_iob2, sentences))


# --- incoming batches -------------------------------------------------------------------------


def _token_lines(folder: Path, labels: str) -> Path:
    folder.mkdir()
    (folder / "train_sent").write_text("Asthma\nresponds\nto\nsalbutamol\n\n")
    (folder / "train_label").write_text("\n".join(labels) + "\n\n")
    return folder


def test_an_export_that_is_fine_passes(
    tmp_path: Path, params: Params, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    documents, mapping = incoming.load_incoming(_token_lines(tmp_path / "export", "DOOT"), "token-lines")
    verdict = incoming.check_incoming(documents, mapping, params, project)
    assert verdict.findings == ()
    assert verdict.passed


def test_an_unmapped_label_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    labels = tmp_path / "labels.csv"
    labels.write_text("source_label,label\nD,Disease\n")
    export = _token_lines(tmp_path / "export", "DOOT")
    assert command.main([str(export), "--format", "token-lines", "--labels", str(labels)]) == 1
    out = capsys.readouterr().out
    assert "label_mapping" in out
    assert "1 mention of 1 label without a meaning ('T' 1)" in out


def test_mentions_that_touch_pass(
    tmp_path: Path, params: Params, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    line = '{"id": "a", "text": "COPD/asthma, on salbutamol.", "mentions": [%s]}\n'
    spans = ((0, 5, "Disease"), (5, 11, "Disease"), (16, 26, "Treatment"))
    mentions = ", ".join(f'{{"start": {start}, "end": {end}, "label": "{label}"}}' for start, end, label in spans)
    (tmp_path / "a.jsonl").write_text(line % mentions, encoding="utf-8")
    documents, mapping = incoming.load_incoming(tmp_path / "a.jsonl", "jsonl")
    verdict = incoming.check_incoming(documents, mapping, params, project)
    assert verdict.findings == ()
    assert verdict.passed


@pytest.mark.parametrize("arguments", [["absent", "--format", "iob"], [".", "--format", "nonsense"], ["."]])
def test_what_cannot_be_read_exits_2(arguments: list[str], prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    assert capsys.readouterr().err
    assert not verdict_metrics.METRICS.exists()  # they are the stage's, not the batch's


def test_a_project_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="missing"):
        Project(tmp_path)


# --- batches that looked for some labels only -------------------------------------------------


def only_diseases(tables: Tables, name: str = "ncbi") -> Tables:
    """Let the second five documents be a batch that marks no treatment."""
    later = set(tables.documents["document"].iloc[5:])
    renamed = {document: document.replace("batch/", f"{name}/") for document in later}
    documents = tables.documents.assign(batch=["batch"] * 5 + [name] * 5)
    silent = tables.mentions["document"].isin(later) & (tables.mentions["label"] == "Treatment")
    frames_ = {"documents": documents, "tokens": tables.tokens, "mentions": tables.mentions[~silent]}
    return Tables(**{key: frame.assign(document=frame["document"].replace(renamed)) for key, frame in frames_.items()})


def label_rows(tables: Tables, **labels: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    sources = {name: Source(MEANING, labels=found) for name, found in labels.items()}
    frame = frames.content_frames(tables, LABELS, near_duplicate=0.7, copied=0.4, sources=sources)["labels"]
    return {row.label: (row.share, row.train) for row in frame.itertuples()}


def test_labels_are_counted_where_they_were_looked_for() -> None:
    both, disease = ("Disease", "Treatment"), ("Disease",)
    tables = only_diseases(clean_tables())
    assert label_rows(tables, batch=both, ncbi=disease) == {"Disease": (0.5, 6), "Treatment": (0.5, 5)}
    assert label_rows(tables, batch=both, ncbi=both) == {"Disease": (10 / 15, 6), "Treatment": (5 / 15, 5)}


def test_where_one_label_was_looked_for_there_is_no_balance(project: Project, params: Params) -> None:
    tables = clean_tables()
    tables = replace(tables, mentions=tables.mentions[tables.mentions["label"] == "Disease"])
    source = {"batch": Source(MEANING, labels=("Disease",))}
    frame = frames.content_frames(tables, LABELS, near_duplicate=0.7, copied=0.4, sources=source)["labels"]
    assert frame["share"].isna().all()
    assert frame["train"].tolist()[0] == 6 and pd.isna(frame["train"].tolist()[1])
    assert project.run("labels", frame, gate.bounds_of(params.validate_, LABELS)).failed == ()
    looked_for = frames.content_frames(tables, LABELS, near_duplicate=0.7, copied=0.4, sources=clean_sources())[
        "labels"
    ]
    outcome = project.run("labels", looked_for, gate.bounds_of(params.validate_, LABELS))
    assert {entry.check for entry in outcome.failed} == {"labels.share_is_in_bounds", "labels.train_has_enough"}


def test_a_label_that_no_batch_annotates_is_named() -> None:
    sources = {"batch": Source(MEANING, labels=("Disease",))}
    (found,) = check_labels(clean_tables(), {"batch": ["Disease"]}, sources, REPORT, LABELS)
    assert (found.check, found.severity, found.count) == ("label_not_annotated", "warning", 1)
    assert found.message.startswith("No batch annotates Treatment, ")


@pytest.mark.parametrize("said", [{}, {"batch": ["Disease"]}, {"batch": ["Treatment", "Disease"]}])
def test_other_labels_than_the_batches_say_are_an_error(said: dict[str, list[str]]) -> None:
    sources = {"batch": Source(MEANING, labels=LABELS)}
    assert check_labels(clean_tables(), {"batch": ["Disease", "Treatment"]}, sources, REPORT, LABELS) == []
    (found,) = check_labels(clean_tables(), said, sources, REPORT, LABELS)
    assert (found.check, found.severity) == ("labels_of_the_batches", "error")


@pytest.mark.parametrize("reported", [{}, {"ignored": {"Age": 2}}, {"overlapping": {"Age": 3}}])
def test_what_was_left_out_is_counted_again(reported: dict[str, dict[str, int]]) -> None:
    left_out = [{"ignored": {"Age": 2}}, {"ignored": {"Age": 1}}]
    sources = {name: Source(MEANING, left_out=counts) for name, counts in zip(("batch", "b"), left_out, strict=True)}
    right = {**REPORT, "mentions_left_out": {"ignored": {"Age": 3}}}
    assert check_labels(clean_tables(), None, sources, right, LABELS) == []
    (found,) = check_labels(clean_tables(), None, sources, {**REPORT, "mentions_left_out": reported}, LABELS)
    assert (found.check, found.severity, found.count) == ("mentions_left_out", "error", 3)


OVERLAPPING = (
    '{"id": "a", "text": "Asthma attack, aged 64, on salbutamol.", "mentions": ['
    '{"start": 0, "end": 13, "label": "D"}, {"start": 0, "end": 6, "label": "D"},'
    '{"start": 15, "end": 22, "label": "A"}]}\n'
)


@pytest.fixture
def overlapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the arguments for an export whose mentions overlap, with an ignored label."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "a.jsonl").write_text(OVERLAPPING)
    (tmp_path / "labels.csv").write_text("source_label,label\nD,Disease\nA,\n")
    return [str(tmp_path / "a.jsonl"), "--format", "jsonl", "--labels", str(tmp_path / "labels.csv")]


def test_an_export_is_judged_by_the_choices_of_the_user(
    overlapping: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(overlapping) == 1
    assert "the mention 0-13 overlaps 0-6" in capsys.readouterr().err
    assert command.main([*overlapping, "--overlaps", "longest"]) == 0
    out = capsys.readouterr().out
    assert "marked, but no mention: 1 ignored (A 1)\n" in out
    assert "marked, but no mention: 1 overlapping (D 1)\n" in out


def test_a_batch_folder_has_made_its_choices(
    overlapping: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ["--name", "ward", "--to", str(tmp_path / "batches"), "--overlaps", "longest", "--annotates", "Disease"]
    assert add([*overlapping, *to]) == 0
    folder = str(tmp_path / "batches/ward")
    assert command.main([folder]) == 0
    assert "1 overlapping (D 1)" in capsys.readouterr().out
    assert command.main([folder, "--overlaps", "longest"]) == 2
    assert "leave --annotates, --overlaps and --discontinuous out" in capsys.readouterr().err
