"""The collector that Prometheus's client asks at each scrape: parts, each read again when what it cost allows it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from production.database.engine import kind_of
from production.metrics.families import gauges
from production.metrics.parts import Part, Place, decisions, model, notes, quality, reviews
from production.metrics.watching import watch
from stages.common.command import place_of
from stages.common.errors import BeHealthyError

PARTS: Mapping[str, Part] = {
    "notes": notes,
    "model": model,
    "watch": watch,
    "reviews": reviews,
    "quality": quality,
    "decisions": decisions,
}
"""In the order in which they are read: what may take long comes last."""
FRESH = 5.0
"""Seconds for which what was read is told again."""
_REST = 20.0
"""So many times what a part took, it is told again: it costs a twentieth of a core at most, however much there is."""
PATIENCE = 8.0
"""Seconds that a scrape waits; Prometheus gives it ten where nothing else is said."""


def _now() -> datetime:
    return datetime.now(UTC)


class Read(NamedTuple):
    """What was read of a part.

    Parameters
    ----------
    families : tuple of GaugeMetricFamily
        None of a part that failed.
    failed : bool
    at : datetime
        When.
    seconds : float
        That it took.
    until : float
        It is told until then, by the monotonic clock.
    """

    families: tuple[GaugeMetricFamily, ...]
    failed: bool
    at: datetime
    seconds: float
    until: float


@dataclass(eq=False)
class Exporter(Collector):
    """Reads the database when it is asked.

    Parameters
    ----------
    open_place : callable
        Opens the database; asked until it succeeds, and again after a part failed.
    now : callable
        Returns the time.
    fresh : float
        Seconds for which what was read is told again.
    patience : float or None
        Seconds after which what was read before is told, while reading goes on; None waits for the end.
    """

    open_place: Callable[[], Place]
    now: Callable[[], datetime] = _now
    fresh: float = FRESH
    patience: float | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._place: Place | None = None
        self._read: dict[str, Read] = {}
        self._reading = threading.Thread()

    @property
    def failed(self) -> list[str]:
        """The parts that failed when they were read last, or were not read yet."""
        return [name for name in PARTS if name not in self._read or self._read[name].failed]

    def describe(self) -> list[GaugeMetricFamily]:
        """Keep the registry from reading the database for no more than the names."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield all parts, and how reading each went."""
        with self._lock:  # two scrapes at a time read once
            if not self._reading.is_alive():
                self._reading = threading.Thread(target=self._read_due, name="read", daemon=True)
                self._reading.start()
        self._reading.join(self.patience)
        read = self._read.copy()
        for one in read.values():
            yield from one.families
        yield from _told(read)

    def registry(self) -> CollectorRegistry:
        """Return a registry of it alone."""
        made = CollectorRegistry()
        made.register(self)
        return made

    def _read_due(self) -> None:
        for name in PARTS:
            last = self._read.get(name)
            if last is None or time.monotonic() >= last.until:
                self._read[name] = self._again(name)

    def _again(self, name: str) -> Read:
        now, began = self.now(), time.monotonic()
        families: tuple[GaugeMetricFamily, ...] | None = None
        try:
            self._place = self._place or self.open_place()
            families = tuple(PARTS[name](self._place, now))
        except Exception as error:  # whatever it is: the other parts are told, and this one as failed
            self._failed(name, error)
        took = time.monotonic() - began
        until = began + took + max(self.fresh, _REST * took if self.fresh else 0.0)
        return Read(families or (), families is None, now, took, until)

    def _failed(self, name: str, error: Exception) -> None:
        """Say it once, and open the database anew the next time."""
        last = self._read.get(name)
        if last is None or not last.failed:
            print(f"metrics: {name} could not be read: {_why(error)}", file=sys.stderr, flush=True)
        if self._place:
            self._place.engine.dispose()
        self._place = None


def _why(error: Exception) -> str:
    """Say it without values of a statement."""
    if isinstance(error, BeHealthyError):
        return str(error)
    return f"the database did not do it ({kind_of(error)})" if isinstance(error, DBAPIError) else place_of(error)


def _told(read: Mapping[str, Read]) -> Iterator[GaugeMetricFamily]:
    failed = {(name,): float(name not in read or read[name].failed) for name in PARTS}
    yield gauges(
        "collect_failed", "Whether a part could not be read; its figures are left out then.", ("part",), failed
    )
    at = {(name,): one.at.timestamp() for name, one in read.items()}
    yield gauges("collect_timestamp_seconds", "When a part was read.", ("part",), at)
    took = {(name,): one.seconds for name, one in read.items()}
    yield gauges("collect_seconds", "Time that reading a part took.", ("part",), took)
