"""Reviewed notes as an annotation batch: what `annotation.add` takes, and what wakes the training pipeline."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from annotation.writers.files import write_folder
from production.database.engine import reading
from production.database.review_tables import REVIEW_TASKS
from production.review.documents import Reading, label_studio_json, readings_of
from production.review.reading import Review, read_reviews
from stages.common.errors import BeHealthyError

if TYPE_CHECKING:
    from sqlalchemy import Engine

BATCH, DOUBLE = "batch.json", "double.json"


class Export(NamedTuple):
    """What was read.

    Parameters
    ----------
    final : list of Reading
        One of each text.
    double : list of Reading
        Of notes that two people read: what each handed in, before any correction.
    left_out : int
        Notes whose text no batch can hold.
    """

    final: list[Reading]
    double: list[Reading]
    left_out: int


def collect(
    engine: Engine,
    key: str,
    since: datetime | None = None,
    stream: str | None = None,
    until: datetime | None = None,
) -> Export:
    """Read what a batch is made of.

    Of a note that two people read, the first reading counts, with its corrections: who adjudicates corrects it. Of a
    text that was reviewed under two versions of the model, the later review counts.

    Parameters
    ----------
    engine : Engine
    key : str
        Of the documents' names.
    since : datetime, optional
        Only notes that were handed in or corrected then or later.
    stream : {"audit", "work"}, optional
        Only of this one. Audits are a random sample of the notes, work is what the model was not sure of.
    until : datetime, optional
        Only notes that were handed in or corrected before.
    """
    wanted = () if stream is None else (REVIEW_TASKS.c.stream == stream,)
    with reading(engine) as connection:
        final = [
            one
            for one in _final(list(read_reviews(connection, *wanted)))
            if (since is None or one.changed_at >= since) and (until is None or one.changed_at < until)
        ]
        texts = {one.key for one in final}
        twice = [one for one in _twice(list(read_reviews(connection, *wanted, corrected=False))) if one.key in texts]
        batch = readings_of(connection, key, final)
        return Export(batch, readings_of(connection, key, twice), len(final) - len(batch))


def _final(reviews: list[Review]) -> list[Review]:
    of_text: dict[tuple[int, str], list[Review]] = defaultdict(list)
    for one in reviews:
        of_text[one.note_id, one.text_hash].append(one)
    return [max(some, key=lambda one: (one.place == 1, one.at, one.review_id)) for some in of_text.values()]


def _twice(reviews: list[Review]) -> list[Review]:
    """Return both readings of each note that two people read, note by note."""
    of_result: dict[tuple[int, str, str], list[Review]] = defaultdict(list)
    for one in reviews:
        if one.stream == "audit":
            of_result[one.key].append(one)
    pairs = [sorted(some, key=lambda one: one.place) for some in of_result.values() if len(some) > 1]
    return [one for pair in pairs for one in pair]


def double_readings(engine: Engine, key: str) -> list[Reading]:
    """Return both readings of each note that two people read, as they were handed in."""
    with reading(engine) as connection:
        return readings_of(connection, key, _twice(list(read_reviews(connection, corrected=False))))


def write_batch(export: Export, to: Path) -> None:
    """Write a folder that is there whole or not at all, and that only its owner can read.

    Raises
    ------
    BeHealthyError
        When there is nothing to write, or the folder has something in it.
    """
    if not export.final:
        raise BeHealthyError("no note was reviewed in that time: there is nothing to export")
    files = {BATCH: label_studio_json(export.final)}
    if export.double:
        files[DOUBLE] = label_studio_json(export.double)
    write_folder(to, files, private=True)
