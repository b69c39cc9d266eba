"""The labels are a list: whatever looks for mentions, counts, scores or colours them works with one and with three."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from annotation.agreement.scores import agreement
from delivery.changes.directions import NO_CASES, direction_of
from delivery.overview import Row, columns_of, table_of
from delivery.registry.card import _other_figures, _scores
from delivery.rendering.sections import _untested
from delivery.revision.revision import workspace
from production.explain.__main__ import page_of, show
from production.explain.explanation import ExplainedSpan
from production.record.__main__ import sides_of
from production.record.notes import Note
from production.record.pairs import Sides
from production.record.params import load_params as load_record
from production.record.question import answer
from production.record.table import build_record
from stages.common.colours import PALETTE, colours_of
from stages.common.documents import Document, Mention
from stages.common.errors import BeHealthyError, ParameterError
from stages.common.labels import INPUT_COLUMNS, count_column, load_labels, model_columns
from stages.common.tables import serving_log
from stages.common.tags import iob2_tags
from stages.evaluate.accepted import accepted
from stages.evaluate.behaviour import UNTESTED, behaviour
from stages.evaluate.error_analysis import confusion
from stages.evaluate.matching import ComparedDocument
from stages.evaluate.scores import document_counts, evaluation
from stages.evaluate.summary import show as show_scores
from stages.monitor.decision import decide
from stages.monitor.drift import compare_window
from stages.monitor.serving import profile_schema, serving_rows, training_profile
from stages.params import load_params
from stages.prepare.mapping import read_mapping
from stages.train.acceptance import NOTHING_ACCEPTED
from stages.train.extractor import ExtractedMention, Extraction
from stages.validate.frames import Tables, _labels, mentions_by_split
from stages.validate.gate import bounds_of
from tests.labels import LABELS, ONE, THREE
from tests.repository import ROOT

PARAMS = load_params(ROOT / "params.yaml")
LISTS = pytest.mark.parametrize("labels", [ONE, LABELS, THREE], ids=len)
WORDS = {"gout": "Disease", "asthma": "Disease", "aspirin": "Treatment", "cough": "Symptom"}
TEXT = "Gout, asthma, a cough; aspirin."


class Words:
    """Finds the words of `WORDS` whose label it was asked for."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels

    def extract(self, text: str) -> Extraction:
        plain = text.casefold()
        mentions = [
            ExtractedMention(plain.index(word), plain.index(word) + len(word), label, 0.9, False)
            for word, label in WORDS.items()
            if word in plain and label in self.labels
        ]
        return Extraction(tuple(sorted(mentions)), 1, len(text.split()), 0.0)


def written(folder: Path, labels: Any, **more: Any) -> Path:
    content = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"labels": labels} | more
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


# -- the list


@LISTS
def test_one_list_is_all_that_changes_in_the_parameters(tmp_path: Path, labels: tuple[str, ...]) -> None:
    path = written(tmp_path, list(labels))
    assert load_labels(path) == tuple(load_params(path).labels) == labels
    watched = load_params(path).monitor.watching(labels).columns
    assert [name for name in watched if name in map(count_column, THREE)] == [*map(count_column, labels)]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (None, "labels"),
        ("Disease", "labels"),
        ([], "at least 1"),
        (["Disease", 3], "labels.1"),
        (["two words"], "labels.0"),
        (["B.Disease"], "labels.0"),
        (["Disease", "Disease"], "Disease cannot be a label"),
        (["Disease", "disease"], "disease cannot be a label"),
        (["micro"], "micro cannot be a label"),
        (["Micro"], "Micro cannot be a label"),
        (["NONE"], "NONE cannot be a label"),
        (["o"], "o cannot be a label"),
        (["Token"], "its column tokens, is taken"),
        (["Mention"], "its column mentions, is taken"),
        ([f"Label{number}" for number in range(32)], "at most 31"),
    ],
)
def test_a_list_that_cannot_be_is_refused_by_name(tmp_path: Path, labels: Any, reason: str) -> None:
    for load in (load_labels, load_params):
        with pytest.raises(ParameterError) as caught:
            load(written(tmp_path, labels))
        assert reason in str(caught.value) and "params.yaml" in str(caught.value)


