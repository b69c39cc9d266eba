"""What is held true of all notes, from those that were reviewed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.verdicts.review import drawings, said
from benchmarks.verdicts.reviewed import Population, invented
from production.review.estimates import ALL, by_slice, estimates, precision
from production.review.seen import Part, ReviewedNote, SeenSpan, Sums
from production.review.weighing import Drawn, horvitz_thompson

LABELS = ["Disease", "Treatment"]


def span(correct: bool = True, confidence: float = 0.9, *, label: str = "Disease", accepted: bool = True) -> SeenSpan:
    return SeenSpan(label, confidence, accepted, correct)


def note(*spans: SeenSpan, stratum: str = "accepted", probability: float = 0.5, missed: int = 0) -> ReviewedNote:
    return ReviewedNote(stratum, probability, {"kind": "short"}, spans, {"Disease": missed} if missed else {}, 120.0)


def subsets(notes: Sequence[ReviewedNote]) -> Iterator[tuple[float, list[ReviewedNote]]]:
    """Every drawing there is, and how probable it is."""
    for taken in product((False, True), repeat=len(notes)):
        chances = [one.probability if here else 1 - one.probability for one, here in zip(notes, taken, strict=True)]
        yield float(np.prod(chances)), [one for one, here in zip(notes, taken, strict=True) if here]


tiny = st.lists(
    st.builds(
        lambda right, wrong, missed, probability, confidence: note(
            *[span(confidence=confidence)] * right, *[span(False, confidence=confidence)] * wrong,
            missed=missed, probability=probability,
        ),
        st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.sampled_from([0.2, 0.5, 0.9]),
        st.sampled_from([0.5, 0.8, 0.99]),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(tiny)
def test_right_mentions_are_estimated_without_bias_whatever_is_drawn_how_often(notes: list[ReviewedNote]) -> None:
    right = sum(one.correct for each in notes for one in each.spans)
    confidence = sum(one.confidence for each in notes for one in each.spans)
    expected = 0.0
    for chance, drawn in subsets(notes):
        off = np.array([sum(one.correct - one.confidence for one in each.spans) for each in drawn], dtype=float)
        chances = np.array([each.probability for each in drawn], dtype=float)
        expected += chance * horvitz_thompson(off, chances, confidence)
    assert expected == pytest.approx(right)


def test_who_reviews_everything_knows_the_truth() -> None:
    notes = [note(span(), span(False), missed=1, probability=1.0), note(span(), probability=1.0), note(probability=1.0)]
    found = estimates(notes, Population(notes).frame.strata, LABELS)
    assert found.accepted[ALL].value == found.precision["Disease"].value == pytest.approx(2 / 3)
    assert found.recall[ALL].value == pytest.approx(2 / 3)
    assert found.f1[ALL].value == pytest.approx(4 / 6)
    assert found.minutes.value == pytest.approx(2.0)
    assert found.accepted[ALL].error == pytest.approx(0.0)


def test_a_note_stands_for_as_many_as_its_probability_says() -> None:
    """Half of the reviewed notes are wrong, of a stratum that was drawn four times as often."""
    right, wrong = note(span(), probability=0.1), note(span(False), stratum="queried", probability=0.4)
    notes = [right] * 20 + [wrong] * 20
    parts = {
        "accepted": Part(200, {"Disease": Sums(200, 200, 180.0, 180.0)}),
        "queried": Part(50, {"Disease": Sums(50, 50, 45.0, 45.0)}),
    }
    assert precision(notes, parts, ALL, accepted=True).value == pytest.approx(0.8)
    # The same within a stratum.
    notes = [note(span(), probability=0.1)] * 20 + [note(span(False), probability=0.4)] * 20
    alone = {"accepted": Part(250, {"Disease": Sums(250, 250, 225.0, 225.0)})}
    assert precision(notes, alone, ALL, accepted=True).value == pytest.approx(0.8)


def test_confidence_of_all_notes_corrects_what_was_drawn() -> None:
    """By chance only the surer half was reviewed; all of it is right, as its confidence says."""
    notes = [note(span(confidence=1.0))] * 30
    parts = {"accepted": Part(60, {"Disease": Sums(60, 60, 30 * 1.0 + 30 * 0.8, 54.0)})}
    assert precision(notes, parts, ALL, accepted=True).value == pytest.approx(0.9)


def test_the_control_of_the_accepted_is_that_of_the_accepted() -> None:
    notes = [note(span(), span(confidence=0.5, accepted=False))] * 30
    parts = {"accepted": Part(60, {"Disease": Sums(120, 60, 60 * (0.7 + 0.4), 60 * 0.7)})}
    assert precision(notes, parts, ALL, accepted=True).value == pytest.approx(0.7 + 0.1)
    assert precision(notes, parts, ALL, accepted=False).value == pytest.approx(0.55 + 0.3)


def test_no_error_seen_is_no_proof_that_there_is_none() -> None:
    parts = {"accepted": Part(3000, {"Disease": Sums(3000, 3000, 2700.0, 2700.0)})}
    found = precision([note(span())] * 100, parts, ALL, accepted=True)
    assert found.value == pytest.approx(1.0)
    assert found.high == pytest.approx(1.0)
    assert found.low is not None
    assert 0.9 < found.low < 0.97  # three in a hundred may be wrong: 0.97 is what (1 - x)^100 = 0.05 gives


def test_without_a_review_nothing_is_said_but_what_the_model_says_itself() -> None:
    frame = Population([note(span())] * 10).frame
    found = estimates([], frame.strata, LABELS)
    for one in (found.accepted[ALL], found.precision[ALL], found.recall[ALL], found.f1[ALL], found.minutes):
        assert one.value is one.low is one.high is None
        assert one.reason
    assert found.accepted_unlabelled[ALL].value == pytest.approx(0.9)
    assert found.accepted_unlabelled[ALL].estimated
    assert not found.accepted[ALL].estimated


def test_a_label_without_an_accepted_mention_has_no_precision() -> None:
    notes = [note(span(), span(label="Treatment", accepted=False))] * 10
    found = estimates(notes, Population(notes).frame.strata, LABELS)
    assert found.accepted["Treatment"].value is None
    assert found.accepted["Treatment"].reason == "there is no such mention"
    assert found.precision["Treatment"].value == 1.0
    assert found.accepted_unlabelled["Treatment"].value is None


def test_a_label_that_was_only_missed_has_no_recall_to_speak_of() -> None:
    notes = [replace(note(span()), missed={"Treatment": 1})] * 10
    found = estimates(notes, Population(notes).frame.strata, LABELS)
    assert found.recall["Treatment"].value == 0.0
    assert found.precision["Treatment"].value is None
    assert found.recall["Treatment"].high is not None
    assert found.recall["Treatment"].high < 0.5
    assert estimates(notes, Population(notes).frame.strata, ["Symptom"]).recall["Symptom"].value is None


def test_a_stratum_that_nobody_reviewed_leaves_its_mentions_open() -> None:
    everything = [note(span())] * 80 + [note(span(), stratum="queried")] * 20
    parts, seen = Population(everything).frame.strata, everything[:60]
    found = estimates(seen, parts, LABELS)
    accepted = found.accepted[ALL]
    assert accepted.value == pytest.approx(0.8 + 0.2 * 0.9)  # its confidence, taken for granted
    assert accepted.low is not None
    assert accepted.low < 0.8  # all of the others may be wrong, or right
    assert accepted.high == pytest.approx(1.0)
    assert accepted.reason == "of queried no note was reviewed"
    assert found.recall[ALL].value is found.f1[ALL].value is found.minutes.value is None
    assert found.recall[ALL].reason == "of queried no note was reviewed"


def test_a_small_stratum_that_chance_left_out_does_not_silence_the_rest() -> None:
    everything = [note(span(), missed=1)] * 97 + [note(stratum="silent")] * 3
    found = estimates(everything[:60], Population(everything).frame.strata, LABELS)
    assert found.recall[ALL].value == pytest.approx(0.5)


def test_a_note_of_a_stratum_without_notes_is_refused() -> None:
    with pytest.raises(ValueError, match="strata that have no notes: odd"):
        estimates([note(span(), stratum="odd")], {"accepted": Part(3)}, LABELS)


def test_each_slice_stands_on_its_own_notes() -> None:
    short, long = note(span(), span()), replace(note(span(), span(False)), slices={"kind": "long"})
    everything = Population([short] * 20 + [long] * 20)
    found = by_slice(everything.notes, everything.frame, LABELS)
    assert found["kind", "short"].accepted[ALL].value == pytest.approx(1.0)
    assert found["kind", "long"].accepted[ALL].value == pytest.approx(0.5)
    assert found["kind", "long"].accepted[ALL].notes == 20


def test_weights_add_up_to_the_notes_of_each_stratum() -> None:
    strata, chances = ["a"] * 10 + ["b"] * 6 + ["c"], [0.1, 0.3] * 5 + [0.5] * 6 + [0.9]
    drawn = Drawn.of(strata, chances, {"a": 40, "b": 20, "c": 4, "d": 2, "e": 0})
    assert drawn.weights.sum() == pytest.approx(66)
    assert drawn.weights[:10].sum() == pytest.approx(40)  # c and d are too few to stand alone, and join b
    assert drawn.weights[1] == pytest.approx(drawn.weights[0] / 3)


# -- small versions of `python -m benchmarks.verdicts review`


def clustered(seed: int = 1) -> Population:
    """Two strata, of which one errs more and is drawn more often; one note in twenty is wrong throughout."""
    generator = np.random.default_rng(seed)
    notes = []
    for _ in range(2000):
        hard, queried = generator.random() < 0.05, generator.random() < 0.3
        sure = generator.random() < (0.6 if queried else 0.95)
        confidence = np.full(1 + generator.poisson(4), 0.98 if sure else 0.6)
        right = generator.random(len(confidence)) < (0.2 if hard else confidence)
        spans = [span(*pair) for pair in zip(right.tolist(), confidence.tolist(), strict=True)]
        notes.append(note(*spans, stratum="queried" if queried else "accepted", missed=int(generator.poisson(0.5))))
    chances = [0.15 if one.stratum == "queried" else 0.05 for one in notes]
    return Population(notes).drawn_with(np.array(chances))


DRAWINGS = 200


def held(population: Population, estimate: str = f"accepted, {ALL}") -> float:
    ends = np.array(drawings(population, DRAWINGS)[estimate])
    truth = population.truth[estimate]
    return float(np.mean((ends[:, 1] <= truth) & (truth <= ends[:, 2])))


@pytest.mark.simulation
@pytest.mark.parametrize("estimate", [f"accepted, {ALL}", "precision", "recall", "F1"])
def test_intervals_hold_where_notes_err_together_and_are_drawn_unequally(estimate: str) -> None:
    assert held(clustered(), estimate) > 0.91  # 200 drawings at .95: .915 is the 1% bound of the binomial


@pytest.mark.simulation
@pytest.mark.parametrize("share", [1.0, 0.99, 0.95])
def test_intervals_hold_where_hardly_anything_is_wrong(share: float) -> None:
    population = invented(share, 0.05)
    assert held(population.drawn_with(population.uniform(100))) > 0.91


@pytest.mark.simulation
def test_the_control_makes_the_interval_narrower_where_confidence_tells_something() -> None:
    population = clustered()
    with_control, without = (
        np.array(drawings(one, 60)[f"accepted, {ALL}"]) for one in (population, population.without_control())
    )
    assert np.mean(with_control[:, 2] - with_control[:, 1]) < 0.97 * np.mean(without[:, 2] - without[:, 1])


def test_a_drawing_is_the_same_every_time() -> None:
    population = clustered()
    first, second = (said(population, np.random.default_rng(3)) for _ in range(2))
    assert first == second
