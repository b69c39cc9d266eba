"""The promise of acceptance, watched: the evidence is fair, finds what it should, and is read as it was meant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.verdicts.audits import Course, all_alike, as_it_is, mentions_apart, weeks_until
from stages.monitor.audited import ALL, LATE, Audit, AuditedNote, Found, PromiseWatch, harm_of, watch_promise
from stages.monitor.decision import NOTHING_KNOWN, Harm

PROMISED = 0.75
"""A quarter wrong: a promise that a handful of notes can keep exactly."""


def note(accepted: int, right: int, probability: float = 0.5, label: str = "Disease") -> AuditedNote:
    return AuditedNote(probability, {label: Found(accepted, right)} if accepted else {})


def drawn(period: Sequence[AuditedNote]) -> Iterator[tuple[float, Audit]]:
    """Every audit of the notes of a period that there is, and how probable it is."""
    rarest, most = min(one.probability for one in period), max(one.of(ALL).accepted for one in period)
    for taken in product((False, True), repeat=len(period)):
        chances = [one.probability if here else 1 - one.probability for one, here in zip(period, taken, strict=True)]
        notes = [one for one, here in zip(period, taken, strict=True) if here]
        yield math.prod(chances), Audit(notes, rarest, most)


def expected(periods: Sequence[Sequence[AuditedNote]], labels: Sequence[str] = ("Disease",)) -> float:
    """Return the evidence that is to be expected, over all audits there are."""
    total = 0.0
    for audits in product(*(list(drawn(period)) for period in periods)):
        evidence = watch_promise([audit for _, audit in audits], labels, PROMISED).evidence[-1]
        total += math.prod(chance for chance, _ in audits) * math.exp(evidence)
    return total


def missing(period: Sequence[AuditedNote]) -> float:
    """Return by how many right mentions the promise is missed."""
    return sum(PROMISED * one.of(ALL).accepted - one.of(ALL).right for one in period)


notes = st.builds(
    lambda accepted, wrong, probability: note(accepted, max(0, accepted - wrong), probability),
    st.integers(0, 4), st.integers(0, 2), st.sampled_from([0.2, 0.5, 0.9]),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(notes, min_size=1, max_size=4), st.lists(notes, min_size=1, max_size=3))
def test_nobody_can_expect_to_win_where_the_promise_is_kept(
    first: list[AuditedNote], second: list[AuditedNote]
) -> None:
    """Whatever notes there are, and however often each is drawn: all audits that can happen are counted."""
    for period in (first, second):  # made up to the promise, so that it is kept exactly or better
        while missing(period) > 0:
            period.append(note(4, 4, period[0].probability))
    assume(len(first) + len(second) <= 9)
    assert expected([first, second]) <= 1 + 1e-9


def test_at_the_boundary_the_bet_is_fair_where_the_wrong_are_drawn_most() -> None:
    """The promise is kept exactly; the note that is wrong throughout is drawn nine times as often."""
    period = [note(2, 0, 0.9), *[note(3, 3, 0.1)] * 2]
    assert missing(period) == 0
    assert 0.9 < expected([period, period]) <= 1


def test_two_labels_share_what_is_bet() -> None:
    period = [
        AuditedNote(0.5, {"Disease": Found(2, 1), "Treatment": Found(2, 2)}),
        note(2, 2),
        note(2, 1, 0.5, "Treatment"),
    ]
    assert missing(period) == 0
    assert expected([period], ["Disease", "Treatment"]) <= 1
    found = watch_promise([Audit(period * 3, 0.5, 4)], ["Disease", "Treatment"], PROMISED)
    assert list(found.labels) == [ALL, "Disease", "Treatment"]


def test_what_is_found_is_known_of_the_period() -> None:
    bad = Audit([note(4, 1)] * 5, 0.5, 4)
    found = watch_promise([Audit([note(4, 4)], 0.5, 4), *[bad] * 6], ["Disease"], PROMISED)
    assert found.found is not None
    assert found.found >= 1
    assert found.evidence[0] < 0 < found.evidence[-1]
    assert max(found.evidence[: found.found], default=0) < math.log(100)
    assert watch_promise([Audit([note(4, 4)], 0.5, 4), *[bad] * found.found], ["Disease"], PROMISED) == PromiseWatch(
        found.evidence[: found.found + 1], found.found, {ALL: pytest.approx(found.evidence[found.found], abs=0.1)}
    )


def test_no_audit_is_no_evidence() -> None:
    assert watch_promise([], ["Disease"]) == PromiseWatch((), None, {ALL: 0.0})
    assert watch_promise([Audit([], 0.5, 0), Audit([note(0, 0)], 0.5, 0)], ["Disease"]).evidence == (0.0, 0.0)


def test_what_was_bet_on_late_periods_is_not_lost_before() -> None:
    good = Audit([note(4, 4)] * 25, 0.5, 4)
    assert watch_promise([good] * 20, ["Disease"]).evidence[-1] > math.log(LATE / 2)


def test_a_note_beyond_what_bounds_the_bet_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller probability"):
        Audit([note(1, 1, 0.1)], 0.2, 4)
    with pytest.raises(ValueError, match="more accepted mentions"):
        Audit([note(5, 5)], 0.2, 4)
    Audit([note(0, 0, 0.1)], 0.2, 4)  # where nothing is accepted nothing is bet


def test_one_note_that_is_wrong_throughout_ends_no_bet_and_proves_nothing() -> None:
    whole = watch_promise([Audit([note(10, 0)], 0.5, 10)], ["Disease"])
    apart = watch_promise([mentions_apart(Audit([note(10, 0)], 0.5, 10))], ["Disease"])
    assert whole.found is None
    assert apart.found == 0


# -- harm

QUIET = PromiseWatch((0.0,), None, {ALL: 0.0})
LOUD = PromiseWatch((5.0,), 0, {ALL: 5.0})
WEEKS = [0.96, 0.962, 0.958, 0.961, 0.959, 0.96, 0.963, 0.957]


@pytest.mark.parametrize(
    ("watched", "low", "confidence", "reference", "harm"),
    [
        (LOUD, 0.96, 0.96, WEEKS, Harm("falls", audited=True)),  # what people found stands above all
        (QUIET, 0.935, 0.80, WEEKS, Harm("holds", audited=True)),  # also above what the model says of itself
        (QUIET, 0.92, 0.96, WEEKS, NOTHING_KNOWN),
        (QUIET, 0.92, 0.92, WEEKS, Harm("falls", audited=False)),
        (QUIET, None, 0.92, WEEKS, Harm("falls", audited=False)),
        (QUIET, None, 0.945, WEEKS, NOTHING_KNOWN),  # less than the margin
        (QUIET, None, 0.92, WEEKS[:7], NOTHING_KNOWN),  # too few weeks to compare with
        (QUIET, None, 0.92, [0.99, 0.93] * 4, NOTHING_KNOWN),  # weeks differ as much
        (QUIET, None, 0.99, WEEKS, NOTHING_KNOWN),
        (QUIET, None, None, WEEKS, NOTHING_KNOWN),
    ],
)
def test_harm(
    watched: PromiseWatch, low: float | None, confidence: float | None, reference: list[float], harm: Harm
) -> None:
    assert harm_of(watched, low, confidence, reference) == harm


# -- small versions of `python -m benchmarks.verdicts review`

YEARS = 300


@pytest.mark.simulation
@pytest.mark.parametrize("alike", [0.0, 0.3])
def test_a_kept_promise_is_found_broken_in_one_year_of_a_hundred_at_most(alike: float) -> None:
    # 300 years at 1%: 3 expected, 9 is the 99.9% bound of the binomial.
    assert np.isfinite(weeks_until(Course("kept", (0.95,), alike), YEARS)).sum() <= 9


@pytest.mark.simulation
def test_who_bets_on_every_mention_alone_is_wrong_more_often() -> None:
    weeks = weeks_until(Course("kept", (0.95,), 0.3), YEARS, mentions_apart)
    assert np.isfinite(weeks).sum() > 20


@pytest.mark.simulation
def test_who_takes_no_notice_of_the_probabilities_is_wrong_more_often() -> None:
    course = Course("kept", (0.95,), 0.05, uneven=True)
    assert np.isfinite(weeks_until(course, YEARS, as_it_is)).sum() <= 9
    assert np.isfinite(weeks_until(course, YEARS, all_alike)).sum() > 20


@pytest.mark.simulation
def test_a_broken_promise_is_found_in_ten_weeks_or_so() -> None:
    weeks = weeks_until(Course("broken", (0.9,), 0.0), YEARS)
    assert (weeks <= 10).mean() > 0.4  # .49 in the table; .03 is a standard error here
    assert np.isfinite(weeks).mean() > 0.98


@pytest.mark.simulation
def test_a_promise_that_breaks_late_is_found_too() -> None:
    weeks = weeks_until(Course("late", (0.9,), 0.0, change=26), YEARS)
    assert np.isfinite(weeks).mean() > 0.6  # .03 where nothing is kept for later


# -- exactly


def test_what_the_estimate_must_fall_by_is_the_reach_of_another_week() -> None:
    """By hand: nine weeks, their spread, Student's quantile at 1% of a year of weeks, and a tenth week's own noise."""
    weeks, nothing = [0.90, 0.92, 0.94, 0.90, 0.92, 0.94, 0.90, 0.92, 0.94], watch_promise([], ["Disease"])
    reach = stats.t.ppf(1 - 0.01 / 52, 8) * stats.tstd(weeks) * math.sqrt(1 + 1 / 9)
    assert reach > 0.02
    just, short = 0.92 - reach - 1e-9, 0.92 - reach + 1e-9
    assert harm_of(nothing, None, just, weeks) == Harm("falls", audited=False)
    assert harm_of(nothing, None, short, weeks) == NOTHING_KNOWN
    assert harm_of(nothing, None, just, weeks, level=0.001) == NOTHING_KNOWN
    assert harm_of(nothing, 0.93, just, weeks) == Harm("holds", audited=True)
    assert harm_of(nothing, 0.9299, just, weeks) == Harm("falls", audited=False)


def test_a_fall_within_the_margin_is_none_however_steady_the_weeks_were() -> None:
    nothing = watch_promise([], ["Disease"])
    assert harm_of(nothing, None, 0.9001, [0.92] * 8) == NOTHING_KNOWN
    assert harm_of(nothing, None, 0.8999, [0.92] * 8) == Harm("falls", audited=False)


@pytest.mark.parametrize("level", [0.01, 0.2])
def test_it_is_found_when_the_stake_is_one_over_the_level(level: float) -> None:
    """One label, one period: a tenth is kept back, of it a fifty-second part is bet, each wrong note wins the same."""
    held, kept = 1 - LATE + LATE / 52, LATE - LATE / 52
    bet = min(0.05 / (0.95 * 0.05), 0.95 / 0.05)
    for notes in range(1, 12):
        audit = Audit([AuditedNote(0.5, {"Disease": Found(1, 0)})] * notes, 0.5, 1)
        stake = held * (1 + bet * 0.95) ** notes + kept
        watched = watch_promise([audit], ["Disease"], level=level)
        assert watched.evidence == (pytest.approx(math.log(stake)),)
        assert (watched.found == 0) == (stake >= 1 / level)


def test_a_label_is_not_another() -> None:
    note = AuditedNote(0.5, {"Disease": Found(3, 1), "Treatment": Found(2, 2)})
    assert note.of("Disease") == Found(3, 1)
    assert note.of(ALL) == Found(5, 3)
    assert note.of("Allergy") == Found(0, 0)


def test_the_bet_is_bounded_by_the_note_that_has_most() -> None:
    """A note of 100 mentions that are all right loses 95% of the stake at most, and nothing is bet where none is."""
    audit = Audit([AuditedNote(1.0, {"Disease": Found(100, 100)})], 1.0, 100)
    held, kept = 1 - LATE + LATE / 52, LATE - LATE / 52
    lost = 1 - min(0.05 / (0.95 * 0.05), 0.95 / (0.05 * 100)) * 5
    assert watch_promise([audit], ["Disease"]).evidence[0] == pytest.approx(math.log(held * lost + kept))
    assert watch_promise([Audit([], 1.0, 0)], ["Disease"]).evidence[0] == pytest.approx(0)
