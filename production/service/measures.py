"""What the service tells Prometheus: counts and times, and never a word of a note."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from production.inference.host import Found, NoteFailedError

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Measures:
    """The metrics of one service, in a registry of its own."""

    def __init__(self) -> None:
        kept = self._registry = CollectorRegistry()
        self._requests = Counter(
            "behealthy_requests", "Requests that were answered.", ["path", "status"], registry=kept
        )
        self._seconds = Histogram(
            "behealthy_request_seconds",
            "From a request's first byte to its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._notes = Counter("behealthy_notes", "Notes that were read.", registry=kept)
        self._failed = Counter("behealthy_notes_failed", "Notes that the model could not deal with.", registry=kept)
        self._mentions = Counter("behealthy_mentions", "Mentions that were found.", ["label"], registry=kept)
        self._rejected = Counter("behealthy_rejected", "Requests that were turned away.", ["reason"], registry=kept)
        self._waiting = Gauge("behealthy_queue_depth", "Requests in work or waiting for it.", registry=kept)
        self._logged = Counter("behealthy_log_rows", "Rows of the serving log that were written.", registry=kept)
        self._lost = Counter("behealthy_log_rows_lost", "Rows of the serving log that were not.", registry=kept)
        self._unwritten = Gauge("behealthy_log_rows_waiting", "Rows of the serving log to be written.", registry=kept)
        self._failing = Gauge(
            "behealthy_log_failing", "Whether the serving log could not be written when last tried.", registry=kept
        )
        self._why = Info("behealthy_log_failure", "Why the serving log could not be written.", registry=kept)
        self._unfollowed = Counter(
            "behealthy_follow_failures", "Looks for another model that came to nothing.", registry=kept
        )
        self._model = Info("behealthy_model", "The model that answers.", registry=kept)
        self._since = Gauge("behealthy_model_since_timestamp_seconds", "When it took over.", registry=kept)
        self._ready = Gauge("behealthy_ready", "Whether the model is loaded and warm.", registry=kept)

    def describe(self, version: str, commit: str | None) -> None:
        """Say which model answers."""
        self._model.info({"version": version, "commit": commit or ""})
        self._since.set_to_current_time()

    def watch_ready(self, ready: Callable[[], bool]) -> None:
        """Ask whether the model can be asked whenever the metrics are read."""
        self._ready.set_function(ready)

    def watch(self, depth: Callable[[], int]) -> None:
        """Ask `depth` for the requests in work whenever the metrics are read."""
        self._waiting.set_function(depth)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def rejected(self, reason: str) -> None:
        """Count a request that was turned away."""
        self._rejected.labels(reason).inc()

    def count(self, answers: Iterable[Found | NoteFailedError]) -> None:
        """Count notes and their mentions."""
        labels: Counts[str] = Counts()
        notes = failed = 0
        for answer in answers:
            if isinstance(answer, Found):
                notes += 1
                labels.update(mention.label for mention in answer.mentions)
            else:
                failed += 1
        self._notes.inc(notes)
        self._failed.inc(failed)
        for label, number in labels.items():
            self._mentions.labels(label).inc(number)

    def logged(self, rows: int, *, lost: bool = False) -> None:
        """Count rows of the serving log."""
        (self._lost if lost else self._logged).inc(rows)

    def watch_log(self, waiting: Callable[[], int]) -> None:
        """Ask `waiting` for the rows of the serving log that wait whenever the metrics are read."""
        self._unwritten.set_function(waiting)

    def log_failing(self, why: str | None) -> None:
        """Say why the serving log could not be written when last tried; None where it could."""
        self._failing.set(why is not None)
        self._why.info({"why": why or ""})

    def not_followed(self) -> None:
        """Count a look for another model that failed, or a model that does not load."""
        self._unfollowed.inc()

    def text(self) -> bytes:
        """Return all of it in Prometheus's format."""
        return generate_latest(self._registry)
