"""Splits: decided by content, and never again."""

from __future__ import annotations

import random
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.params import load_params
from stages.prepare.duplicates import content_hash, jaccard
from stages.prepare.params import PrepareParams
from stages.prepare.splits import SPLITS, Assignment, assign, split_of
from tests.reference.shingles import shingles_of

PARAMS = load_params().prepare
Item = tuple[str, str | None]


def note(seed: int, length: int = 40) -> str:
    generator = random.Random(seed)
    return " ".join(f"word{generator.randrange(1000)}" for _ in range(length))


def varied(seed: int, variant: int) -> str:
    """Return a note, or a near duplicate of it: the last word is another one."""
    return note(seed) if variant == 0 else f"{note(seed)} variant{variant}"


items: st.SearchStrategy[Item] = st.builds(
    lambda seed, variant, fixed: (varied(seed, variant), fixed),
    st.integers(0, 12),
    st.integers(0, 3),
    st.sampled_from([None, None, None, *SPLITS]),
)
free: st.SearchStrategy[Item] = items.map(lambda item: (item[0], None))


def changed(**values: object) -> PrepareParams:
    return PARAMS.model_copy(update=values)


def with_split(split: str, other_than: int = -1) -> int:
    """Return the number of a note whose content puts it into `split`."""
    return next(n for n in range(1000) if n != other_than and split_of(content_hash(note(n)), PARAMS) == split)


@given(st.lists(items, max_size=12), st.lists(items, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_new_batch_moves_no_old_document(old: list[Item], new: list[Item]) -> None:
    assert assign(old + new, PARAMS)[: len(old)] == assign(old, PARAMS)


@given(st.lists(free, max_size=15))
@settings(max_examples=60, deadline=None)
def test_near_duplicates_stay_together(texts: list[Item]) -> None:
    assignments = assign(texts, PARAMS)
    for i, (left, _) in enumerate(texts):
        for j, (right, _) in enumerate(texts[:i]):
            if jaccard(shingles_of(left), shingles_of(right)) >= PARAMS.near_duplicate:
                assert assignments[i].split == assignments[j].split
                assert assignments[i].group == assignments[j].group
                assert assignments[i].duplicate


@given(st.lists(items, max_size=12))
@settings(max_examples=60, deadline=None)
def test_fixed_splits_are_respected(texts: list[Item]) -> None:
    for (_, fixed), assignment in zip(texts, assign(texts, PARAMS), strict=True):
        assert fixed in (None, assignment.split)


@given(st.permutations(range(10)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_unrelated_documents_does_not_matter(order: list[int]) -> None:
    expected = assign([(note(seed), None) for seed in range(10)], PARAMS)
    assert assign([(note(seed), None) for seed in order], PARAMS) == [expected[seed] for seed in order]


def test_a_document_that_repeats_documents_of_two_splits_is_left_out() -> None:
    left, right = f"{note(1)} {note(2, 10)}", f"{note(1)} {note(3, 10)}"
    texts: list[Item] = [(left, "train"), (right, "test"), (note(1), None)]
    assert jaccard(shingles_of(left), shingles_of(right)) < PARAMS.near_duplicate
    assignments = assign(texts, PARAMS)
    assert [a.split for a in assignments] == ["train", "test", None]
    assert assignments[2] == Assignment(content_hash(left), None, duplicate=True)


def test_a_repeat_of_what_was_left_out_is_left_out() -> None:
    left, right = f"{note(1)} {note(2, 10)}", f"{note(1)} {note(3, 10)}"
    texts: list[Item] = [(left, "train"), (right, "test"), (note(1), None), (note(1), None)]
    assert assign(texts, PARAMS)[3].split is None


def test_a_later_duplicate_follows_a_fixed_split() -> None:
    number = with_split("train")
    texts: list[Item] = [(note(number), "test"), (varied(number, 1), None)]
    assert [a.split for a in assign(texts, PARAMS)] == ["test", "test"]


def test_layout_does_not_decide_the_split() -> None:
    for seed in range(20):
        (plain,) = assign([(note(seed), None)], PARAMS)
        assert assign([(note(seed).upper().replace(" ", "\n"), None)], PARAMS) == [plain]


def test_shares_are_roughly_as_asked() -> None:
    params = changed(dev=0.2, test=0.3)
    counts = Counter(split_of(f"{number:016x}", params) for number in range(5000))
    assert counts["dev"] / 5000 == pytest.approx(0.2, abs=0.02)
    assert counts["test"] / 5000 == pytest.approx(0.3, abs=0.02)


def test_without_shares_everything_is_trained_on() -> None:
    assert {split_of(str(number), changed(dev=0.0, test=0.0)) for number in range(100)} == {"train"}


def test_another_salt_is_another_split() -> None:
    keys = [str(number) for number in range(200)]
    assert [split_of(key, PARAMS) for key in keys] != [split_of(key, changed(salt="2")) for key in keys]


def test_a_larger_test_share_takes_nothing_out_of_test() -> None:
    for number in range(500):
        if split_of(str(number), changed(test=0.2)) == "test":
            assert split_of(str(number), changed(test=0.3)) == "test"


def test_no_documents_no_assignments() -> None:
    assert assign([], PARAMS) == []


@pytest.mark.parametrize(
    ("group", "split"),
    [("a", "train"), ("d", "dev"), ("ecaa22dde2303973", "test"), ("g", "dev")],
)
def test_the_split_of_a_group_does_not_change_between_releases(group: str, split: str) -> None:
    assert split_of(group, changed(dev=0.15, test=0.25, salt="1")) == split


def test_a_share_ends_where_the_next_begins() -> None:
    """Groups at a place below the test share are tested on, those up to the sum of both are dev, all others train."""
    params = changed(dev=0.3, test=0.2, salt="x")
    for group in map(str, range(300)):
        place = int(sha256(f"x/{group}".encode()).hexdigest()[:12], 16) / 16**12
        assert split_of(group, params) == ("test" if place < 0.2 else "dev" if place < 0.5 else "train")
        at = changed(dev=0.1, test=place, salt="x")
        assert split_of(group, at) == ("dev" if place < place + 0.1 else "train")
        assert split_of(group, changed(dev=0.0, test=place, salt="x")) == "train"


def test_what_founds_a_group_is_no_duplicate_and_what_joins_it_is() -> None:
    texts: list[Item] = [(note(5), None), (varied(5, 1), None), (note(5), None), (note(6), None)]
    assert [a.duplicate for a in assign(texts, PARAMS)] == [False, True, True, False]
    assert [a.group for a in assign(texts, PARAMS)[:3]] == [content_hash(note(5))] * 3


def test_a_repeat_of_a_repeat_knows_all_splits_that_its_group_stands_in() -> None:
    """An exact repeat fixed elsewhere puts the group into two splits: the next one belongs to neither."""
    texts: list[Item] = [(note(7), "train"), (note(7), "test"), (note(7), None), (note(7), "dev"), (note(8), "dev")]
    assert [a.split for a in assign(texts, PARAMS)] == ["train", "test", None, "dev", "dev"]
