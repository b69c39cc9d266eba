"""An export: results into parts of a folder, or into standard output."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from production.export.formats import Format, Open, Settings, Writer
from production.export.results import Key, Result, Scope, due_results
from production.export.rows import Rows
from production.export.target import Part, Target

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOTES = ("note_id", "source", "source_id", "text_hash", "model_version", "created_at")
"""Columns of `notes.csv`, which every part has: what a part says of a note replaces what parts before it say."""


class Exported(NamedTuple):
    """How many notes and mentions went out, and in which parts."""

    notes: int
    mentions: int
    parts: tuple[Path, ...]


class _Notes:
    """Writes `notes.csv`."""

    def __init__(self, open: Open) -> None:
        self._rows = Rows(open("notes.csv"), NOTES)

    def add(self, results: Sequence[Result]) -> None:
        self._rows.write(
            (r.key.note_id, r.source, r.source_id, r.key.text_hash, r.key.model_version, r.created_at.isoformat())
            for r in results
        )

    def close(self) -> None:
        self._rows.close()


class _Open:
    """A part that is being filled, and the keys of what is in it."""

    def __init__(self, target: Target, engine: Engine, format: Format, settings: Settings) -> None:
        self.part = Part(target, engine)
        self._writers: tuple[Writer, ...] = (_Notes(self.part.open), format.writer(self.part.open, settings))
        self.keys: list[Key] = []

    def add(self, results: Sequence[Result]) -> None:
        for writer in self._writers:
            writer.add(results)
        self.keys.extend(result.key for result in results)

    def commit(self) -> Path:
        for writer in self._writers:
            writer.close()
        return self.part.commit(self.keys)


def export(
    engine: Engine, scope: Scope, target: Target, format: Format, settings: Settings, *, notes_per_part: int
) -> Exported:
    """Write what a target does not have yet, in parts of about so many notes.

    Parameters
    ----------
    engine : Engine
    scope : Scope
    target : Target
    format : Format
    settings : Settings
    notes_per_part : int
        A part is ended with the step that reaches it.

    Returns
    -------
    Exported
    """
    notes, mentions, parts, filling = 0, 0, list[Path](), None
    try:
        for results in due_results(engine, scope, target.name, pairs=format.pairs):
            filling = filling or _Open(target, engine, format, settings)
            filling.add(results)
            notes, mentions = notes + len(results), mentions + sum(len(result.mentions) for result in results)
            if len(filling.keys) >= notes_per_part:
                parts.append(filling.commit())
                filling = None
        if filling is not None:
            parts.append(filling.commit())
            filling = None
    finally:
        if filling is not None:
            filling.part.discard()
    return Exported(notes, mentions, tuple(parts))


def print_results(engine: Engine, scope: Scope, format: Format, settings: Settings) -> Exported:
    """Write all results of a scope to standard output, or of a format with several files its main one.

    What a reader at the other end has taken nobody knows: no ledger is kept.
    """
    out = sys.stdout.buffer

    def open_one(name: str) -> IO[bytes]:
        return cast(IO[bytes], _Unclosed(out if format.printed in ("", name) else None))

    writer = format.writer(open_one, settings)
    notes = mentions = 0
    for results in due_results(engine, scope, None, pairs=format.pairs):
        writer.add(results)
        notes, mentions = notes + len(results), mentions + sum(len(result.mentions) for result in results)
    writer.close()
    return Exported(notes, mentions, ())


class _Unclosed(io.BufferedIOBase):
    """Another file, which stays open when this one is closed; or nothing at all."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._its = file

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        return len(content) if self._its is None else self._its.write(content)
