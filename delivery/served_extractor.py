"""The extractor as MLflow serves it. This script travels with the model; it is run, nothing is unpickled.

**Input**: notes as text. A list of strings, a Series of strings, or a DataFrame whose first column is
named ``text``; over HTTP ``{"inputs": ["…"]}`` or ``{"dataframe_split": {"columns": ["text"], "data": [["…"]]}}``.
An empty string is a note without mentions; a missing one (None, NaN) or one that is no string is refused.

**Output**: a DataFrame with one row per note, in the order and with the index of the input.

========================  ==========================================================================
``mentions``              list of ``{start, end, label, confidence, accepted}`` in order of their
                          offsets, which are characters of the note: ``note[start:end]``
``suggestions``           the same of what may have been missed: for a person to look at, never accepted
``accepted``              whether the whole note needs no person
``sentences, tokens``     how many the note has
``unknown_tokens``        share of the tokens that training never saw, 0 to 1
========================  ==========================================================================
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# What MLflow says of an ill-typed input would quote the notes.
os.environ.setdefault("MLFLOW_DISABLE_SCHEMA_DETAILS", "true")

import stages.common  # noqa: F401  (chooses the kernels of OpenBLAS; before numpy)

# isort: split
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

from stages.train.extractor import Extraction, load_extractor

TEXT = "text"
"""Name of the column of notes."""

COLUMNS = ["mentions", "suggestions", "accepted", "sentences", "tokens", "unknown_tokens"]

_UNNAMED = (None, 0, "0")


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
        """Read the model folder that was logged as the artifact ``models``."""
        self._extractor = load_extractor(Path(context.artifacts["models"]))

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Find the mentions of each note.

        Raises
        ------
        NoteError
            Names the row at fault, never its text; over HTTP it is status 400.
        """
        notes = _notes(model_input)
        rows = [_row(extraction) for extraction in self._extractor.extract_all(notes.tolist())]
        return pd.DataFrame(rows, index=notes.index, columns=COLUMNS)


def _notes(model_input: Any) -> pd.Series:
    if isinstance(model_input, pd.DataFrame):
        if not len(model_input.columns):
            raise NoteError(f"there is no column {TEXT}")
        notes = model_input.iloc[:, 0]
        if notes.name not in (TEXT, *_UNNAMED):
            raise NoteError(f"the first column is not named {TEXT}")
    else:
        notes = pd.Series([model_input] if isinstance(model_input, str) else model_input, dtype=object)
    for place, note in enumerate(notes):
        if not isinstance(note, str):
            kind = f"of type {type(note).__name__}" if pd.notna(note) is True else "missing"
            raise NoteError(f"note {place}, counted from 0, is {kind} (where there is no text, it is an empty string)")
    return notes


def _row(extraction: Extraction) -> tuple:
    mentions, suggestions = (
        [mention._asdict() for mention in found] for found in (extraction.mentions, extraction.suggestions)
    )
    return (
        mentions, suggestions, extraction.accepted,
        extraction.sentences, extraction.tokens, extraction.unknown_tokens,
    )  # fmt: skip


set_model(ServedExtractor())
