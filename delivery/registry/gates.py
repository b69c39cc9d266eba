"""The gates that judge a challenger by itself, from what was measured. Pure: no server, no git, no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from delivery.registry.acceptance import promise
from delivery.registry.bounds import Bounds
from delivery.registry.gate import Gate, missing
from delivery.registry.measured import behaviour_table, share


def absolute_gates(metrics: Mapping[str, Any], counts: pd.DataFrame | None, bounds: Bounds) -> Iterator[Gate]:
    """Judge a challenger by itself.

    Parameters
    ----------
    metrics : mapping
        Flat metrics of its commit.
    counts : DataFrame or None
        ``document, label, tp, fp, fn, accepted, right`` of its own test documents.
    bounds : Bounds
    """
    yield _validation(metrics)
    yield _calibration(metrics, bounds)
    yield promise(metrics, counts, bounds)
    yield _functionality(metrics, bounds)


def _validation(metrics: Mapping[str, Any]) -> Gate:
    passed = metrics.get("validation.passed")
    if passed is None:
        return missing("validation", "metrics/validation.json")
    numbers = {"errors": metrics.get("validation.errors"), "warnings": metrics.get("validation.warnings")}
    if passed is not True:
        return Gate("validation", "refused", "the data did not pass the gate: see metrics/validation.json", numbers)
    return Gate("validation", "passed", "the data passed the gate", numbers)


def _calibration(metrics: Mapping[str, Any], bounds: Bounds) -> Gate:
    error, bound = share(metrics.get("evaluation.calibration.ece")), bounds.calibration_error
    if error is None:
        return missing("calibration", "metrics/evaluation.json")
    numbers = {"ece": error, "bound": bound}
    if error > bound:
        reason = f"calibration error {error:.4f} is above {bound}: see plots/calibration.csv, annotate more notes"
        return Gate("calibration", "refused", reason, numbers)
    return Gate("calibration", "passed", f"calibration error {error:.4f} is at most {bound}", numbers)


def _functionality(metrics: Mapping[str, Any], bounds: Bounds) -> Gate:
    name = "minimum functionality"
    table = behaviour_table(metrics)
    rates = {key: share(row.get("rate")) for key, row in table.items() if row.get("kind") == name}
    known = {key: rate for key, rate in rates.items() if rate is not None}
    if not rates or len(known) < len(rates):
        return missing(name, "metrics/behaviour.json")
    low = {key: rate for key, rate in known.items() if rate < bounds.minimum_functionality}
    if low:
        listed = ", ".join(f"{key} {rate:.2f}" for key, rate in low.items())
        reason = f"below {bounds.minimum_functionality}: {listed}; read reports/errors.html, annotate such notes"
        return Gate(name, "refused", reason, dict(rates))
    return Gate(
        name, "passed", f"each of {len(rates)} capabilities at {bounds.minimum_functionality} or more", dict(rates)
    )
