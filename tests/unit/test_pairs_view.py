"""The view `pairs` beside the record's rule: the same rows, on SQLite and PostgreSQL, and no product without an end."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import Engine, select

from production.database.engine import reading
from production.database.schema import MENTIONS, PAIRS
from production.inference import paired
from production.inference.host import Found, FoundMention
from production.inference.paired import places_in
from production.record.names import expanded, identity_of
from production.record.notes import Note
from production.record.pairs import SIDES, closest_pairs, tag
from stages.train.assertion.rules import KINDS, PRESENT
from tests.production import FakeHost, rows_of, worker
from tests.unit.test_inference import fill

WORDS = {
    **dict.fromkeys(("gout", "Gout", "asthma", "COPD", "the asthma", "---"), "Disease"),
    **dict.fromkeys(("aspirin", "Aspirins", "steroid", "allopurinol"), "Treatment"),
    "knee": "Anatomy",
}


def drawn(chance: random.Random, words: int) -> tuple[str, Found]:
    """Return a note of so many words, and what may be said of it."""
    chosen = [chance.choice([*WORDS, "and", "and", "(COPD)"]) for _ in range(words)]
    stops = [chance.choice((" ", " ", ". ")) for _ in chosen]
    text = "".join(word + stop for word, stop in zip(chosen, stops, strict=True))
    spans, start = [], 0
    for word, stop in zip(chosen, stops, strict=True):
        if word in WORDS:
            sure, said = chance.choice((0.25, 0.5, 0.75)), chance.choice((PRESENT, PRESENT, *KINDS))
            spans.append(FoundMention(start, start + len(word), WORDS[word], sure, True, said))
        start += len(word + stop)
    return text, Found(tuple(spans), (), False, 0, 0, 0.0)


def by_rule(text: str, found: Found) -> list[tuple[object, ...]]:
    class Says:
        mentions = found.mentions

        def extract(self, _: str) -> Says:
            return self

    numbers = {mention.start: number for number, mention in enumerate(found.mentions)}
    note = tag(Note("", text), Says(), identity=lambda surface, own: identity_of(expanded(surface, own, {})))
    return [
        (number, numbers[one.start], numbers[other.start], weight, one.confidence * other.confidence, flag)
        for number, (one, other, weight, flag) in enumerate(closest_pairs(note.mentions))
    ]


def seen(engine: Engine) -> dict[int, list[tuple[object, ...]]]:
    found: dict[int, list[tuple[object, ...]]] = {}
    with reading(engine) as connection:
        for row in connection.execute(select(PAIRS).order_by(PAIRS.c.note_id, PAIRS.c.number)):
            found.setdefault(row.note_id, []).append(tuple(row[3:]))
    return found


@pytest.mark.parametrize("many", [0, 1000])
def test_the_view_has_the_rows_of_the_rule(engine: Engine, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """Also where only the mentions that pairs need have names (`many` 0: always)."""
    monkeypatch.setattr(paired, "_MANY", many)
    chance = random.Random(13)
    notes = dict(drawn(chance, chance.randrange(2, 40)) for _ in range(300))
    fill(engine, *notes)
    worker(engine, FakeHost(("Disease", "Treatment", "Anatomy"), dict(notes))).run()
    expected = [rows for text, found in notes.items() if (rows := by_rule(text, found))]
    assert list(seen(engine).values()) == expected
    assert {row[-1] for rows in expected for row in rows} == {"", "negated", "family"}
    assert {row[3] for rows in expected for row in rows} == {1.0, 0.5, 0.2}


def test_names_that_stand_there_often_are_few_rows_of_the_view(engine: Engine) -> None:
    text = "gout. aspirin. " * 60
    fill(engine, text)
    worker(engine).run()
    with reading(engine) as connection:
        named = connection.execute(select(MENTIONS).where(MENTIONS.c.sentence.is_not(None))).all()
    assert [row.number for row in named] == [0, 1]
    assert seen(engine) == {1: [(0, 0, 1, 0.5, 0.5625, "")]}


def test_a_note_of_too_many_names_is_set_aside_as_a_whole(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired, "MOST_PAIRS", 3)
    fill(engine, "gout asthma aspirin allopurinol", "gout asthma aspirin", "x")
    worker(engine).run()
    rows = rows_of(engine)
    assert [row[-2:] for row in rows["quarantine"]] == [
        ("prediction_col_check", "has more than 3 pairs of different names")
    ]
    assert (len(rows["results"]), len(rows["pairs"])) == (2, 2)


def test_names_of_one_side_alone_are_not_told_apart() -> None:
    mention = FoundMention(0, 4, "Disease", 0.5, True, PRESENT)
    assert places_in("gout", [mention], SIDES) == {}
