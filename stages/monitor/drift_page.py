"""A picture of the comparison by Evidently, below the decision and never part of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.files import write_text
from stages.common.importing import without_collecting
from stages.common.labels import QUARANTINED
from stages.common.pages import render
from stages.common.rare_values import without_rare
from stages.common.wording import column_in_words, decision_in_words
from stages.monitor.columns import served_rows
from stages.monitor.decision import Decision
from stages.monitor.drift import ColumnDrift, Drift, kind_of

_TEMPLATE = Path(__file__).parent / "templates/decision.html"
_LEAST = 5
"""Values a column must have on both sides to be drawn."""


def draw_drift(profile: pd.DataFrame, window: pd.DataFrame, drift: Drift, decision: Decision, path: Path) -> bool:
    """Write an Evidently report of the watched columns as HTML; say on stderr what could not be drawn.

    The decision is made already and stands above; Evidently draws the distributions, and what it says of a column is
    the deviation and the noise that were decided on: two rules would contradict each other in front of a person. A
    failure is reported and changes nothing.

    Parameters
    ----------
    profile, window : DataFrame
    drift : Drift
        Columns with a fault are left out.
    decision : Decision
    path : Path

    Returns
    -------
    bool
        Whether the report was written.
    """
    try:
        path.unlink(missing_ok=True)
        profile, window = served_rows(profile), served_rows(window)
        columns = _drawable(profile, window, drift)
        if not columns:
            return False
        page = _html(*_plain(profile, window, columns), drift)
        write_text(path, page.replace("<body>", f"<body>\n{_headline(drift, decision)}", 1))
    except Exception as error:  # a library's: anything may come, and the decision stands
        print(f"monitor: Evidently's report failed ({type(error).__name__}); the decision stands", file=sys.stderr)
        return False
    return True


def _drawable(profile: pd.DataFrame, window: pd.DataFrame, drift: Drift) -> list[str]:
    """Return the columns whose values are drawn; a share of notes, as that in quarantine, has no distribution."""
    columns = [one for one in drift.columns if one.column != QUARANTINED]
    sound = [one.column for one in columns if one.fault is None]
    enough = [name for name in sound if min(profile[name].count(), window[name].count()) >= _LEAST]
    skipped = [one.column for one in columns if one.column not in enough]
    if skipped:
        print(f"monitor: not drawn, too few values or a fault: {', '.join(skipped)}", file=sys.stderr)
    return enough


def _plain(profile: pd.DataFrame, window: pd.DataFrame, columns: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Only the watched columns, as plain floats and strings: no names of notes, and no values that few notes have.

    The page goes to MLflow, where more people read than the notes have readers.
    """
    frames = profile, window
    plain: tuple[dict[str, list[Any]], dict[str, list[Any]]] = ({}, {})
    for name in columns:
        if kind_of(name) == "number":
            values = [frame[name].to_numpy(dtype=np.float64, na_value=np.nan).tolist() for frame in frames]
        else:
            values = without_rare(*([v if isinstance(v, str) else None for v in frame[name]] for frame in frames))
        for side, column in zip(plain, values, strict=True):
            side[name] = column
    return pd.DataFrame(plain[0]), pd.DataFrame(plain[1])


def _headline(drift: Drift, decision: Decision) -> str:
    said = {"decision": decision_in_words(decision.decision), "reasons": decision.reasons}
    return render(_TEMPLATE, drift=drift, in_words=column_in_words, **said)


def _html(profile: pd.DataFrame, window: pd.DataFrame, drift: Drift) -> str:
    os.environ["DO_NOT_TRACK"] = "1"
    with without_collecting():
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

    columns = [str(name) for name in profile]
    drawn = [one for one in drift.columns if one.column in columns]
    tests = {one.column: _test_of(one) for one in drawn}
    definition = DataDefinition(
        numerical_columns=[name for name in columns if kind_of(name) == "number"],
        categorical_columns=[name for name in columns if kind_of(name) == "category"],
    )
    current, reference = (Dataset.from_pandas(frame, data_definition=definition) for frame in (window, profile))
    noise = {one.column: one.noise for one in drawn}
    report = Report([
        DataDriftPreset(
            columns=columns, drift_share=0.5 / len(columns), per_column_method=tests, per_column_threshold=noise
        )
    ])  # fmt: skip
    html: str = report.run(current, reference).get_html_str(as_iframe=False)
    return html


def _test_of(one: ColumnDrift) -> str:
    """Make a test for Evidently that says what was decided on for a column; return its name."""
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    def said(*_: object) -> tuple[float | None, bool | None]:
        return one.deviation, one.counts

    name = f"deviation_{one.column}"
    kind = ColumnType.Numerical if one.kind == "number" else ColumnType.Categorical
    register_stattest(StatTest(name, "deviation in percent", [kind], default_threshold=one.noise), said)
    return name
