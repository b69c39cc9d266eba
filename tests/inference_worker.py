"""One worker as production has it, but for its model: ``python -m tests.inference_worker FOLDER [KEY=VALUE…]``.

The folder is one of `make_model`: a model of a few words that is slow on purpose, so that a worker which is killed is
killed amid its notes. The file `champion` in it names the version that is champion; changing it promotes another.
The database is that of the environment.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from production.database.engine import database_session
from production.database.revision import open_database
from production.inference.claims import WAITING
from production.inference.load_model import Loaded, Model
from production.inference.setup import stop_when_asked
from production.inference.worker import Worker
from production.inference.writing import register
from production.record.pairs import SIDES
from stages.common.command import run_command
from tests.production import KEY, PARAMS

EXTRACTOR = """
import re, time
from typing import NamedTuple

WORDS = {"asthma": "Disease", "gout": "Disease", "aspirin": "Treatment", "allopurinol": "Treatment"}

class Span(NamedTuple):
    start: int
    end: int
    label: str
    confidence: float
    accepted: bool

class Extraction(NamedTuple):
    mentions: tuple
    suggestions: tuple
    accepted: bool
    sentences: int
    tokens: int
    unknown_tokens: float

class Extractor:
    labels = ("Disease", "Treatment")

    def extract_all(self, texts):
        return [self.extract(text) for text in texts]

    def extract(self, text):
        time.sleep(SECONDS)
        found = [match for match in re.finditer("[a-z]+", text) if match[0] in WORDS]
        spans = tuple(Span(m.start(), m.end(), WORDS[m[0]], 0.75, True) for m in found)
        if "wrong" in text:
            spans = (Span(0, len(text) + 1, "Disease", 0.5, False),)
        if "crash" in text:
            import os; os._exit(3)
        if "huge" in text:
            bytearray(1 << 30)
        if "endless" in text:
            time.sleep(3600)
        if "astray" in text:
            re.match("(a+)+b", "a" * 60)
        return Extraction(spans, (), False, 1, len(text.split()), 0.0)

def load_extractor(folder):
    return Extractor()
"""


def make_model(folder: Path, seconds: float = 0.004) -> Path:
    """Write the model; return the folder."""
    for package in ("stages", "stages/common", "stages/train"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").touch()
    (folder / "stages/train/extractor.py").write_text(EXTRACTOR.replace("SECONDS", str(seconds)))
    promote(folder, "1")
    return folder


def promote(folder: Path, version: str) -> None:
    """Make a version champion."""
    beside = folder / "champion.new"
    beside.write_text(version)
    beside.replace(folder / "champion")


def find(folder: Path) -> Model:
    """Return the champion; all versions have the same code."""
    return Model((folder / "champion").read_text(), None, "0" * 32, folder, folder)


def work(folder: Path, settings: dict[str, float]) -> None:
    """Work until no note waits."""
    engine = open_database()
    params = PARAMS.model_copy(update={"batch": 20, "champion_seconds": 0.3, "note_seconds": 1.0, **settings})

    def on_load(model: Model, labels: Sequence[str]) -> None:
        register(engine, model, labels, champion=True)

    served = Loaded(partial(find, folder), params.champion_seconds, on_load)
    worker = Worker(engine, params, served, SIDES, KEY, WAITING)
    stop_when_asked(worker)
    try:
        worker.run()
    finally:
        served.stop()


if __name__ == "__main__":
    given = dict(word.split("=") for word in sys.argv[2:])
    settings = {name: type(getattr(PARAMS, name))(value) for name, value in given.items()}
    sys.exit(run_command("worker", lambda: work(Path(sys.argv[1]), settings), within=database_session()))