def test_without_parameters_it_is_said_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"params\.yaml is missing: run from the root"):
        load_labels(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("labels: [")
    with pytest.raises(ParameterError, match="not valid YAML"):
        load_labels(tmp_path / "params.yaml")


def test_a_count_that_is_watched_must_be_of_a_label(tmp_path: Path) -> None:
    monitor = PARAMS.monitor.model_dump() | {"columns": ["tokens", "treatments"]}
    assert load_params(written(tmp_path, list(LABELS), monitor=monitor)).monitor.columns == ["tokens", "treatments"]
    with pytest.raises(ParameterError, match="treatments is no column of the serving log"):
        load_params(written(tmp_path, list(ONE), monitor=monitor))


def test_a_mapping_leads_to_labels_of_the_list_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = tmp_path / "labels.csv"
    mapping.write_text("source_label,label\nSx,Symptom\n")
    assert read_mapping(mapping, THREE) == {"Sx": "Symptom"}
    remedy = "Use Disease or Treatment; or leave it empty, to ignore 'Sx'; or add 'Symptom' to labels in params.yaml"
    with pytest.raises(BeHealthyError, match=f"line 2: maps to 'Symptom'.*{remedy}"):
        read_mapping(mapping, LABELS)
    monkeypatch.chdir(tmp_path)
    written(tmp_path, list(THREE))
    assert read_mapping(mapping) == {"Sx": "Symptom"}  # without a list: the project's
    written(tmp_path, list(ONE))
    with pytest.raises(BeHealthyError, match="no label of the project"):
        read_mapping(mapping)


# -- the gate


def tables(labels: tuple[str, ...]) -> Tables:
    names = [f"b/{number}" for number in range(10)]
    documents = pd.DataFrame({"document": names, "split": ["train"] * 8 + ["test"] * 2})
    mentions = pd.DataFrame([(name, label) for name in names for label in labels], columns=["document", "label"])
    return Tables(documents, pd.DataFrame(), mentions)


@LISTS
def test_the_gate_counts_each_label_and_knows_the_tags(labels: tuple[str, ...]) -> None:
    assert mentions_by_split(tables(labels), labels)["train"] == dict.fromkeys(labels, 8)
    bounds = bounds_of(PARAMS.validate_, labels)
    assert bounds["labels"] == list(labels)
    assert bounds["tags"] == iob2_tags(labels) and len(bounds["tags"]) == 1 + 2 * len(labels)
    frame = _labels(tables(labels), labels, {})
    assert frame["train"].tolist() == [8] * len(labels)
    assert str(frame["share"].dtype) == "float64"
    expected = [1 / len(labels)] * len(labels) if len(labels) > 1 else [np.nan]
    assert frame["share"].to_numpy() == pytest.approx(expected, nan_ok=True)


# -- evaluation


def compared(labels: tuple[str, ...]) -> list[ComparedDocument]:
    gold = tuple((m.start, m.end, m.label) for m in Words(labels).extract(TEXT).mentions)
    return [ComparedDocument("b/1", TEXT, None, gold, dict.fromkeys(gold, 0.9), ())]


@LISTS
def test_scores_counts_and_classes_are_those_of_the_list(labels: tuple[str, ...]) -> None:
    test = compared(labels)
    scores = evaluation(test, [], accepted(test, NOTHING_ACCEPTED, labels), None, labels, PARAMS.evaluate)
    assert list(scores["strict"]) == ["micro", *labels]
    assert all(row["f1"] == 1 for row in scores["strict"].values())
    counts = document_counts(test, ["public"], labels)
    assert sorted(counts["label"]) == sorted(labels) and counts["tp"].sum() == len(test[0].gold)
    assert list(dict.fromkeys(confusion(test, labels)["actual"])) == list(labels)
    out = io.StringIO()
    show_scores(scores, Console(file=out))
    assert [name for name in THREE if name in out.getvalue()] == list(labels)


@LISTS
def test_behaviour_is_tested_for_the_labels_of_the_list(labels: tuple[str, ...]) -> None:
    table = behaviour(Words(labels), [TEXT], labels, 1)
    untested = {name for name, row in table.items() if row["kind"] == UNTESTED}
    assert untested == {f"{NO_CASES}{label}" for label in labels if label == "Symptom"}
    assert ("common_treatments" in table) == ("another_treatment" in table) == ("Treatment" in labels)
    assert "nothing_to_find" in table and table["upper_case"]["rate"] == 1
    assert ("lists" in table) == ("a_treatment_more" in table) == ("Treatment" in labels)
    minimum = [row for row in table.values() if row["kind"] == "minimum functionality"]
    assert all(row["rate"] is not None for row in minimum)  # the gate of a promotion takes None for missing
    assert all(direction_of(f"behaviour.{name}.{key}") for name, row in table.items() for key in row)


def test_a_label_without_any_case_leaves_what_needs_none() -> None:
    table = behaviour(Words(("Symptom",)), [TEXT], ["Symptom"], 1)
    assert {row["kind"] for row in table.values()} == {"minimum functionality", "invariance", UNTESTED}
    assert table["cases_of_Symptom"] == {"kind": UNTESTED, "cases": 0, "passed": 0, "rate": None}


@LISTS
def test_explanations_have_a_colour_for_each_label(labels: tuple[str, ...]) -> None:
    spans = [ExplainedSpan(m.start, m.end, m.label, 0.9, "", None, None) for m in Words(labels).extract(TEXT).mentions]
    page = page_of(TEXT, spans, [], top=1, candidates=False, labels=labels)
    for place, label in enumerate(labels):
        assert f'class="label-{place}"' in page
        assert f"mark.label-{place} {{ background: {colours_of(labels)[label].page} }}" in page
    assert "label-other" not in page
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard")
    show(TEXT, spans, [], console, top=1, candidates=False, labels=labels)
    assert all(f"\x1b[1;{code}m" in out.getvalue() for code in (31, 34, 32)[: len(labels)])
    assert "label-other" in page_of(TEXT, spans, [], top=1, candidates=False)  # a model without a list


def test_colours_differ_until_there_are_more_labels_than_colours() -> None:
    labels = [f"Label{number}" for number in range(len(PALETTE) + 1)]
    colours = list(colours_of(labels).values())
    assert len(colours) == len(labels) and len(set(colours[:-1])) == len(PALETTE) and colours[-1] == colours[0]


# -- the monitor


@LISTS
def test_the_log_has_a_column_for_each_label_and_is_judged_by_it(labels: tuple[str, ...]) -> None:
    texts = [f"{TEXT if number % 2 else 'Aspirin.'} {'word ' * (number % 7)}{number}" for number in range(120)]
    rows = serving_rows([Document(str(n), text) for n, text in enumerate(texts)], Words(labels).extract, labels)
    assert rows.columns.tolist() == serving_log(labels).names == [*INPUT_COLUMNS, *model_columns(labels)]
    assert rows["diseases"].iloc[1] == 2
    assert rows["diseases"].sum() == 120
    documents = pd.DataFrame({"document": rows["note"], "text": texts, "split": ["train", "test", "dev"] * 40})
    documents = documents.assign(**dict.fromkeys(set(INPUT_COLUMNS) - {"note", "characters", "sentences", "tokens"}))
    profile = training_profile(documents, Words(labels).extract, labels)
    assert profile.columns.tolist() == profile_schema(labels).names
    assert profile["diseases"].isna().sum() == 40
    quick = {"columns": ["tokens", "mentions"], "significance": 0.1}
    params = PARAMS.monitor.model_copy(update=quick).watching(labels)
    drift = compare_window(profile, rows, params)
    assert [column.column for column in drift.columns] == ["tokens", *map(count_column, labels)]
    assert {column.fault for column in drift.columns} == {None}
    assert decide(drift, params).decision == "too_few_notes"


# -- the record


class Renamed(Words):
    """The same words under labels of another team."""

    def extract(self, text: str) -> Extraction:
        found = super().extract(text)
        names = {"Disease": "Problem", "Treatment": "Drug", "Symptom": "Symptom"}
        mentions = tuple(mention._replace(label=names[mention.label]) for mention in found.mentions)
        return Extraction(mentions, 1, found.tokens, 0.0)


def test_the_record_pairs_its_two_sides_whatever_they_are_called() -> None:
    notes = [Note(str(number), TEXT) for number in range(3)]
    plain = build_record(notes, Words(LABELS))
    sides = Sides(disease="Problem", treatment="Drug")
    renamed = build_record(notes, Renamed(THREE), sides=sides)
    pd.testing.assert_frame_equal(plain, renamed)
    assert sorted(renamed["disease"].str.casefold()) == ["asthma", "gout"]
    asked = answer("what treats gout?", renamed, Renamed(THREE), sides)
    assert asked.rows["treatment"].str.casefold().tolist() == ["aspirin"]


def test_a_record_needs_a_model_of_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, list(ONE))  # which is no fault of the parameters: the graph runs
    with pytest.raises(BeHealthyError, match=r"record\.treatment of params\.yaml is Treatment, .*model \(Disease\)"):
        sides_of(ONE)
    written(tmp_path, ["Problem", "Drug"], record={"disease": "Problem", "treatment": "Drug"})
    assert sides_of(("Problem", "Drug")) == Sides("Problem", "Drug")
    with pytest.raises(ParameterError, match="both sides of the record are one label"):
        load_record(written(tmp_path, list(LABELS), record={"disease": "Disease", "treatment": "Disease"}))


