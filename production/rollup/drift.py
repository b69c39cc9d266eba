"""Windows of the serving log: how far each column was from the reference, what was decided, and what followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from production.rollup.place import SPAN, Place, written
from production.watch.history import WindowJudged, history
from production.watch.status import due
from stages.monitor.decision import band_of
from stages.monitor.params import Bands

_MEASURED = ("deviation", "low", "high", "noise")
_OF_SLICE = ("decision", "column", "deviation", "low", "high", "notes")

Series = dict[str, dict[str, list[Any]]]
"""By column or slice: lists of the same length; `window` has the numbers of the windows, from 0."""


def drift(place: Place, now: datetime) -> dict[str, Any]:
    """Return the windows of a year, oldest first."""
    bands, windows = place.monitor.bands, []
    columns: Series = defaultdict(lambda: defaultdict(list))
    slices: Series = defaultdict(lambda: defaultdict(list))
    for number, window in enumerate(history(place.engine, now - SPAN)):
        windows.append(window_as_json(window))
        found = window.judged.get("drift") or {}
        for name, one in found.get("columns", {}).items():
            _add(columns[name], number, one, _MEASURED)
            columns[name]["band"].append(_band(one, bands))
            columns[name]["fault"].append(one.get("fault"))
        for name, one in found.get("slices", {}).items():
            _add(slices[name], number, one, _OF_SLICE)
    next_one = written(due(place.engine, place.watch, now))
    return {"bands": bands.model_dump(), "windows": windows, "due": next_one, "columns": columns, "slices": slices}


def window_as_json(window: WindowJudged) -> dict[str, Any]:
    """Return a window without its columns: what was decided, and what followed."""
    decided = window.judged.get("decision") or {}
    return {
        "name": window.name,
        "version": window.model_version,
        "since": written(window.since),
        "until": written(window.until),
        "at": written(window.at),
        "notes": window.notes,
        "reference": window.reference,
        "decision": window.decision,
        "acts": window.acts,
        "harmed": window.harmed,
        "number": window.number,
        "column": decided.get("column"),
        "reasons": list(decided.get("reasons", [])),
        "follows": [one._asdict() for one in window.follows],
    }


def _add(series: dict[str, list[Any]], number: int, one: Mapping[str, Any], names: Sequence[str]) -> None:
    series["window"].append(number)
    for name in names:
        series[name].append(one.get(name))


def _band(one: Mapping[str, Any], bands: Bands) -> str | None:
    deviation = one.get("deviation")
    return None if deviation is None else band_of(deviation, bands)
