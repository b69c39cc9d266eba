"""What a worker counts of its own process: notes, mentions, quarantine, batches, and which model reads."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from production.inference.load_model import Model
from production.inference.writing import Outcome

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class WorkerMeasures:
    """The metrics of one worker, in a registry of its own; named as the service's where they mean the same."""

    def __init__(self) -> None:
        kept = self.registry = CollectorRegistry()
        self._notes = Counter("behealthy_notes", "Notes that were read.", registry=kept)
        self._mentions = Counter("behealthy_mentions", "Mentions that were found.", ["label"], registry=kept)
        self._set_aside = Counter(
            "behealthy_notes_quarantined", "Notes that were set aside, by the step that did.", ["step"], registry=kept
        )
        self._seconds = Histogram(
            "behealthy_batch_seconds", "From a batch's claim to its results.", buckets=_SECONDS, registry=kept
        )
        self._looked = Gauge(
            "behealthy_worker_looked_timestamp_seconds", "When it looked for notes last.", registry=kept
        )
        self._model = Info("behealthy_model", "The model that reads.", registry=kept)
        self._version = ""

    def batch(self, model: Model, written: Sequence[Outcome], seconds: float) -> None:
        """Count a batch, or that no note waits."""
        self._looked.set_to_current_time()
        if model.version != self._version:
            self._version = model.version
            self._model.info({"version": model.version, "commit": model.commit or ""})
        if not written:
            return
        self._seconds.observe(seconds)
        found = [outcome.found for outcome in written if outcome.found]
        self._notes.inc(len(found))
        for label, number in Counts(mention.label for one in found for mention in one.mentions).items():
            self._mentions.labels(label).inc(number)
        for step, number in Counts(outcome.step for outcome in written if not outcome.found).items():
            self._set_aside.labels(step).inc(number)