# -- agreement, overview, card


@LISTS
def test_agreement_is_over_the_labels_that_occur(labels: tuple[str, ...]) -> None:
    marks = tuple(Mention(m.start, m.end, m.label) for m in Words(labels).extract(TEXT).mentions)
    sides = {"anna": Document("n", TEXT, marks), "ben": Document("n", TEXT, marks[:-1])}
    panel = SimpleNamespace(shared={"n": sides}, pairs=[("anna", "ben")])
    found = agreement(panel, resamples=10, seed=1)  # type: ignore[arg-type]
    assert list(found) == ["all", *sorted(labels)]


@LISTS
def test_the_overview_and_the_card_read_the_labels_from_the_metrics(labels: tuple[str, ...]) -> None:
    keys = ("precision", "recall", "f1", "f1_low", "f1_high")
    strict = {f"strict.{name}.{key}": 0.5 for name in ("micro", *labels) for key in keys}
    row = Row("main", "", strict, {})
    assert list(columns_of([row])) == ["F1", *(f"F1 {label}" for label in labels), "ECE", "accepted"]
    assert len(table_of([row, Row("waits", "queued", {}, {})]).columns) == 3 + len(columns_of([row]))
    flat = {f"evaluation.{key}": value for key, value in strict.items()}
    *_, rows = _scores({**flat, "evaluation.documents": 1, "evaluation.mentions": 1})
    assert [line.split(" | ")[0].strip("| ") for line in rows.splitlines()[2:]] == ["micro", *labels]


def test_the_report_and_the_card_say_which_labels_have_no_cases() -> None:
    row = {"kind": UNTESTED, "cases": 0, "passed": 0, "rate": None}
    under = {f"{NO_CASES}Symptom.{key}": SimpleNamespace(new=value) for key, value in row.items()}
    changes: Any = SimpleNamespace(under=lambda prefix: under if prefix == "behaviour" else {})
    assert _untested(changes) == "No cases of behaviour were written for `Symptom`."
    under.clear()
    assert _untested(changes) == ""
    known = workspace(ROOT).metrics()
    assert not any("Without cases" in line for line in _other_figures(known))
    more = known | {f"behaviour.{NO_CASES}Symptom.{key}": value for key, value in row.items()}
    assert list(_other_figures(more))[-1] == "- Without cases of behaviour: Symptom"
