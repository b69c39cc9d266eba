"""Copied passages and templates: found in time linear in the notes, and what prepare lets pass the gate passes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.params import load_params
from stages.prepare import duplicates
from stages.prepare.duplicates import BOILERPLATE, SHORTEST_COPY, DuplicateIndex
from stages.prepare.splits import Assignment, assign
from stages.validate import leakage
from stages.validate.leakage import copied_passages, near_duplicates

PARAMS = load_params().prepare


def words(seed: int, length: int) -> list[str]:
    return random.Random(seed).choices([f"word{number}" for number in range(5000)], k=length)


def note(*parts: tuple[int, int]) -> str:
    """Join passages, each of a seed and a length: the same seed is the same passage."""
    return " ".join(word for seed, length in parts for word in words(seed, length))


def from_template(number: int, share: float, length: int = 100) -> str:
    """Fill a template in: so large a share of its words, in places of their own, are the note's."""
    generator, text = random.Random(number), words(-1, length)
    for place in generator.sample(range(length), round(share * length)):
        text[place] = f"own{number}x{place}"
    return " ".join(text)


def placed(texts: list[str]) -> list[Assignment]:
    return assign([(text, None) for text in texts], PARAMS)


def leaks(texts: list[str], assignments: list[Assignment]) -> list[tuple[int, int]]:
    kept = [(text, entry.split) for text, entry in zip(texts, assignments, strict=True) if entry.split]
    split_texts, splits = [text for text, _ in kept], [split for _, split in kept]
    return [
        *near_duplicates(split_texts, PARAMS.near_duplicate, splits),
        *copied_passages(split_texts, splits, PARAMS.copied),
    ]


@pytest.mark.parametrize(
    "copy",
    [
        note((1, 40), (2, 40)),  # half of it, and as much of its own
        note((3, 60), (1, 40), (4, 100)),  # half of it in the middle of a longer note
        note((1, 80), (5, 300)),  # all of it, copied forward
        note((1, 30)),  # a part of it, and nothing else
    ],
)
def test_a_note_that_copies_from_another_stands_in_its_split(copy: str) -> None:
    source = note((1, 80))
    for fixed in ("train", "dev", "test"):
        first, second = assign([(source, fixed), (copy, None)], PARAMS)
        assert (second.split, second.group, second.duplicate) == (fixed, first.group, True)
    assert list(copied_passages([source, copy], ["train", "test"], PARAMS.copied)) == [(0, 1)]
    assert list(copied_passages([source, copy], ["train", "train"], PARAMS.copied)) == []


@pytest.mark.parametrize(
    "other", [note((1, 20), (2, 60)), note((1, SHORTEST_COPY)), note((6, 80)), note((1, 80)).upper()]
)
def test_set_phrases_and_unrelated_notes_are_not_copied(other: str) -> None:
    """The last is no passage but the whole text, and another check's."""
    assert list(copied_passages([note((1, 80)), other], ["train", "test"], PARAMS.copied)) == []


def test_a_note_that_copies_from_two_splits_is_left_out() -> None:
    texts = [(note((1, 60)), "train"), (note((2, 60)), "test"), (note((1, 60), (2, 60)), None)]
    assert assign(texts, PARAMS)[2].split is None


def test_a_template_does_not_tie_its_notes_together_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its 3-grams are signs of copying until they are known to be boilerplate, in each of the splits."""
    for module in (duplicates, leakage):
        monkeypatch.setattr(module, "BOILERPLATE", 5)
    texts = [from_template(number, 0.06) for number in range(200)]
    assignments = placed(texts)
    late = assignments[100:]
    assert sum(entry.duplicate for entry in late) < len(late) / 5
    assert min(Counter(entry.split for entry in late if entry.split).values()) > len(late) / 20
    assert leaks(texts, assignments) == []


def test_a_passage_copied_into_a_templated_note_is_found() -> None:
    """The gate does not take the copy for boilerplate because the rest of the note is."""
    family = [f"{note((-1, 60))} {note((100 + number, 120))}" for number in range(3 * BOILERPLATE)]
    copy = f"{note((-1, 60))} {note((100, 120))} {note((1, 20))}"
    splits = ["train"] * len(family) + ["test"]
    assert list(copied_passages([*family, copy], splits, PARAMS.copied)) == [(0, len(family))]


passages = st.lists(st.tuples(st.integers(1, 6), st.sampled_from([15, 30, 60])), min_size=1, max_size=3)
templated = st.tuples(st.integers(0, 200), st.sampled_from([0.02, 0.04, 0.06])).map(
    lambda drawn: from_template(drawn[0], drawn[1])
)
corpora = st.lists(st.one_of(passages.map(lambda parts: note(*parts)), templated), max_size=25)


@pytest.mark.parametrize(("boilerplate", "representatives"), [(BOILERPLATE, 2), (1, 1), (3, 1)])
@settings(max_examples=25, deadline=None)
@given(texts=corpora)
def test_what_prepare_places_passes_the_gate(boilerplate: int, representatives: int, texts: list[str]) -> None:
    """However soon their bounds are reached, the gate finds nothing that prepare could not have found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "BOILERPLATE", boilerplate)
        patch.setattr(leakage, "BOILERPLATE", boilerplate)
        patch.setattr(duplicates, "REPRESENTATIVES", representatives)
        patch.setattr(leakage, "REPRESENTATIVES", representatives)
        assert leaks(texts, placed(texts)) == []


def test_both_sides_know_the_same_bounds() -> None:
    """They share no code, so that one finds the other's faults, but a gate that is stricter could not be satisfied."""
    for name in ("BOILERPLATE", "REPRESENTATIVES", "SHORTEST_COPY"):
        assert getattr(duplicates, name) == getattr(leakage, name)


def compared(patch: pytest.MonkeyPatch, module: object, run: Callable[[], object]) -> int:
    """Count the exact comparisons that `run` makes."""
    exact, calls = leakage.jaccard, Counter[str]()

    def counting(a: frozenset[str], b: frozenset[str]) -> float:
        calls["jaccard"] += 1
        return exact(a, b)

    patch.setattr(module, "jaccard", counting)
    run()
    return calls["jaccard"]


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_comparisons_grow_with_the_notes_and_not_with_their_square(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    texts = [from_template(number, share) for number in range(900)]
    thirds = [compared(monkeypatch, duplicates, lambda part=part: placed(texts[:part])) for part in (300, 600, 900)]
    assert thirds[2] - thirds[1] < 1.2 * (thirds[1] - thirds[0]) + 100
    splits = ["train", "train", "test"] * 300
    found = [
        compared(monkeypatch, leakage, lambda part=part: list(near_duplicates(texts[:part], 0.7, splits[:part])))
        for part in (300, 600, 900)
    ]
    assert found[2] - found[1] < 1.2 * (found[1] - found[0]) + 100


def test_an_index_without_a_share_of_copies_finds_near_duplicates_only() -> None:
    index = DuplicateIndex(0.7)
    assert [index.add(text) for text in (note((1, 80)), note((1, 80), (2, 80)))] == [[], []]
