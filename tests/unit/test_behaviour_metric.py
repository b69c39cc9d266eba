"""Behaviour as a metric: changes move mentions as they say, and the table tells good from bad."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmarks.hardships import scores_of_changed
from delivery.registry.bounds import read_bounds
from stages.common.scoring import Span
from stages.evaluate import behaviour as module
from stages.evaluate import perturbations
from stages.evaluate.behaviour import behaviour
from stages.evaluate.cases import CASES, DISEASES, EMPTY, TREATMENTS, simple_cases
from stages.evaluate.perturbations import Change, Perturbation, changed, moved
from stages.train.extractor import ExtractedMention, Extraction
from tests.labels import LABELS
from tests.repository import ROOT

BOUNDS = read_bounds((ROOT / "delivery/registry/gate.yaml").read_bytes(), "gate.yaml")
WORDS = [*DISEASES, *TREATMENTS]
_ANY = re.compile(r"\b(?:" + "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in WORDS) + r")\b", re.IGNORECASE)
NOTES = [
    "Known asthma, takes prednisolone 30 mg daily.\nPlan:\n- continue salbutamol 100mcg, review in autumn.",
    "Admitted with pneumonia and hypertension, previously healthy.\nStarted amoxicillin 500 mg TDS;",
    "Her migraine is better since bisoprolol 2.5mg was begun, and epilepsy is quiet.",
]


class Gazetteer:
    """Finds the words of the lists, whatever their case: blind to everything else."""

    def __init__(self, pattern: re.Pattern[str] = _ANY) -> None:
        self.pattern = pattern

    def extract(self, text: str) -> Extraction:
        mentions = []
        for match in self.pattern.finditer(text):
            known = " ".join(match.group().casefold().split())
            label = "Treatment" if known in TREATMENTS else "Disease"
            mentions.append(ExtractedMention(*match.span(), label, 0.9, False))
        return Extraction(tuple(mentions), 1, 1, 0.0)


class Nothing:
    def extract(self, text: str) -> Extraction:
        return Extraction((), 1, 1, 0.0)


class WithoutMarks(Gazetteer):
    """Stops reading where a line has no full stop at its end."""

    def extract(self, text: str) -> Extraction:
        return super().extract(text) if text.rstrip().endswith((".", ";", "9%")) else Extraction((), 1, 1, 0.0)


def spans_in(text: str) -> list[Span]:
    return [(m.start, m.end, m.label) for m in Gazetteer().extract(text).mentions]


def apply(change: Perturbation, text: str, seed: int = 0) -> tuple[str, set[Span]]:
    spans = spans_in(text)
    changes = change(text, spans, np.random.default_rng(seed))
    return changed(text, changes), moved(spans, changes)


# --- simple sentences ---------------------------------------------------------------------------


def test_a_sound_model_is_refused_in_one_of_fifty_at_most_and_a_weak_one_nearly_always() -> None:
    """By the gate's bound; .97 of a capability's sentences right is sound, .8 of one is weak."""
    cases = [len(of_capability) for of_capability in simple_cases().values()]
    refused = {
        rate: [binom.cdf(ceil(BOUNDS.minimum_functionality * n) - 1, n, rate) for n in cases] for rate in (0.97, 0.8)
    }
    assert 1 - np.prod([1 - chance for chance in refused[0.97]]) <= 0.02
    assert min(refused[0.8]) >= 0.95


def test_no_word_decides_twice_in_a_capability() -> None:
    assert {len(words) for words in (DISEASES, TREATMENTS, EMPTY)} == {CASES}
    assert {len(set(words)) for words in (DISEASES, TREATMENTS, EMPTY)} == {CASES}
    for name, cases in simple_cases().items():
        assert len({case.text for case in cases}) == CASES
        if name not in ("lists", "nothing_to_find"):
            assert len({case.text[start:end] for case in cases for start, end, _ in case.expected}) == CASES


def test_what_is_expected_stands_in_the_sentence() -> None:
    for cases in simple_cases().values():
        for case in cases:
            words = {case.text[start:end]: label for start, end, label in case.expected}
            assert set(words) <= set(WORDS)
            assert all((word in TREATMENTS) == (label == "Treatment") for word, label in words.items())


# --- changes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (perturbations.upper_case, "Straße, mild asthma", "STRAßE, MILD ASTHMA"),
        (perturbations.lower_case, "Known COPD", "known copd"),
        (perturbations.no_last_marks, "Gout.\nOn 2.5 mg; daily.  ", "Gout\nOn 2.5 mg; daily  "),
        (perturbations.no_commas, "gout, well, on 1,5 g aspirin, daily", "gout, well on 1,5 g aspirin, daily"),
        (perturbations.bullets, "Plan:\n- rest\n\n1. ice\nheat", "- Plan:\n- rest\n\n1. ice\n- heat"),
        (perturbations.wide_spaces, "a b  c\n d", "a  b  c\n d"),
        (perturbations.other_doses, "500 mg, 2.5ml, 3 days, 10 units", "600 mg, 3.6ml, 3 days, 20 units"),
        (perturbations.glued_doses, "500 mg and 5 G, 3 days", "500mg and 5G, 3 days"),
        (perturbations.parted_doses, "500mg and 5G, T2DM 3 mgs", "500 mg and 5 G, T2DM 3 mgs"),
    ],
)
def test_a_change_does_what_it_says(change: Perturbation, before: str, after: str) -> None:
    assert apply(change, before)[0] == after


def test_no_comma_goes_that_parts_two_mentions() -> None:
    assert apply(perturbations.no_commas, "gout, asthma")[0] == "gout, asthma"
    assert apply(perturbations.no_commas, "well, gout")[0] == "well, gout"
    assert apply(perturbations.no_commas, "well, with gout")[0] == "well with gout"


@pytest.mark.parametrize("seed", range(20))
def test_a_typo_is_one_swap_outside_of_mentions(seed: int) -> None:
    text = "Known hypertension, previously healthy"
    typed, _ = apply(perturbations.typo, text, seed)
    places = [i for i, (a, b) in enumerate(zip(text, typed, strict=True)) if a != b]
    assert len(places) == 2
    assert text.index("previously") < places[0] == places[1] - 1
    assert sorted(typed) == sorted(text)


def test_a_text_without_a_place_for_it_is_not_changed() -> None:
    for change in (perturbations.typo, perturbations.other_doses, perturbations.replacing_one("Disease", DISEASES)):
        assert apply(change, "on HRT") == ("on HRT", set())


@pytest.mark.parametrize("seed", range(10))
def test_another_word_takes_the_place_of_a_mention(seed: int) -> None:
    change = perturbations.replacing_one("Treatment", ["aspirin", "omeprazole"])
    text, spans = apply(change, "gout, aspirin", seed)
    assert text == "gout, aspirin" or (text, spans) == ("gout, omeprazole", {(0, 4, "Disease"), (6, 16, "Treatment")})
    assert apply(change, "gout, aspirin, ramipril", seed)[0] != "gout, aspirin, ramipril"


@pytest.mark.parametrize("change", [*module.INVARIANT.values(), *(change for _, change in module._SWAPPED.values())])
@pytest.mark.parametrize("text", NOTES)
def test_mentions_stand_where_they_should_after_a_change(change: Perturbation, text: str) -> None:
    """The word list finds every mention again, exactly where the change says."""
    after, expected = apply(change, text)
    assert set(spans_in(after)) == expected


@given(st.text(alphabet="ab ,.\n5mg", max_size=30), st.integers(0, 2**32 - 1))
def test_offsets_follow_any_insertions_and_deletions(text: str, seed: int) -> None:
    """Mark a span by brackets, change the text outside of it, and look for the brackets."""
    generator = np.random.default_rng(seed)
    first, end = sorted(generator.integers(0, len(text) + 1, size=2).tolist())
    if first == end:
        return
    places = [*range(first), *range(end, len(text))]
    changes = [Change(i, i + int(generator.integers(2)), "x" * int(generator.integers(3))) for i in places]
    after = changed(text, changes)
    ((start, stop, label),) = moved([(first, end, "Disease")], changes)
    assert (after[start:stop], label) == (text[first:end], "Disease")
    assert after[:start] == changed(text[:first], [c for c in changes if c.start < first])


# --- the table ----------------------------------------------------------------------------------


def test_an_extractor_that_knows_the_words_passes_everything() -> None:
    table = behaviour(Gazetteer(), NOTES, LABELS, 1)
    assert {name: row["rate"] for name, row in table.items() if row["rate"] != 1.0} == {}
    assert all(row["cases"] == row["passed"] > 0 for row in table.values())
    assert {row["kind"] for row in table.values()} == {"minimum functionality", "invariance", "directional"}


def test_one_that_finds_nothing_passes_no_minimum() -> None:
    table = behaviour(Nothing(), NOTES, LABELS, 1)
    simple = {name for name, row in table.items() if row["kind"] == "minimum functionality"}
    assert {name for name in simple if table[name]["passed"]} == {"nothing_to_find"}
    assert table["a_disease_more"]["rate"] == table["a_treatment_more"]["rate"] == 0
    assert table["another_disease"] == {"kind": "directional", "cases": 0, "passed": 0, "rate": None}


@pytest.mark.parametrize(
    ("extractor", "capability"),
    [
        (Gazetteer(re.compile(_ANY.pattern)), "upper_case"),
        (Gazetteer(re.compile(rf"{_ANY.pattern}(?!  )", re.IGNORECASE)), "wide_spaces"),
        (WithoutMarks(), "no_punctuation_at_line_ends"),
        (Gazetteer(re.compile(rf"{_ANY.pattern}(?! \d+[a-z])", re.IGNORECASE)), "treatments_with_doses"),
    ],
)  # fmt: skip
def test_a_weakness_shows_where_it_should(extractor: Gazetteer, capability: str) -> None:
    assert behaviour(extractor, NOTES, LABELS, 1)[capability]["rate"] < 1


def test_a_changed_label_is_a_failure() -> None:
    class Confused(Gazetteer):
        def extract(self, text: str) -> Extraction:
            found = super().extract(text)
            if not text.isupper():
                return found
            other = tuple(mention._replace(label="Disease") for mention in found.mentions)
            return Extraction(other, 1, 1, 0.0)

    table = behaviour(Confused(), NOTES, LABELS, 1)
    assert table["upper_case"]["passed"] == 0
    assert table["lower_case"]["rate"] == 1


def test_a_mention_too_many_is_a_failure() -> None:
    class Eager(Gazetteer):
        def extract(self, text: str) -> Extraction:
            found = super().extract(text)
            more = (ExtractedMention(0, 1, "Disease", 0.9, False),) if text.isupper() or text == "Lives alone." else ()
            return Extraction((*more, *found.mentions), 1, 1, 0.0)

    table = behaviour(Eager(), NOTES, LABELS, 1)
    assert table["upper_case"]["passed"] == 0
    assert table["nothing_to_find"]["passed"] == table["nothing_to_find"]["cases"] - 1


def test_the_table_is_the_same_every_time_and_in_any_order() -> None:
    first = json.dumps(behaviour(Gazetteer(), NOTES, LABELS, 3))
    assert first == json.dumps(behaviour(Gazetteer(), reversed(NOTES), LABELS, 3))


def test_the_table_holds_no_text() -> None:
    table = json.dumps(behaviour(Gazetteer(), NOTES, LABELS, 1)).casefold()
    words = {word for note in NOTES for word in re.findall(r"[a-z]{5,}", note.casefold())}
    assert not {word for word in words if re.search(rf"\b{word}\b", table)}


def test_many_documents_are_sampled() -> None:
    seen: list[str] = []
    spy: Callable[[str], Extraction] = Gazetteer().extract

    class Spy:
        def extract(self, text: str) -> Extraction:
            seen.append(text)
            return spy(text)

    table = behaviour(Spy(), [f"Note {i}: gout." for i in range(150)], LABELS, 1)
    assert table["lower_case"]["cases"] == module.MOST_DOCUMENTS
    assert len({text for text in seen if re.fullmatch(r"Note \d+: gout\.", text)}) == module.MOST_DOCUMENTS


def test_without_documents_only_the_minimum_is_tested() -> None:
    table = behaviour(Gazetteer(), [], LABELS, 1)
    assert all((row["rate"] is None) == (row["kind"] != "minimum functionality") for row in table.values())


def test_gold_mentions_move_with_the_changed_text() -> None:
    texts = {str(number): text for number, text in enumerate([*NOTES, "Nothing to see here"])}
    gold = {name: spans_in(text) for name, text in texts.items()}
    blind = scores_of_changed(Gazetteer(), texts, gold, 1)
    assert set(blind) == {"as_written", *module.INVARIANT}
    assert set(blind.values()) == {1.0}
    small = scores_of_changed(Gazetteer(re.compile(_ANY.pattern)), texts, gold, 1)
    assert small["lower_case"] == small["as_written"] == 1.0
    assert small["upper_case"] == 0.0
    assert scores_of_changed(WithoutMarks(), texts, gold, 1)["no_punctuation_at_line_ends"] < 1.0
