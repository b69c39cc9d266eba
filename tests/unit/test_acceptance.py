"""The promises: kept by construction, shown by simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.common.checked import ModelError
from stages.common.files import write_json
from stages.train.acceptance import NOTHING_ACCEPTED, Acceptance
from stages.train.params import AcceptanceParams
from stages.train.promises import Judged, choose_acceptance, choose_threshold, warnings_of_acceptance
from tests.held_out import held_out, judged

PARAMS = AcceptanceParams(precision=0.95, whole=0.9, risk=0.05, start=0.3, suggestion=0.2, models=[], tunings=0)


def simulated(generator: np.random.Generator, documents: int, *, clustered: float, parts: float = 0.0) -> Judged:
    """Mentions whose confidence is calibrated, right and wrong together within a document, and a part of documents."""
    sizes = generator.integers(1, 12, size=documents)
    numbers = np.repeat(np.arange(documents), sizes)
    part = numbers * 5 // documents
    confidence = generator.beta(6, 1, size=len(numbers))
    shift = np.repeat(generator.normal(0, clustered, size=documents), sizes) + generator.normal(0, parts, 5)[part]
    odds = np.log(confidence / (1 - confidence)) + shift
    return Judged(confidence, generator.random(len(numbers)) < 1 / (1 + np.exp(-odds)), numbers, part)


@pytest.mark.simulation
@pytest.mark.parametrize("clustered", [0.0, 1.0])
@pytest.mark.parametrize("promised", [0.9, 0.95])
def test_the_promise_fails_in_at_most_one_of_twenty(clustered: float, promised: float) -> None:
    generator = np.random.default_rng(7)
    truth = simulated(generator, 200_000, clustered=clustered)
    broken = given = 0
    for _ in range(300):
        found = choose_threshold(simulated(generator, 300, clustered=clustered), promised, 0.05, 0.1)
        if found is not None:
            given += 1
            broken += truth.right[truth.confidence >= found].mean() < promised
    assert given > 200, "the promise must be of use, too"
    # 300 trials at 5%: 15 expected, 24 is the 99% bound of the binomial.
    assert broken <= 24


@pytest.mark.simulation
def test_a_shift_between_parts_is_paid_for() -> None:
    """The next documents are a part of their own; whoever pays nothing for that breaks the promise in a third."""
    generator = np.random.default_rng(13)
    broken = given = 0
    for _ in range(200):
        learned = simulated(generator, 1000, clustered=0.5, parts=0.5)
        found = choose_threshold(learned, 0.9, 0.05, 0.1)
        following = simulated(generator, 1000, clustered=0.5, parts=0.5)
        following = following.take(np.flatnonzero(following.parts == 0))
        if found is not None:
            given += 1
            broken += following.right[following.confidence >= found].mean() < 0.9
    assert given > 150
    assert broken <= 0.15 * given


@pytest.mark.simulation
def test_the_search_begins_where_two_errors_do_not_end_it() -> None:
    """With one wrong mention in a hundred, a precision of .95 is plain; two in the first hundred are no rarity."""
    generator = np.random.default_rng(5)
    nothing = {"hundred": 0, "tenth": 0}
    for _ in range(200):
        right = generator.random(3000) < 0.99
        mentions = judged(np.linspace(0.99, 0.5, 3000), right)
        nothing["tenth"] += choose_threshold(mentions, 0.95, 0.05, 0.1) is None
        nothing["hundred"] += choose_threshold(mentions.take(slice(100)), 0.95, 0.05, 0.0) is None
    assert nothing["tenth"] <= 4
    assert nothing["hundred"] > 30


def test_the_promise_is_kept_where_no_threshold_keeps_it() -> None:
    """Every threshold breaks it by a hair, and each of a hundred steps is a new chance to be lucky."""
    generator = np.random.default_rng(11)
    trials, documents = 400, 4000
    given = 0
    for _ in range(trials):
        mentions = judged(generator.random(documents), generator.random(documents) < 0.899)
        given += choose_threshold(mentions, 0.9, 0.05, 0.1) is not None
    # 400 trials at 5%: 20 expected, 31 is the 99% bound of the binomial; going on after a failure breaks it.
    assert given <= 31


def _in_steps(*shares: float) -> Judged:
    """Mentions in blocks of 1000 from the surest down, each block with its share of right ones."""
    right = np.concatenate([np.arange(1000) % 100 < round(share * 100) for share in shares])
    return judged(np.linspace(0.99, 0.5, len(right)), right)


def test_the_search_stops_at_the_first_threshold_that_fails() -> None:
    good, bad = 1.0, 0.2
    assert choose_threshold(_in_steps(bad, *[good] * 20), 0.9, 0.05, 0.0) is None
    once = choose_threshold(_in_steps(good), 0.9, 0.05, 0.0)
    interrupted = choose_threshold(_in_steps(good, bad, *[good] * 20), 0.9, 0.05, 0.0)
    whole = choose_threshold(_in_steps(*[good] * 22), 0.9, 0.05, 0.0)
    assert once is not None and interrupted is not None and whole is not None
    # Of the 22 blocks the first, and the few of the second that the promise bears; not the twenty after it.
    assert whole == 0.5
    assert interrupted > 0.99 - 0.49 * 2 / 22


def test_more_judgements_allow_more() -> None:
    generator = np.random.default_rng(3)
    few = choose_threshold(simulated(generator, 100, clustered=0.5), 0.9, 0.05, 0.1)
    many = choose_threshold(simulated(generator, 5000, clustered=0.5), 0.9, 0.05, 0.1)
    assert few is not None and many is not None
    assert many < few


@pytest.mark.parametrize("mentions", [0, 1, 99])
def test_too_few_mentions_prove_nothing(mentions: int) -> None:
    perfect = judged(np.full(mentions, 0.99), np.ones(mentions, dtype=bool))
    assert choose_threshold(perfect, 0.95, 0.05, 0.1) is None


def test_one_document_proves_nothing() -> None:
    perfect = judged(np.full(500, 0.99), np.ones(500, dtype=bool), np.zeros(500))
    assert choose_threshold(perfect, 0.95, 0.05, 0.1) is None


def test_equal_confidences_are_accepted_together() -> None:
    tied = judged(np.full(600, 0.9), np.r_[np.ones(300), np.zeros(300)])
    assert choose_threshold(tied, 0.9, 0.05, 0.1) is None


def test_the_order_of_the_mentions_does_not_matter() -> None:
    generator = np.random.default_rng(5)
    one = simulated(generator, 400, clustered=0.5)
    other = one.take(generator.permutation(len(one.right)))
    assert choose_threshold(one, 0.9, 0.05, 0.1) == choose_threshold(other, 0.9, 0.05, 0.1)


# --- a threshold for each label -------------------------------------------------------------------


def _two_labels() -> list[list[tuple[str, float, bool]]]:
    """Diseases are right in 90 of 100 at any confidence, treatments always."""
    return [
        [("Disease", 0.5 + note / 2000, note % 10 > 0), ("Treatment", 0.5 + note / 2000, True)] for note in range(800)
    ]


def test_each_label_keeps_the_promise_by_itself() -> None:
    """Together, 95 of 100 would be right, and the one label would break the promise at the expense of the other."""
    found = choose_acceptance(held_out(_two_labels()), ["Disease", "Treatment"], PARAMS)
    assert found.thresholds == {"Disease": None, "Treatment": 0.5}
    assert found.accepts("Treatment", 0.5)
    assert not found.accepts("Disease", 1.0)
    assert not found.accepts("Unheard", 1.0)


def test_a_label_without_a_threshold_is_said_aloud() -> None:
    found = choose_acceptance(held_out(_two_labels()), ["Disease", "Treatment"], PARAMS)
    disease, absent, notes = warnings_of_acceptance(found, ["Disease", "Treatment", "Symptom"])
    assert disease.startswith("nothing of Disease is accepted without a person")
    assert absent.startswith("nothing of Symptom is accepted")
    assert notes.startswith("no note is accepted whole")
    assert not warnings_of_acceptance(Acceptance(0.95, 0.05, {"Disease": 0.8}, whole=0.9), ["Disease"])


# --- notes that nobody reads ----------------------------------------------------------------------


def _sure_notes(count: int = 400) -> list[list[tuple[str, float, bool]]]:
    return [[("Disease", 0.99 - note / 10_000, True)] for note in range(count)]


def test_a_note_is_accepted_whole_where_such_notes_were_shown_to_hold_no_error() -> None:
    found = choose_acceptance(held_out(_sure_notes()), ["Disease"], PARAMS)
    assert found.whole is not None
    assert found.accepts_whole([("Disease", 0.99)], 0)
    assert not found.accepts_whole([("Disease", 0.99)], 1)
    assert not found.accepts_whole([("Disease", 0.99)] * 20, 0)
    assert not found.accepts_whole([], 0)
    assert not found.accepts_whole([("Treatment", 0.99)], 0)


def test_missed_mentions_count_against_a_note() -> None:
    """Every mention is right, but of each fifth note another one is missing."""
    missed = [int(note % 5 == 0) for note in range(400)]
    assert choose_acceptance(held_out(_sure_notes(), missed), ["Disease"], PARAMS).whole is None


def test_notes_with_suggestions_prove_nothing_of_those_without() -> None:
    suggested = [int(note >= 40) for note in range(400)]
    assert choose_acceptance(held_out(_sure_notes(), suggestions=suggested), ["Disease"], PARAMS).whole is None


def test_few_notes_are_not_accepted_whole() -> None:
    notes = [note * 5 for note in _sure_notes(49)]
    found = choose_acceptance(held_out(notes), ["Disease"], PARAMS)
    assert found.thresholds["Disease"] is not None
    assert found.whole is None


# --- the file -------------------------------------------------------------------------------------


def test_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "acceptance.json"
    for acceptance in (
        Acceptance(0.95, 0.05, {"Disease": 0.848886, "Treatment": None}, 0.2, 0.9, 0.5),
        NOTHING_ACCEPTED,
    ):
        acceptance.save(path)
        assert Acceptance.load(path) == acceptance
    assert not Acceptance(0.95, 0.05, {"Disease": None}).accepts("Disease", 1.0)
    assert Acceptance(0.95, 0.05, {"Disease": 0.8}).accepts("Disease", 0.8)


def test_the_file_of_an_older_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "acceptance.json"
    write_json(path, {"promised": 0.95, "risk": 0.05, "threshold": 0.85, "suggestion": 0.2})
    with pytest.raises(ModelError, match=r"thresholds: Field required.*`make repro`"):
        Acceptance.load(path)


@pytest.mark.parametrize("documents", [10, 20, 60])
def test_a_few_documents_without_an_error_promise_nothing(documents: int) -> None:
    """One document in ten is wrong throughout: ten that happen to be right have a hundred right mentions."""
    generator, broken = np.random.default_rng(3), 0
    clusters = np.repeat(np.arange(documents), 12)
    for _ in range(200):
        right = np.repeat(generator.random(documents) >= 0.1, 12)
        surest = np.linspace(1, 0.5, len(right))
        broken += (
            choose_threshold(Judged(surest, right, clusters, clusters * 5 // documents), 0.95, 0.05, 0.3) is not None
        )
    assert broken <= 0.05 * 200 + 3 * (200 * 0.05 * 0.95) ** 0.5
