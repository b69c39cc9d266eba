"""The extractor as MLflow serves it. This script travels with the model; it is run, nothing is unpickled.

**Input**: notes as text. A list of strings, a Series of strings, or a DataFrame whose first column is
named ``text``; over HTTP ``{"inputs": ["…"]}`` or ``{"dataframe_split": {"columns": ["text"], "data": [["…"]]}}``.
An empty string is a note without mentions; a missing one (None, NaN) or one that is no string is refused, and so
is a note, or a request, of more characters than `LIMITS` allow. Over HTTP it is JSON and nothing else.

**Output**: a DataFrame with one row per note, in the order and with the index of the input.

========================  ==========================================================================
``mentions``              list of ``{start, end, label, confidence, accepted, assertion, assertion_sure}``
                          in order of their offsets, which are characters of the note:
                          ``note[start:end]``; the assertion is what it says of the patient: present,
                          negated, possible, hypothetical, historical, or family (of a relative)
``suggestions``           the same of what may have been missed: for a person to look at, never accepted
``accepted``              whether the whole note needs no person
``sentences, tokens``     how many the note has
``unknown_tokens``        share of the tokens that training never saw, 0 to 1
========================  ==========================================================================
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

# What MLflow says of an ill-typed input would quote the notes.
os.environ.setdefault("MLFLOW_DISABLE_SCHEMA_DETAILS", "true")

import stages.common  # noqa: F401  (chooses the kernels of OpenBLAS; before numpy)

# isort: split
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

if TYPE_CHECKING:
    from stages.train.extractor import Extraction

TEXT = "text"
"""Name of the column of notes."""

COLUMNS = ["mentions", "suggestions", "accepted", "sentences", "tokens", "unknown_tokens"]

LIMITS = ("note_characters", "request_characters")
"""Of one note, and of all notes of a request, in the model's configuration in MLflow; null for no limit."""

_UNNAMED = (None, 0, "0")
_SERVER = "mlflow.pyfunc.scoring_server"
_LEAST = 100  # characters that a note counts for: a request of single letters takes as long as one of sentences
_BYTES = 8  # of a request for each character it may have: JSON writes most scripts in six

_WARMING = (
    "Walk.",
    "Known COPD, no asthma. Start tiotropium 18 mcg once daily.",
    "Chronic obstructive pulmonary disease (COPD) with type 2 diabetes; COPD-like cough, qxzwv.\n- metformin 500 mg\n"
    "Atrial fibrillation: warfarin stopped, apixaban 5 mg twice daily. No pneumonia, no heart failure.",
)
"""Invented notes that run through every loop: without, with one and with many spans to judge."""


