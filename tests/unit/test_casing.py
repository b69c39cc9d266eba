"""Notes in capitals, or without any, are read as training would have written them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stages.featurize.attributes.casing import Casing, usual_forms
from stages.featurize.collecting import collect_attributes

NOTE = [
    "Known severe asthma and COPD .".split(),
    "Takes Ramipril daily , no HF .".split(),
    "No evidence of bilateral mRNA changes .".split(),
]
CASING = Casing.of(usual_forms([NOTE]), {word.lower() for sentence in NOTE for word in sentence})


def loud(sentences: list[list[str]]) -> list[list[str]]:
    return [[word.upper() for word in sentence] for sentence in sentences]


def quiet(sentences: list[list[str]]) -> list[list[str]]:
    return [[word.lower() for word in sentence] for sentence in sentences]


def test_a_note_that_shouts_or_whispers_gets_its_capitals_back() -> None:
    assert CASING.recased(loud(NOTE)) == NOTE
    assert CASING.recased(quiet(NOTE)) == NOTE


def test_a_note_with_capitals_is_left_alone() -> None:
    assert CASING.recased(NOTE) == NOTE
    mixed = [*quiet(NOTE), ["Seen", "today"]]
    assert CASING.recased(mixed) == mixed


def test_one_sentence_may_shout() -> None:
    calm = [["She", "feels", "better", "today"], ["walks", "outside", "again"]]
    assert CASING.recased([*calm, *loud(NOTE[:1])]) == [*calm, NOTE[0]]


def test_a_list_of_abbreviations_does_not_shout() -> None:
    sentences = ["COPD , AF , HF , CKD , T2DM".split()]
    assert CASING.recased(sentences) == sentences


def test_short_words_that_training_does_not_know_are_abbreviations() -> None:
    [found] = CASING.recased([["SEVERE", "BILATERAL", "CHANGES", "ATN", "PCNL", "GOUT", "AND", "M"]])
    assert found == ["Severe", "bilateral", "changes", "ATN", "PCNL", "gout", "and", "m"]


def test_the_usual_form_is_the_most_frequent_one_and_sentences_that_shout_do_not_count() -> None:
    sentences = ["x Gout gout gout HF hf".split(), "SEVERE CHRONIC ASTHMA GOUT GOUT GOUT".split()]
    assert usual_forms([sentences]) == {"hf": "HF"}


@given(st.lists(st.lists(st.text("aBcDé1. ", max_size=7), max_size=6), max_size=4))
def test_only_the_case_changes(sentences: list[list[str]]) -> None:
    assert quiet(CASING.recased(sentences)) == quiet(sentences)


def test_a_whispered_note_has_the_attributes_of_the_spoken_one() -> None:
    extractor = collect_attributes([NOTE], {})
    spoken = extractor.transform(NOTE).rows.tolist()
    assert extractor.transform(quiet(NOTE)).rows.tolist() == spoken
    assert extractor.transform(loud(NOTE)).rows.tolist() == spoken
