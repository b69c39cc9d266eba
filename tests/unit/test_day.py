"""What the story of one day stands on: a reviewer who leaves nothing wrong, and a table that a page takes."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from production.review.decisions import checked, parse
from production.review.tasks import Shown, Task
from stages.common.documents import Mention
from tests.day.__main__ import BEGIN, END, page
from tests.day.calendar import Calendar
from tests.day.reviewer import decisions
from tests.day.scores import Score, accepted_precision, f1, least_gain, precision
from tests.day.story import Story
from tests.repository import ROOT

TEXT = "Known asthma and severe gout. Takes aspirin and allopurinol, no eczema."
GOLD = {Mention(6, 12, "Disease"), Mention(24, 28, "Disease"), Mention(36, 43, "Treatment"), Mention(64, 70, "Disease")}


def task(*spans: Shown) -> Task:
    return Task(
        1, "audit", 1, "queried", 1, "0" * 64, "1", "ward", "a", TEXT, {}, spans, ("Disease", "Treatment"), None
    )


def shown(kind: str, number: int, start: int, end: int, label: str) -> Shown:
    return Shown(kind, number, start, end, label, 0.9, True, "present")


def test_what_a_reviewer_leaves_is_what_is_annotated() -> None:
    given = task(
        shown("mention", 0, 6, 12, "Disease"),  # right
        shown("mention", 1, 17, 28, "Disease"),  # other ends
        shown("mention", 2, 36, 43, "Disease"),  # another label
        shown("mention", 3, 48, 59, "Treatment"),  # not annotated
        shown("suggestion", 0, 30, 35, "Disease"),  # not annotated, and 64 to 70 is missed
    )
    spans, seconds = parse(decisions(given.as_json(), GOLD))
    whole = checked(given, spans, seconds)
    assert {Mention(one.start, one.end, one.label) for one in whole if one.label} == GOLD  # type: ignore[arg-type]
    assert [one.decision for one in whole] == ["accept", "change", "change", "reject", "reject", "missed"]
    assert seconds > len(TEXT) / 20


def test_a_gain_is_shown_where_it_is_in_most_notes_and_not_where_nothing_changed() -> None:
    before = Score(np.tile([4, 8, 10, 5, 3], (30, 1)))
    after = Score(before.counts + np.array([2, 0, 0, 0, 1]))
    assert str(before) == "strict F1 0.444, precision 0.500, of the accepted 0.600 (90 of 150); 30 notes"
    for measure in (f1, precision, accepted_precision):
        assert least_gain(before, after, measure) > 0.1
        assert least_gain(before, before, measure) == 0
        assert least_gain(after, before, measure) < 0


def test_weeks_begin_on_monday() -> None:
    calendar = Calendar(datetime(2026, 11, 29, 23, 59, tzinfo=UTC))
    assert calendar.monday() == datetime(2026, 11, 23, tzinfo=UTC)
    assert calendar.monday(2) == datetime(2026, 11, 9, tzinfo=UTC)


def test_the_table_takes_the_place_of_the_one_before() -> None:
    story = Story(ROOT / "reports/unwritten.txt")
    story.events.append(("1 the team", "before", "0:01", "it begins"))
    once = page(f"above\n{BEGIN}\n{END}\nbelow\n", story.text())
    assert page(once, story.text()) == once
    assert once.startswith("above") and once.endswith("below\n")
    assert "1 the team  before              0:01   it begins" in once


def test_the_page_has_a_place_for_it() -> None:
    text = (ROOT / "docs/one-day.md").read_text(encoding="utf-8")
    assert text.index(BEGIN) < text.index(END)
