"""Reviewed notes that are in no batch yet, put where `annotation.inbox` finds them.

What was put there is known by name: of the files in the inbox and of the batches that they became. So whatever is
lost in between, the next run puts what is missing, and nothing twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from production.database.engine import ensure_private
from production.review.documents import label_studio_json
from production.review.exporting import collect
from stages.common.errors import BeHealthyError
from stages.common.files import replacing

if TYPE_CHECKING:
    from sqlalchemy import Engine

FORMAT = "label-studio"
BATCHES = Path("data/annotations")
SETTLED = timedelta(minutes=1)
"""Whoever hands in now may have begun before: what is younger is left to the next batch."""
AHEAD = timedelta(minutes=5)
"""So far clocks of two machines may be apart."""
_NAME = re.compile(r"reviewed-(\d{8}t\d{12}z)(?:\.json)?")
_TIME = "%Y%m%dt%H%M%S%fz"


class Put(NamedTuple):
    """What was written.

    Parameters
    ----------
    path : Path or None
        None where there were too few.
    notes : int
        That were reviewed and are in no batch.
    """

    path: Path | None
    notes: int


def put(
    engine: Engine,
    key: str,
    inbox: Path,
    now: datetime,
    at_least: int = 1,
    stream: str | None = None,
    batches: Path = BATCHES,
) -> Put:
    """Write what was reviewed since the last batch of reviewed notes, where there is enough of it.

    Parameters
    ----------
    engine : Engine
    key : str
        Of the documents' names.
    inbox : Path
    now : datetime
    at_least : int
        Notes of a batch.
    stream : {"audit", "work"}, optional
    batches : Path
        Folder of the annotation batches.

    Raises
    ------
    BeHealthyError
        When the last batch is of a time to come: until then nothing would be put, without a word.
    """
    until, last = now.astimezone(UTC) - SETTLED, last_put(inbox, batches)
    if last and last > until + AHEAD:
        raise BeHealthyError(
            f"the last batch of reviewed notes, reviewed-{last.strftime(_TIME)}, is of a time that is to come: some"
            " clock is or was wrong. Set it, or write the time until which it has the reviews into the batch's name"
        )
    export = collect(engine, key, last, stream, until)
    if len(export.final) < at_least or not export.final:
        return Put(None, len(export.final))
    for folder in (inbox, inbox / FORMAT):
        ensure_private(folder)
    path = inbox / FORMAT / f"reviewed-{until.strftime(_TIME)}.json"
    with replacing(path, private=True) as file:
        file.write(label_studio_json(export.final))
    return Put(path, len(export.final))


def last_put(inbox: Path, batches: Path = BATCHES) -> datetime | None:
    """Return until when reviews are in a batch, or wait to become one; None where none was put there."""
    return max(_times(inbox / FORMAT, batches), default=None)


def _times(*folders: Path) -> Iterator[datetime]:
    for folder in folders:
        for path in folder.iterdir() if folder.is_dir() else ():
            if found := _NAME.fullmatch(path.name):
                yield datetime.strptime(found[1], _TIME).replace(tzinfo=UTC)
