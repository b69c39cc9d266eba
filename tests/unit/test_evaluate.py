"""The evaluate stage on tiny tables: nothing is dropped, everything is counted once."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from stages.common.errors import BeHealthyError
from stages.common.files import read_json, read_table, write_json, write_table
from stages.common.rare_values import LEAST, RARE
from stages.common.scoring import lenient_counts, strict_counts
from stages.common.tables import DOCUMENTS, PREDICTIONS, TOKENS
from stages.evaluate.__main__ import evaluate
from stages.evaluate.accepted import accepted
from stages.evaluate.curves import expected_calibration_error, precision_by_coverage, reliability
from stages.evaluate.error_analysis import ERRORS, KINDS, confusion, error_table, errors_of
from stages.evaluate.matching import ComparedDocument, judged, match_documents
from stages.evaluate.page import boundary_words, page_of
from stages.evaluate.params import EvaluateParams
from stages.evaluate.predictions import predict
from stages.evaluate.scores import by_note_type, document_counts, evaluation
from stages.evaluate.summary import lines_of_acceptance, show
from stages.train.acceptance import NOTHING_ACCEPTED, Acceptance
from stages.train.extractor import Extractor
from stages.train.taggers.tagger import TaggedSpan
from tests.labels import LABELS
from tests.unit.test_kpi import KPI

PARAMS = EvaluateParams(resamples=100, seed=1, kpi=KPI)
D, T = LABELS
TEXT = "No acute kidney injury <b>; give aspirin & insulin. Known asthma."
AKI, KIDNEY, ASPIRIN, INSULIN, ASTHMA = (3, 22, D), (9, 22, D), (33, 40, T), (43, 50, T), (58, 64, D)


def document(gold=(), predicted=(), name="b/1", note_type=None, text=TEXT, suggested=()):
    found = predicted if isinstance(predicted, dict) else dict.fromkeys(predicted, 0.9)
    return ComparedDocument(name, text, note_type, tuple(sorted(gold)), found, tuple(suggested))


def score(*documents, training=()):
    return evaluation(documents, training, accepted(documents, NOTHING_ACCEPTED, LABELS), None, LABELS, PARAMS)


def frames(gold, predicted, *, aligned=True):
    documents = pd.DataFrame({"document": ["b/1", "b/2"], "text": [TEXT, "Nothing."], "note_type": ["letter", None]})
    mentions = pd.DataFrame(
        [("b/1", s, e, TEXT[s:e], label, label, aligned) for s, e, label in gold],
        columns=["document", "start", "end", "text", "label", "source_label", "aligned"],
    )
    predictions = pd.DataFrame(
        [("b/1", s, e, TEXT[s:e], label, 0.5) for s, e, label in predicted], columns=PREDICTIONS.names
    )
    return documents, mentions, predictions


@st.composite
def sides(draw):
    """Return gold and predicted mentions; those of one side do not overlap."""
    both = []
    for _ in range(2):
        found, position = [], 0
        for gap, length, label in draw(
            st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.sampled_from(LABELS)), max_size=6)
        ):
            found.append((position + gap, position + gap + length, label))
            position += gap + length
        both.append(found)
    return tuple(both)


# Gold and predictions side by side


def test_compare_keeps_documents_without_mentions_and_ignores_others():
    documents, mentions, predictions = frames([AKI], [AKI, ASPIRIN])
    mentions.loc[len(mentions)] = ["other/1", 0, 2, "No", D, D, True]
    first, second = match_documents(documents, mentions, predictions)
    assert (first.gold, first.predicted, first.note_type) == ((AKI,), {AKI: 0.5, ASPIRIN: 0.5}, "letter")
    assert (second.gold, second.predicted, second.note_type) == ((), {}, None)


def test_unaligned_gold_counts_as_missed():
    scores = score(*match_documents(*frames([AKI, ASPIRIN], [ASPIRIN], aligned=False)))
    assert scores["mentions"] == 2
    assert scores["strict"]["micro"]["recall"] == 0.5
    assert scores["errors"] == {"boundary": 0, "label": 0, "missed": 1, "spurious": 0}


# The kinds of error


@pytest.mark.parametrize(
    ("gold", "predicted", "kinds"),
    [
        ([AKI], [AKI], []),
        ([AKI], [KIDNEY], ["boundary"]),
        ([AKI], [(3, 22, T)], ["label"]),
        ([AKI], [(9, 22, T)], ["label"]),
        ([AKI], [], ["missed"]),
        ([], [AKI], ["spurious"]),
        ([AKI], [(22, 24, D)], ["missed", "spurious"]),  # neighbours do not touch
        ([AKI], [(3, 8, D), (9, 22, D)], ["boundary", "boundary"]),  # one predicted in two
        ([(3, 8, D), (9, 22, D)], [AKI], ["boundary", "boundary"]),  # two predicted as one
        ([AKI], [(3, 8, T), (9, 22, D)], ["label", "boundary"]),  # the same label is paired first
        ([AKI], [(3, 8, T), (9, 22, T)], ["label", "label"]),
        ([(3, 8, D), (9, 22, D)], [(3, 22, T)], ["label", "label"]),
    ],
)
def test_kinds_of_error(gold, predicted, kinds):
    assert [error.kind for error in errors_of(gold, predicted)] == kinds


@settings(max_examples=300)
@given(sides())
def test_every_wrong_mention_is_in_exactly_one_error(pair):
    gold, predicted = pair
    errors = errors_of(gold, predicted)
    assert sorted(e.gold for e in errors if e.gold) == sorted(set(gold) - set(predicted))
    assert sorted(e.predicted for e in errors if e.predicted) == sorted(set(predicted) - set(gold))
    assert {e.kind for e in errors} <= set(KINDS)


@settings(max_examples=300)
@given(sides())
def test_missed_and_spurious_touch_nothing_and_the_others_touch_something(pair):
    gold, predicted = pair
    for error in errors_of(gold, predicted):
        alone = error.gold or error.predicted
        others = predicted if error.gold else gold
        touched = {other[2] for other in others if other[0] < alone[1] and alone[0] < other[1]}
        assert (error.kind in ("missed", "spurious")) == (not touched)
        if error.kind == "boundary":
            assert alone[2] in touched
        if error.gold and error.predicted:
            assert (error.kind == "boundary") == (error.gold[2] == error.predicted[2])


@settings(max_examples=200)
@given(sides())
def test_errors_do_not_depend_on_the_order_of_the_mentions(pair):
    gold, predicted = pair
    assert errors_of(gold[::-1], predicted[::-1]) == errors_of(gold, predicted)


@settings(max_examples=300)
@given(sides())
def test_confusion_counts_each_mention_once_and_agrees_with_the_lenient_score(pair):
    gold, predicted = pair
    table = confusion([document(gold, predicted)], LABELS)
    assert (table["actual"] != "none").sum() == len(gold)
    assert (table["predicted"] != "none").sum() == len(predicted)
    assert (table["actual"] == table["predicted"]).sum() == lenient_counts(gold, predicted).tp
    assert ((table["actual"] == "none") & (table["predicted"] == "none")).sum() == 0


def test_error_table_has_sentences_and_fits_its_schema(tmp_path):
    tokens = pd.DataFrame([("b/1", 0, 0, 51), ("b/1", 1, 52, 65)], columns=["document", "sentence", "start", "end"])
    wrong = {AKI: 0.7, (44, 55, D): 0.6}  # the second one reaches over the end of a sentence
    table = error_table({"dev": [], "test": [document([KIDNEY, ASTHMA], wrong)]}, tokens)
    write_table(tmp_path / "errors.parquet", table, ERRORS)
    rows = read_table(tmp_path / "errors.parquet")
    assert rows["kind"].tolist() == ["boundary", "spurious", "missed"]
    assert rows["sentence"].tolist() == [TEXT[:51], TEXT, TEXT[52:]]
    assert rows["confidence"].notna().tolist() == [True, True, False]
    for side in ("gold", "predicted"):
        for row in rows[rows[f"{side}_start"].notna()].to_dict("records"):
            start, end = int(row[f"{side}_start"]), int(row[f"{side}_end"])
            assert row[f"{side}_text"] == TEXT[start:end]
            assert row["sentence"][start - row["sentence_start"] : end - row["sentence_start"]] == TEXT[start:end]


def test_error_table_without_errors_can_be_written(tmp_path):
    table = error_table(
        {"test": [document([AKI], [AKI])]}, pd.DataFrame(columns=["document", "sentence", "start", "end"])
    )
    write_table(tmp_path / "errors.parquet", table, ERRORS)
    assert len(read_table(tmp_path / "errors.parquet")) == 0


# The page


def page_errors(gold, predicted):
    tokens = pd.DataFrame([("b/1", 0, 0, len(TEXT))], columns=["document", "sentence", "start", "end"])
    return error_table({"test": [document(gold, predicted)]}, tokens)


def test_page_escapes_what_comes_from_notes():
    page = page_of(page_errors([AKI, INSULIN], [KIDNEY, (33, 50, T)]), "test")
    assert "<b>" not in page
    assert "aspirin &amp; " in page
    assert '<span class="gold">acute </span><span class="gold predicted">kidney injury</span>' in page


def test_page_shows_only_its_split_and_no_error_is_no_fault():
    errors = page_errors([AKI], [])
    assert "1 missed" in page_of(errors, "test")
    assert "0 missed" in page_of(errors, "dev")
    assert "kidney" not in page_of(errors, "dev")


def test_boundary_words():
    assert boundary_words(page_errors([AKI], [KIDNEY])) == [("left out", "acute", 1)]
    assert boundary_words(page_errors([KIDNEY], [AKI])) == [("taken in", "acute", 1)]
    assert boundary_words(page_errors([(3, 15, D)], [KIDNEY])) == [("left out", "acute", 1), ("taken in", "injury", 1)]
    assert boundary_words(page_errors([AKI], [ASPIRIN])) == []


# Scores


def test_scores_of_a_small_case():
    scores = score(document([AKI, ASPIRIN, ASTHMA], [KIDNEY, ASPIRIN]), document([ASTHMA], [ASTHMA], "b/2"))
    micro = scores["strict"]["micro"]
    assert (micro["precision"], micro["recall"], micro["f1"]) == (2 / 3, 2 / 4, pytest.approx(4 / 7))
    assert scores["strict"][D]["recall"] == 1 / 3
    assert scores["strict"][T]["f1"] == 1
    assert scores["lenient"]["micro"] == {"precision": 1.0, "recall": 0.75, "f1": pytest.approx(6 / 7)}
    assert scores["errors"] == {"boundary": 1, "label": 0, "missed": 1, "spurious": 0}
    assert (scores["documents"], scores["mentions"]) == (2, 4)
    assert micro["f1_low"] <= micro["f1"] <= micro["f1_high"]


def test_seen_and_unseen_mentions():
    scores = score(document([AKI, ASPIRIN, ASTHMA], [AKI]), training=["Acute  kidney\ninjury", "aspirins", "ASTHMA"])
    assert scores["seen"] == {"recall": 0.5, "mentions": 2}
    assert scores["unseen"] == {"recall": 0.0, "mentions": 1}


@pytest.mark.parametrize(
    "documents",
    [
        [document()],
        [document([AKI])],
        [document([], [AKI])],
        [document([ASPIRIN], [ASPIRIN])],
        [document([AKI], [AKI], note_type="letter"), document(name="b/2")],
    ],
)
def test_scores_are_numbers_whatever_is_absent(documents, tmp_path):
    scores = score(*documents, training=["asthma"])
    write_json(tmp_path / "evaluation.json", scores)
    stored = read_json(tmp_path / "evaluation.json")
    assert set(stored["strict"]) == {"micro", *LABELS}
    missing = [value for value in walk(stored) if value is None or (isinstance(value, float) and math.isnan(value))]
    # Nothing to judge confidence by, and no threshold without a dev split: unknown, and not NaN. Of what is accepted,
    # precision, its interval and its error; these and the threshold for each label; the threshold of the notes.
    assert len(missing) == 4 + 5 * len(LABELS) + 1 + (stored["calibration"]["ece"] is None)
    assert (stored["calibration"]["ece"] is None) == (not any(d.predicted for d in documents))
    console = io.StringIO()
    show(scores, Console(file=console))
    assert "micro" in console.getvalue()


def walk(value):
    for item in value.values():
        yield from walk(item) if isinstance(item, dict) else [item]


def test_a_test_split_without_documents_is_an_error_that_says_what_to_do():
    with pytest.raises(BeHealthyError, match=r"split test has no document.*prepare\.test"):
        score()


def test_note_types_are_left_out_where_unknown():
    known = [document([AKI], [AKI], f"b/{n}", note_type="letter") for n in range(LEAST)]
    scores = score(*known, document([ASPIRIN], [], "b/none"))
    assert scores["note_types"].keys() == {"letter"}
    assert scores["note_types"]["letter"]["mentions"] == LEAST
    assert "note_types" not in score(document([AKI]))
    assert by_note_type([document([AKI])], PARAMS).columns.tolist() == [
        "note_type",
        "f1",
        "f1_low",
        "f1_high",
        "mentions",
    ]


def test_types_of_few_notes_are_scored_together_and_not_named():
    known = [document([AKI], [AKI], f"b/{n}", note_type="letter") for n in range(LEAST)]
    few = [document([AKI], [], f"c/{n}", note_type="letter of Dr Adeyemi") for n in range(LEAST - 1)]
    few.append(document([AKI, ASTHMA], [], "d/1", note_type="fax"))
    scores = score(*known, *few)
    assert {name: of["mentions"] for name, of in scores["note_types"].items()} == {RARE: LEAST + 1, "letter": LEAST}
    assert "Adeyemi" not in json.dumps(scores)
    assert by_note_type([*known, *few], PARAMS)["note_type"].tolist() == [RARE, "letter"]


def test_temperature_is_reported_where_the_model_has_one():
    documents = [document([AKI], [AKI])]
    scores = evaluation(documents, [], accepted(documents, NOTHING_ACCEPTED, LABELS), 0.8, LABELS, PARAMS)
    assert scores["calibration"]["temperature"] == 0.8
    assert "temperature" not in score(*documents)["calibration"]


@settings(max_examples=50, deadline=None)
@given(st.lists(sides(), min_size=1, max_size=5))
def test_document_counts_add_up_to_the_scores(pairs):
    documents = [document(gold, found, f"b/{n}") for n, (gold, found) in enumerate(pairs)]
    table = document_counts(documents, [d.name for d in documents], LABELS)
    assert len(table) == len(documents) * len(LABELS)
    assert table.equals(table.sort_values(["document", "label"], ignore_index=True))
    expected = [strict_counts(gold, found) for gold, found in pairs]
    assert table[["tp", "fp", "fn"]].sum().tolist() == [
        sum(getattr(c, k) for c in expected) for k in ("tp", "fp", "fn")
    ]
    tp, fp, fn = table[["tp", "fp", "fn"]].sum()
    scores = score(*documents)
    assert scores["strict"]["micro"]["f1"] == (2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0)
    assert scores["mentions"] == tp + fn


def test_document_counts_call_documents_by_the_names_given():
    table = document_counts([document([AKI], [], "batch/patient-17")], ["public"], LABELS)
    assert table["document"].tolist() == ["public"] * 2
    with pytest.raises(ValueError, match=r"longer|shorter"):
        document_counts([document([AKI], [], "batch/patient-17")], [], LABELS)
    assert table[["tp", "fp", "fn"]].to_numpy().tolist() == [[0, 0, 1], [0, 0, 0]]


# Confidence


def test_calibration_error_of_constructed_data():
    confidence, right = np.repeat([0.6, 0.9], 50), np.array([True] * 30 + [False] * 20 + [True] * 35 + [False] * 15)
    curve = reliability(confidence, right)
    assert curve["mentions"].tolist() == [10] * 10
    assert curve["observed"].tolist() == pytest.approx([0.6] * 5 + [0.7] * 5)
    assert (curve["perfect"] == curve["confidence"]).all()
    assert expected_calibration_error(curve) == pytest.approx(0.1)
    assert expected_calibration_error(reliability(np.ones(7), np.zeros(7, dtype=bool))) == 1


def test_calibration_error_weighs_bins_by_their_mentions():
    curve = reliability(np.array([0.2, 0.2, 1.0]), np.zeros(3, dtype=bool), bins=2)
    assert curve["mentions"].tolist() == [2, 1]
    assert expected_calibration_error(curve) == pytest.approx((2 * 0.2 + 1.0) / 3)


def test_calibration_does_not_depend_on_the_order_of_the_predictions():
    confidence = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.8, 0.8])
    right = np.array([True, False, True, False, False, True, False])
    curves = [reliability(confidence[list(p)], right[list(p)], bins=3) for p in list(permutations(range(7)))[::97]]
    assert all(np.allclose(curve, curves[0]) for curve in curves)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60))
def test_bins_are_of_equal_mass(pairs):
    curve = reliability(np.array([c for c, _ in pairs]), np.array([r for _, r in pairs], dtype=bool))
    assert len(curve) == min(10, len(pairs))
    assert curve["mentions"].sum() == len(pairs)
    if pairs:
        assert curve["mentions"].max() - curve["mentions"].min() <= 1
        assert curve["confidence"].is_monotonic_increasing or np.diff(curve["confidence"]).min() > -1e-12
        assert 0 <= expected_calibration_error(curve) <= 1


def test_no_predictions_have_no_calibration():
    nothing = judged([document([AKI])])
    assert expected_calibration_error(reliability(*nothing)) is None
    assert len(precision_by_coverage(*nothing)) == 0


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9, 1.0]) | st.floats(0, 1), st.booleans()), min_size=1))
def test_coverage_ascends_to_everything(pairs):
    confidence, right = np.array([c for c, _ in pairs]), np.array([r for _, r in pairs])
    curve = precision_by_coverage(confidence, right)
    assert (np.diff(curve["coverage"]) > 0).all()
    assert (np.diff(curve["confidence"]) < 0).all()
    assert curve["coverage"].iloc[-1] == 1
    for coverage, precision, threshold in curve.itertuples(index=False):
        accepted = confidence >= threshold
        assert coverage == pytest.approx(accepted.mean())
        assert precision == pytest.approx(right[accepted].mean())


def test_coverage_has_few_points():
    generator = np.random.default_rng(1)
    curve = precision_by_coverage(generator.random(5000), generator.random(5000) < 0.5)
    assert len(curve) == 200
    assert curve["coverage"].iloc[-1] == 1


def accepting() -> list[ComparedDocument]:
    return [
        document([AKI], {AKI: 0.95, ASPIRIN: 0.8, INSULIN: 0.1}),
        document([ASTHMA, AKI], {ASTHMA: 0.7}, "b/2"),
        document([], {}, "b/3"),
        document([], {}, "b/4"),
    ]


PROMISE = Acceptance(promised=0.9, risk=0.05, thresholds={D: 0.7, T: 0.7}, whole_promised=0.8, whole=0.0)


def test_what_the_threshold_accepts():
    found = accepted(accepting(), PROMISE, LABELS).as_dict()
    assert found["promised"] == 0.9
    assert found["precision"] == pytest.approx(2 / 3)
    assert (found["number"], found["mentions"]) == (3, pytest.approx(3 / 4))
    assert found["precision_low"] < 2 / 3 < found["precision_high"]
    disease, treatment = (found["labels"][label] for label in LABELS)
    assert (disease["number"], disease["mentions"], disease["precision"]) == (2, 1.0, 1.0)
    assert (treatment["number"], treatment["mentions"], treatment["precision"]) == (1, pytest.approx(1 / 2), 0.0)
    assert (treatment["threshold"], treatment["accepts_nothing"], found["accepts_nothing"]) == (0.7, False, False)
    # Of the one note that nobody reads, a mention is missing.
    assert found["notes"] == pytest.approx(1 / 4)
    assert found["whole"] == {"promised": 0.8, "threshold": 0.0, "number": 1, "faultless": 0}


def test_a_label_of_which_nothing_is_accepted_is_named():
    found = accepted(accepting(), replace(PROMISE, thresholds={D: 0.7, T: None}), LABELS).as_dict()
    assert not found["accepts_nothing"]
    assert [found["labels"][label]["accepts_nothing"] for label in LABELS] == [False, True]
    lines = list(lines_of_acceptance(found))
    assert f"WARNING: nothing of {T} is accepted: no threshold was shown to keep the promise" in lines
    assert "accepted whole: 25.0% of the notes, 0 of 1 without any error (promised: 80%)" in lines


def test_mentions_of_neighbouring_blocks_are_right_and_wrong_together():
    blocks = [
        replace(document([AKI] if block % 4 < 2 else [], {AKI: 0.9}, f"b/s#{block}"), context="b/s")
        for block in range(40)
    ]
    alone = [replace(block, context=None) for block in blocks]
    together = [replace(block, context=f"b/{place // 2}") for place, block in enumerate(blocks)]
    errors = [accepted(notes, PROMISE, LABELS).overall.standard_error for notes in (alone, together)]
    assert errors[1] > 1.3 * errors[0]
    assert accepted(blocks, PROMISE, LABELS).overall.standard_error != errors[0]


def test_nothing_is_accepted_without_a_threshold():
    found = accepted(accepting(), NOTHING_ACCEPTED, LABELS).as_dict()
    assert (found["accepts_nothing"], found["precision"], found["mentions"], found["notes"]) == (True, None, 0.0, 0.0)
    assert found["whole"] == {"promised": 1.0, "threshold": None, "number": 0, "faultless": 0}
    assert "no note is accepted whole" in list(lines_of_acceptance(found))[-1]


def test_a_suggestion_brings_a_person_to_a_note_that_would_be_read_by_nobody():
    sure = {ASTHMA: 0.7}
    alone, doubted = (
        [document([ASTHMA, AKI], sure, suggested=suggested), document([], {}, "b/2")] for suggested in ((), (AKI,))
    )
    assert accepted(alone, PROMISE, LABELS).notes == 0.5
    assert accepted(doubted, PROMISE, LABELS).notes == 0.0


def test_suggestions_are_scored_by_what_they_touch_and_show():
    half = (3, 10, D)
    scores = score(document([AKI, ASPIRIN, INSULIN], [INSULIN], suggested=[half, ASTHMA]))["suggestions"]
    assert scores == {"number": 2, "precision": 0.5, "missed_shown": 0.5}
    assert score(document([AKI], [AKI]))["suggestions"] == {"number": 0, "precision": 0.0, "missed_shown": 0.0}


# Tagging


class EveryCapital:
    """A stand-in for a tagger: finds each capitalised token, suggests each stop; the attributes are the words."""

    def linear_weights(self):
        return None

    def tag_and_suggest(self, sentences, least):
        assert least == 0.25
        return tuple(
            [[TaggedSpan(n, n + 1, D, p) for n, word in enumerate(sentence) if sought(word)] for sentence in sentences]
            for p, sought in ((0.7, lambda word: word[0].isupper()), (0.3, ".".__eq__))
        )


SUGGESTING = replace(NOTHING_ACCEPTED, suggestion=0.25)


class Words:
    def summing(self, weights):
        return self

    def transform(self, sentences):
        return sentences


def prepared(folder, splits):
    """Write documents of two sentences each, in the given splits."""
    text, rows, tokens = "the Flu . a Cold and Croup", [], []
    for n, split in enumerate(splits):
        rows.append({**dict.fromkeys(DOCUMENTS.names), "document": f"b/{n}", "batch": "b", "context": f"c{n // 2}",
                     "public_name": f"p{n}", "group": "g", "split": split, "text": f"{n} " + text})  # fmt: skip
        position = 2
        for number, sentence in enumerate(("the Flu .", "a Cold and Croup")):
            for token, word in enumerate(sentence.split()):
                tokens.append((f"b/{n}", number, token, word, position, position + len(word), "O"))
                position += len(word) + 1
    write_table(folder / "documents.parquet", pd.DataFrame(rows), DOCUMENTS)
    write_table(folder / "tokens.parquet", pd.DataFrame(tokens, columns=TOKENS.names), TOKENS)


def test_predictions_are_characters_of_their_documents(tmp_path):
    prepared(tmp_path, ["train", "test", "test", "dev", "test"])
    found, suggested = predict(tmp_path, ("dev", "test"), Extractor(Words(), EveryCapital(), SUGGESTING))
    assert suggested[["document", "text"]].to_numpy().tolist() == [[f"b/{n}", "."] for n in (3, 1, 2, 4)]
    assert found["document"].tolist() == [f"b/{n}" for n in (3, 1, 2, 4) for _ in range(3)]
    assert found["text"].tolist() == ["Flu", "Cold", "Croup"] * 4
    texts = dict(read_table(tmp_path / "documents.parquet")[["document", "text"]].itertuples(index=False))
    assert [texts[row.document][row.start : row.end] for row in found.itertuples()] == found["text"].tolist()
    assert (found["confidence"] == float(np.float32(0.7))).all()
    write_table(tmp_path / "predictions.parquet", found, PREDICTIONS)
    assert read_table(tmp_path / "predictions.parquet")["confidence"].tolist() == found["confidence"].tolist()


def test_an_empty_split_has_no_predictions(tmp_path):
    prepared(tmp_path, ["train"])
    found, suggested = predict(tmp_path, ("dev", "test"), Extractor(Words(), EveryCapital(), SUGGESTING))
    assert len(suggested) == 0
    assert found.columns.tolist() == PREDICTIONS.names
    assert len(found) == 0
    write_table(tmp_path / "predictions.parquet", found, PREDICTIONS)


def test_scores_can_be_written_as_json():
    assert json.dumps(score(document([AKI], [KIDNEY], note_type="letter")), allow_nan=False)


def test_the_stage_takes_no_model_of_other_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load(folder: Path, labels: Any) -> Any:
        asked.append((folder, labels))
        raise LookupError

    monkeypatch.setattr("stages.evaluate.__main__.read_table", lambda path: path)
    monkeypatch.setattr("stages.train.extractor.load_extractor", load)
    with pytest.raises(LookupError):
        evaluate(PARAMS, ["Disease"])
    assert asked == [(Path("models"), ["Disease"])]
