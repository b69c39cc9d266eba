"""A worker of this environment: its database, its model, its key."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, select

from production.database.engine import folder_of, reading
from production.database.revision import open_database
from production.database.schema import SERVING_LOG
from production.inference.claims import WAITING, Scope
from production.inference.load_model import Loaded, Model, Registry, folder_model, start_host
from production.inference.log_key import log_key
from production.inference.params import InferenceParams, load_params
from production.inference.worker import Worker
from production.inference.writing import register
from production.record.pairs import Sides
from production.record.params import load_params as load_record_params

CACHE = "models"


@dataclass(frozen=True)
class Workplace:
    """A database of this revision, and what the parameters say."""

    engine: Engine
    params: InferenceParams
    command: str = "infer"

    @classmethod
    def open(cls, batch: int | None = None, *, command: str = "infer") -> Workplace:
        """Open the database of the environment for a command; `batch` takes the place of the parameter."""
        params = load_params()
        return cls(open_database(), params.model_copy(update={"batch": batch}) if batch else params, command)

    def loaded(self, alias: str = "champion", folder: Path | None = None) -> Loaded:
        """Return the version that has an alias, or the model of a folder, to be loaded with the first note."""
        registry = Registry(alias, folder_of(self.engine.url) / CACHE, self.command)
        find = partial(folder_model, folder) if folder else registry.find

        def on_load(model: Model, labels: Sequence[str]) -> None:
            register(self.engine, model, labels, champion=alias == "champion")

        start = partial(start_host, note_megabytes=self.params.note_megabytes)
        return Loaded(find, float("inf") if folder else self.params.champion_seconds, on_load, start, self.command)

    def worker(self, served: Loaded, scope: Scope = WAITING, shadow: Loaded | None = None) -> Worker:
        """Return a worker."""
        record = load_record_params()
        sides, key = Sides(record.disease, record.treatment), log_key(folder_of(self.engine.url), self._has_names)
        return Worker(self.engine, self.params, served, sides, key, scope, shadow, self.command)

    def _has_names(self) -> bool:
        with reading(self.engine) as connection:
            return connection.execute(select(SERVING_LOG.c.log_id).limit(1)).first() is not None


def stop_when_asked(worker: Worker) -> None:
    """Let a worker end after its batch when the process is asked to end."""

    def stop(*_: object) -> None:
        worker.stopping = True

    signal.signal(signal.SIGTERM, stop)
