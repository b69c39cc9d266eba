"""What was made of a batch into the database: every note one result or one row of the quarantine, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, Connection, Engine, bindparam, cast, func, insert, select, tuple_, update

from production.database.bulk import insert_rows
from production.database.engine import writing
from production.database.schema import (
    MENTIONS,
    MODEL_VERSIONS,
    NOTE_TEXTS,
    QUARANTINE,
    RESULTS,
    SERVING_LOG,
)
from production.inference.encode_data import Encoded, Key
from production.inference.host import Found
from production.inference.load_model import Model
from production.inference.paired import NOWHERE, Place


class Outcome(NamedTuple):
    """What became of a note: either it was found to have mentions, or a step gave a reason against it.

    `places` are those of its mentions among the pairs, by their starts; `logged` is its row of the serving log, None
    where it was not drawn; one that was set aside has one as well.
    """

    note: Encoded
    found: Found | None
    places: Mapping[int, Place] = {}
    step: str = ""
    reason: str = ""
    logged: dict[str, Any] | None = None


def register(engine: Engine, model: Model, labels: Sequence[str], *, champion: bool) -> None:
    """Note which version is at work, and from when on it was champion here."""
    now = datetime.now(UTC)
    with writing(engine) as connection:
        same = MODEL_VERSIONS.c.model_version == model.version
        if connection.execute(select(MODEL_VERSIONS.c.model_version).where(same)).first() is None:
            values = {"model_version": model.version, "commit": model.commit, "digest": model.digest}
            _insert_once(connection, {**values, "labels": list(labels), "first_seen": now})
        latest = select(func.max(MODEL_VERSIONS.c.champion_since)).scalar_subquery()
        is_latest = select(MODEL_VERSIONS.c.model_version).where(same, MODEL_VERSIONS.c.champion_since == latest)
        if champion and connection.execute(is_latest).first() is None:
            connection.execute(update(MODEL_VERSIONS).where(same).values(champion_since=now))


def _insert_once(connection: Connection, values: dict[str, Any]) -> None:
    from sqlalchemy.dialects import postgresql, sqlite

    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(MODEL_VERSIONS).values(**values).on_conflict_do_nothing())


def write(
    connection: Connection, version: str, outcomes: Sequence[Outcome], *, shadow: bool = False, log_rate: float = 1.0
) -> list[Outcome]:
    """Write outcomes of one version; those whose note has one already are left out.

    Returns
    -------
    list of Outcome
        Those that were written.
    """
    if not outcomes:
        return []
    keys = [outcome.note.key for outcome in outcomes]
    known, hidden = _results_of(connection, keys, version)
    refused = _quarantined(connection, keys, version)
    now = datetime.now(UTC)
    if not shadow:
        _clear(connection, keys)
        _adopt(connection, [key for key in keys if key in hidden], version, now)
    there = known | refused | hidden
    fresh = [outcome for outcome in outcomes if outcome.note.key not in there]
    insert_rows(connection, RESULTS, (_result(one, version, now, shadow) for one in fresh if one.found))
    insert_rows(connection, MENTIONS, (row for one in fresh for row in _mentions(one, version)))
    _insert(connection, QUARANTINE, (_refusal(one, version, now) for one in fresh if not one.found))
    if not shadow:
        logged = ((now, version, log_rate, one.logged) for one in fresh if one.logged)
        insert_rows(connection, SERVING_LOG, logged, ("served_at", "model_version", "probability", "row"))
    return fresh


def _insert(connection: Connection, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    if listed := list(rows):
        connection.execute(insert(table), listed)


def _of_notes(table: Any, keys: Sequence[Key]) -> Any:
    """Return that a row may be of one of the notes, whatever their text: to be looked at, and cheaper than `_of`."""
    numbers = [key.note_id for key in keys]
    first, last = min(numbers), max(numbers)
    if last - first < 2 * len(numbers):  # few rows of others
        return table.c.note_id.between(first, last)
    return table.c.note_id.in_(numbers)


def _of(table: Any, keys: Sequence[Key]) -> Any:
    return tuple_(table.c.note_id, table.c.text_hash).in_([tuple(key) for key in keys])


def _results_of(connection: Connection, keys: Sequence[Key], version: str) -> tuple[set[Key], set[Key]]:
    """Return which notes have a result of the version, and which have a hidden one, of its time as challenger."""
    query = select(RESULTS.c.note_id, RESULTS.c.text_hash, RESULTS.c.shadow)
    rows = connection.execute(query.where(_of_notes(RESULTS, keys), RESULTS.c.model_version == version)).all()
    known, hidden = (
        {Key(row.note_id, row.text_hash) for row in rows if bool(row.shadow) is kind} for kind in (False, True)
    )
    return known & set(keys), hidden & set(keys)


def _quarantined(connection: Connection, keys: Sequence[Key], version: str) -> set[Key]:
    query = select(QUARANTINE.c.note_id, QUARANTINE.c.text_hash).where(QUARANTINE.c.model_version == version)
    rows = connection.execute(query.where(_of_notes(QUARANTINE, keys)))
    return {Key(row.note_id, row.text_hash) for row in rows} & set(keys)


_CLEAR = update(NOTE_TEXTS).values(pending=False).where(NOTE_TEXTS.c.pending)
_NUMBERS, _HASHES = (func.string_to_array(bindparam(name), ",") for name in ("numbers", "hashes"))
_CLEAR_ALL = _CLEAR.where(
    tuple_(NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text_hash).in_(
        select(func.unnest(cast(_NUMBERS, ARRAY(BigInteger))), func.unnest(_HASHES))
    )
)
"""For PostgreSQL: two strings for all keys. A statement with a value for each would be parsed anew with each batch."""
_CLEAR_ONE = _CLEAR.where(NOTE_TEXTS.c.note_id == bindparam("number"), NOTE_TEXTS.c.text_hash == bindparam("hash"))
"""For SQLite, where a prepared statement for each costs less than one for all."""


def _clear(connection: Connection, keys: Sequence[Key]) -> None:
    if connection.dialect.name == "postgresql":
        numbers, hashes = ",".join(str(key.note_id) for key in keys), ",".join(key.text_hash for key in keys)
        connection.execute(_CLEAR_ALL, {"numbers": numbers, "hashes": hashes})
    else:
        connection.execute(_CLEAR_ONE, [{"number": key.note_id, "hash": key.text_hash} for key in keys])


def _adopt(connection: Connection, keys: Sequence[Key], version: str, now: datetime) -> None:
    """Let results that a challenger wrote count, since it is champion now; who looks for new ones finds them."""
    if keys:
        same = RESULTS.c.model_version == version
        connection.execute(update(RESULTS).where(_of(RESULTS, keys), same).values(shadow=False, created_at=now))


def _key(outcome: Outcome, version: str) -> dict[str, Any]:
    return {**outcome.note.key._asdict(), "model_version": version}


def _result(outcome: Outcome, version: str, now: datetime, shadow: bool) -> tuple[Any, ...]:
    found = outcome.found
    assert found
    counts = found.sentences, found.tokens, found.unknown_tokens
    return (*outcome.note.key, version, shadow, now, *counts, found.accepted)


def _mentions(outcome: Outcome, version: str) -> Iterator[tuple[Any, ...]]:
    if outcome.found:
        key, place_of = (*outcome.note.key, version), outcome.places.get
        for number, span in enumerate(outcome.found.mentions):
            yield (*key, "mention", number, *span, *place_of(span[0], NOWHERE))
        for number, span in enumerate(outcome.found.suggestions):
            yield (*key, "suggestion", number, *span, *NOWHERE)


def _refusal(outcome: Outcome, version: str, now: datetime) -> dict[str, Any]:
    return {
        **_key(outcome, version),
        "source": outcome.note.source,
        "step": outcome.step,
        "reason": outcome.reason[:400],
        "at": now,
    }
