"""Metrics as Prometheus's client has them, in fewer words: a part yields them, the collector hands them on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily

PREFIX = "behealthy_"
Words = TypeVar("Words", bound=tuple[str, ...])


def gauge(name: str, about: str, value: float | None) -> GaugeMetricFamily:
    """Return a gauge; without a sample where there is no value, for zero would be one."""
    return GaugeMetricFamily(PREFIX + name, about, value=value)


def moment(name: str, about: str, at: datetime | None) -> GaugeMetricFamily:
    """Return a gauge of a moment, in seconds since 1970: an age would stand still in a file that nobody writes."""
    return gauge(f"{name}_timestamp_seconds", about, None if at is None else at.timestamp())


def gauges(name: str, about: str, labels: Iterable[str], values: Mapping[Words, float | None]) -> GaugeMetricFamily:
    """Return a gauge with labels.

    Parameters
    ----------
    name, about : str
    labels : iterable of str
        Their names.
    values : mapping
        By the values of the labels; what has no value has no sample.
    """
    family = GaugeMetricFamily(PREFIX + name, about, labels=list(labels))
    for words, value in values.items():
        if value is not None:
            family.add_metric(list(words), value)
    return family
