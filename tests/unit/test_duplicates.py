"""Duplicates: layout and case do not matter, words do, and only what came earlier is found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.prepare.duplicates import DuplicateIndex, content_hash, jaccard, words_of
from tests.reference.shingles import shingles_of

WORDS = [f"word{number}" for number in range(400)]
NOTE = "The patient has asthma and takes salbutamol when it is cold outside"


def note(seed: int, length: int = 60) -> list[str]:
    return random.Random(seed).choices(WORDS, k=length)


@pytest.mark.parametrize(
    "other",
    [NOTE.upper(), NOTE.replace(" ", "\n"), f"  {NOTE}.", NOTE.replace("asthma", "(asthma),"), NOTE.replace(" ", "  ")],
)
def test_layout_case_and_punctuation_do_not_matter(other: str) -> None:
    assert content_hash(other) == content_hash(NOTE)
    assert shingles_of(other) == shingles_of(NOTE)


def test_words_and_their_order_matter() -> None:
    other = NOTE.replace("asthma", "eczema")
    swapped = " ".join(reversed(NOTE.split()))
    assert len({content_hash(NOTE), content_hash(other), content_hash(swapped)}) == 3


def test_the_hash_does_not_change_between_releases() -> None:
    assert content_hash("Gout was treated.") == "ecaa22dde2303973", "another hash moves documents between splits"


def test_words_are_folded() -> None:
    assert words_of("Straße, 500mg b.d.!") == ["strasse", "500mg", "b", "d"]


@given(st.lists(st.sampled_from("abcd"), max_size=8), st.lists(st.sampled_from("abcd"), max_size=8))
def test_jaccard_is_a_similarity(left: list[str], right: list[str]) -> None:
    a, b = frozenset(left), frozenset(right)
    assert jaccard(a, b) == jaccard(b, a)
    assert 0 <= jaccard(a, b) <= 1
    assert jaccard(a, a) == 1
    assert (jaccard(a, b) == 1) == (a == b)


@pytest.mark.parametrize("text", ["", "...", "one", "one two", "one two three"])
def test_texts_shorter_than_a_shingle_have_one(text: str) -> None:
    assert len(shingles_of(text)) == 1


def test_only_earlier_documents_are_found() -> None:
    index = DuplicateIndex(0.7)
    words = note(1)
    texts = [" ".join(words), " ".join(note(2)), " ".join([*words[:-1], "end"]), " ".join(words).upper()]
    assert [index.add(text) for text in texts] == [[], [], [0], [0]]


@pytest.mark.parametrize(("edits", "found"), [(1, [0]), (2, [0]), (12, []), (40, [])])
def test_near_duplicates_are_those_over_the_threshold(edits: int, found: list[int]) -> None:
    words = note(3)
    changed = [f"new{place}" if place % 5 == 0 and place < 5 * edits else word for place, word in enumerate(words)]
    index = DuplicateIndex(0.7)
    index.add(" ".join(words))
    assert index.add(" ".join(changed)) == found
    similar = jaccard(shingles_of(" ".join(words)), shingles_of(" ".join(changed))) >= 0.7
    assert similar == bool(found)


def test_what_the_index_proposes_is_checked_exactly() -> None:
    """Under a bar of 1.0 only exact repeats count, although the index proposes the others as well."""
    words = note(4)
    index = DuplicateIndex(1.0)
    index.add(" ".join(words))
    assert index.add(" ".join([*words, "more"])) == []


def test_near_duplicates_are_hardly_ever_missed() -> None:
    """The index only proposes; a pair it does not propose would leak. One word of 60 changed: none is missed."""
    missed = 0
    for seed in range(100):
        words = note(seed)
        index = DuplicateIndex(0.7)
        index.add(" ".join(words))
        words[seed % 60] = "changed"
        missed += index.add(" ".join(words)) != [0]
    assert missed == 0
