"""The model that answers on the page *Try it*: in a process of its own, loaded once, asked by one person at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import streamlit as st

from production.database.engine import address, folder_of
from production.inference.encode_data import features_of
from production.inference.host import Found, NoteFailedError
from production.inference.input_features_check import problem_of
from production.inference.load_model import ROOT, Loaded, Model, Registry, folder_model, start_host
from production.inference.params import load_params
from production.inference.setup import CACHE
from production.service.params import load_params as load_service_params
from stages.common.errors import BeHealthyError

HERE, CHAMPION = "folder", "champion"
"""Which model is asked: that of `models/`, or the registry's champion."""
MODELS = Path("models")

_EXPLAIN_SECONDS = 60.0
_TOP = 5


class TryError(BeHealthyError):
    """The note cannot be tried; says nothing of its text."""


@dataclass(frozen=True)
class Tried:
    """What a model said of a note, and which one it was."""

    model: Model
    labels: tuple[str, ...]
    found: Found


@dataclass(frozen=True)
class Asked:
    """A model, in its process, that takes one note after the other."""

    loaded: Loaded
    _turn: Lock = field(default_factory=Lock)

    def try_out(self, text: str) -> Tried:
        """Find the mentions of a note.

        Raises
        ------
        BeHealthyError
            When there is no model, or it could not deal with the note.
        """
        with self._turn:
            model, host = self.loaded.current()
            try:
                found = host.extract(text, load_service_params().note_seconds)
            except NoteFailedError as error:
                raise TryError(f"{error}: try a shorter part of it") from None
            return Tried(model, tuple(host.labels), found)


@st.cache_resource(show_spinner=False, on_release=lambda asked: asked.loaded.stop())
def asked(source: str) -> Asked:
    """Return who answers, the same for all people and pages: `HERE` or `CHAMPION`."""
    params = load_params()
    if source == CHAMPION:
        find = Registry(CHAMPION, folder_of(address()) / CACHE, "dashboard").find
    else:
        find = partial(folder_model, MODELS)
    start = partial(start_host, note_megabytes=params.note_megabytes)
    return Asked(Loaded(find, params.champion_seconds, lambda *_: None, start, "dashboard"))


def refuse_unfit(text: str) -> None:
    """Refuse what the service and the worker refuse, before a model is loaded.

    Raises
    ------
    TryError
        Says why, in numbers, and nothing of the text.
    """
    most = load_service_params().note_bytes
    if len(text.encode(errors="surrogatepass")) > most:
        raise TryError(f"The note has more than {most:,} bytes (service.note_bytes): cut it where a part ends.")
    if problem := problem_of(features_of(text), load_params()):
        raise TryError(f"The note {problem}.")


def explain(text: str, models: Path) -> list[dict[str, Any]]:
    """Return why each mention was marked, as `python -m production.explain --json` prints it.

    Raises
    ------
    TryError
        When it takes too long, or the model does not load with the code of this repository.
    """
    command = [sys.executable, "-m", "production.explain", "--json", "--top", str(_TOP), "--models", str(models)]
    try:
        # The note goes through a pipe: others on this machine see the words of a command.
        done = subprocess.run(  # noqa: S603 (arguments of our own)
            command, input=text.encode(), capture_output=True, cwd=ROOT, timeout=_EXPLAIN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise TryError(f"the explanation takes longer than {_EXPLAIN_SECONDS:g} s: try a shorter part") from None
    if done.returncode:
        raise TryError(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or "nothing could be told")
    explained: list[dict[str, Any]] = json.loads(done.stdout)
    return explained