class NoteError(MlflowException):
    """An input that is no notes; its message is fixed, for MLflow's server would put the notes in front of it."""

    def __init__(self, problem: str) -> None:
        self._problem = f"{problem}: send a list of strings, or a table whose first column is named {TEXT}"
        super().__init__(self._problem, INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        """What is wrong, without the notes."""
        return self._problem

    @message.setter
    def message(self, _: str) -> None:
        pass


class ServedExtractor(PythonModel):
    """Text in, mentions out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model folder that was logged as the artifact ``models``, and compile its loops.

        Compiling takes most of a minute on a new machine, as long as the server lets a request take: it is done here.

        Raises
        ------
        MlflowException
            When a limit of the configuration is no positive whole number.
        """
        from stages.train.extractor import load_extractor  # not where only the checks are wanted

        self._limits = _limits(context.model_config or {})
        self._extractor = load_extractor(Path(context.artifacts["models"]))
        self._extractor.extract_all(_WARMING)
        if server := sys.modules.get(_SERVER):
            guard(server, self._limits)

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Find the mentions of each note.

        Raises
        ------
        NoteError
            Names the row at fault, never its text; over HTTP it is status 400.
        """
        notes = notes_of(model_input)
        _check(notes, self._limits)
        rows = [row_of(extraction) for extraction in self._extractor.extract_all(notes.tolist())]
        return pd.DataFrame(rows, index=notes.index, columns=COLUMNS)


# ---- notes ----------------------------------------------------------------------------------------


def _limits(config: Mapping[str, Any]) -> dict[str, int | None]:
    limits = {name: config.get(name, 0) for name in LIMITS}
    for name, limit in limits.items():
        if limit is not None and (type(limit) is not int or limit < 1):
            raise MlflowException(f"{name} of the model's configuration is neither a whole number above 0 nor null")
    return limits


def notes_of(model_input: Any) -> pd.Series:
    """Return the notes of an input as MLflow hands it over, whatever they are."""
    if isinstance(model_input, pd.DataFrame):
        if not len(model_input.columns):
            raise NoteError(f"there is no column {TEXT}")
        notes = model_input.iloc[:, 0]
        if notes.name not in (TEXT, *_UNNAMED):
            raise NoteError(f"the first column is not named {TEXT}")
        return notes
    return pd.Series([model_input] if isinstance(model_input, str) else model_input, dtype=object)


def _check(notes: Iterable[Any], limits: Mapping[str, int | None]) -> None:
    """Refuse what is no text, or too long, by its place among the notes."""
    most, total, all_together = limits["note_characters"], limits["request_characters"], 0
    for place, note in enumerate(notes):
        where = f"note {place}, counted from 0,"
        if not isinstance(note, str):
            kind = "missing" if pd.isna(note) is True else f"of type {type(note).__name__}"
            raise NoteError(f"{where} is {kind} (where there is no text, it is an empty string)")
        if most is not None and len(note) > most:
            raise NoteError(f"{where} has {len(note)} characters, more than {most}: cut it where a part of it ends")
        all_together += max(len(note), _LEAST)
        if total is not None and all_together > total:
            least = f"each counted as {_LEAST} at least"
            said = f"the notes up to {place}, counted from 0, have more than {total} characters, {least}"
            raise NoteError(f"{said}: send fewer")
        if not note.isascii():
            _refuse_halves(note, where)


def _refuse_halves(note: str, where: str) -> None:
    try:
        note.encode("utf-8")
    except UnicodeEncodeError as error:
        raise NoteError(f"{where} has half a character at offset {error.start}") from None


def row_of(extraction: Extraction) -> tuple:
    """Return the row of a note; its fields are `COLUMNS`."""
    mentions, suggestions = (
        [mention._asdict() for mention in listed] for listed in (extraction.mentions, extraction.suggestions)
    )
    return (
        mentions, suggestions, extraction.accepted,
        extraction.sentences, extraction.tokens, extraction.unknown_tokens,
    )  # fmt: skip


# ---- over HTTP ------------------------------------------------------------------------------------


def guard(
    server: ModuleType, limits: Mapping[str, int | None], admit: Callable[[list[Any]], None] = lambda _: None
) -> None:
    """Stand between MLflow's server and its requests, whose text it would quote in errors.

    It puts malformed input into its answer, writes nulls and numbers as text (``"None"``, which is a note without
    mentions), and reads a file of this machine where one string is given. It has no setting for any of that.
    What is to refuse notes for other reasons than `limits` is `admit`, which raises an error of its own. A server that
    is guarded already is guarded anew.
    """
    guarded = server.invocations  # where this version of MLflow has another name for it, nothing is served
    answer = getattr(guarded, "behind", guarded)

    def invocations(data: bytes, content_type: str | None, model: Any, input_schema: Any) -> Any:
        notes = _requested(data, content_type, limits)
        if not notes:
            raise NoteError("there is no note")
        admit(notes)
        _check(notes, limits)
        try:
            return answer({"inputs": notes}, "application/json", model, input_schema)
        except NoteError:
            raise
        except Exception:
            # The cause may quote a note: neither the answer nor the log has it.
            raise MlflowException("the model failed on a note of this request", INTERNAL_ERROR) from None

    invocations.behind = answer  # type: ignore[attr-defined]
    server.invocations = invocations  # type: ignore[attr-defined]


def _requested(data: bytes, content_type: str | None, limits: Mapping[str, int | None]) -> list[Any]:
    """Return the notes of a request, whatever they are."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise NoteError("the content type is not application/json")
    total = limits["request_characters"]
    if total is not None and len(data) > _BYTES * total:
        raise NoteError(f"the request has {len(data)} bytes, more than {_BYTES * total}")
    try:
        request = json.loads(data)
    except json.JSONDecodeError as error:
        raise NoteError(f"the request is no JSON (line {error.lineno}, column {error.colno})") from None
    except (ValueError, RecursionError):  # no UTF-8, too many digits; nested too deeply
        raise NoteError("the request is no JSON that can be read") from None
    given = [name for name in _FORMATS if isinstance(request, dict) and name in request]
    if len(given) != 1:
        raise NoteError(f"the request is no object with exactly one of {', '.join(_FORMATS)}")
    return _FORMATS[given[0]](request[given[0]])


def _listed(notes: Any) -> list[Any]:
    if not isinstance(notes, list):
        raise NoteError(f"the notes are no list but of type {type(notes).__name__}")
    if any(isinstance(note, dict) for note in notes):
        place = next(place for place, note in enumerate(notes) if isinstance(note, dict))
        raise NoteError(f"note {place}, counted from 0, is an object and no text; rows go into dataframe_records")
    return notes


def _of_records(rows: Any) -> list[Any]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NoteError("dataframe_records is no list of objects")
    if rows and not any(TEXT in row for row in rows):
        raise NoteError(f"there is no column {TEXT}")
    return [row.get(TEXT) for row in rows]


def _of_split(table: Any) -> list[Any]:
    columns, rows = (table.get(name) if isinstance(table, dict) else None for name in ("columns", "data"))
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise NoteError("dataframe_split is no object whose data is a list of rows")
    if not isinstance(columns, list) or columns[:1] != [TEXT]:
        raise NoteError(f"the first column is not named {TEXT}")
    return [row[0] if row else None for row in rows]


_FORMATS: dict[str, Callable[[Any], list[Any]]] = {
    "inputs": _listed,
    "instances": _listed,
    "dataframe_records": _of_records,
    "dataframe_split": _of_split,
}
"""How each form of a request that MLflow knows becomes notes."""


set_model(ServedExtractor())
