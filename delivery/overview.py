"""The experiments of this commit side by side, finished or not: `python -m delivery.overview`.

DVC shows, for an experiment that runs or failed, the metrics that lie in its folder: those of the commit it was
started from, until its own are written. Here only what is finished has figures.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delivery.errors import DeliveryError
from delivery.rendering.settings import settings_text
from delivery.rendering.tables import NONE
from delivery.revision.git import last_lines
from delivery.revision.revision import flat
from delivery.revision.site_cache import use
from stages.common.command import parse_no_arguments, run_command

if TYPE_CHECKING:
    from rich.table import Table

FINISHED = ("", "success")
"""States in which the metrics are an experiment's own; DVC gives none to one from the workspace that ended."""

_EVALUATION, _PARAMS = "metrics/evaluation.json", "params.yaml"
_F1, _STRICT = "strict.micro.f1", re.compile(r"strict\.([^.]+)\.f1")


@dataclass(frozen=True)
class Row:
    """An experiment, or the commit that all of them were started from.

    Parameters
    ----------
    name : str
    state : str
        As DVC says it: queued, running, success, failed; empty where it says none.
    metrics : dict of str to object
        Flat; empty unless it is finished.
    changes : dict of str to object
        Parameters that differ from the commit's.
    """

    name: str
    state: str
    metrics: Mapping[str, Any]
    changes: Mapping[str, Any]

    @property
    def score(self) -> float:
        """The strict F1, by which the rows are in order; below all where there is none."""
        value = self.metrics.get(_F1)
        return float(value) if isinstance(value, int | float) else float("-inf")


def rows_of(shown: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Read what `dvc exp show --json` says: the commit first, its experiments by strict F1, the unfinished last.

    Raises
    ------
    DeliveryError
        When it is not laid out as DVC 3 does.
    """
    try:
        commit = next(entry for entry in shown if entry["rev"] != "workspace")
        before = _content(commit["data"], "params", _PARAMS)
        first = Row(commit.get("name") or commit["rev"][:7], "", _content(commit["data"], "metrics", _EVALUATION), {})
        rows = [_row(experiment, before) for experiment in commit["experiments"] or []]
    except (KeyError, TypeError, IndexError, StopIteration, AttributeError) as error:
        raise DeliveryError(
            "`dvc exp show --json` answered in a form that is not known here: use `dvc exp show`"
        ) from error
    return [first, *sorted(rows, key=lambda row: (-row.score, row.state, row.name))]


def _row(experiment: Mapping[str, Any], before: Mapping[str, Any]) -> Row:
    last: Mapping[str, Any] = experiment["revs"][-1] if experiment["revs"] else {"rev": "", "data": None}
    state = (experiment.get("executor") or {}).get("state") or ""
    if last.get("error"):
        state = "failed"
    params = _content(last["data"], "params", _PARAMS)
    changes = {key: value for key, value in params.items() if key not in before or before[key] != value}
    metrics = _content(last["data"], "metrics", _EVALUATION) if state in FINISHED else {}
    return Row(experiment.get("name") or last["rev"][:7], state, metrics, changes)


def _content(data: Mapping[str, Any] | None, kind: str, path: str) -> dict[str, Any]:
    """Return a file of a revision, flat; empty where the revision or DVC has none."""
    return flat(((data or {}).get(kind) or {}).get(path, {}).get("data") or {})


def columns_of(rows: Iterable[Row]) -> dict[str, str]:
    """Return the metrics that one chooses by, with the F1 of each label that any row has; `dvc exp show` has all."""
    names = dict.fromkeys(match[1] for row in rows for key in row.metrics if (match := _STRICT.fullmatch(key)))
    labels = {f"F1 {name}": f"strict.{name}.f1" for name in names if name != "micro"}
    return {"F1": _F1, **labels, "ECE": "calibration.ece", "accepted": "acceptance.mentions"}


def table_of(rows: Sequence[Row]) -> Table:
    """Return the experiments as a table to print."""
    from rich.markup import escape
    from rich.table import Table

    columns = columns_of(rows)
    table = Table(box=None, header_style="bold")
    for name in ("experiment", "state"):
        table.add_column(name, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("parameters")
    for place, row in enumerate(rows):
        figures = (row.metrics.get(metric) for metric in columns.values())
        table.add_row(
            escape(row.name) + (" (baseline)" if place == 0 else ""),
            escape(row.state or "success"),
            *(f"{value:.4f}" if isinstance(value, int | float) else NONE for value in figures),
            escape(settings_text(row.changes)),
        )
    return table


def overview(root: Path = Path()) -> None:
    """Print the experiments of the current commit.

    Raises
    ------
    DeliveryError
        When DVC cannot say which there are.
    """
    from rich.console import Console

    use(root)
    result = subprocess.run(["dvc", "exp", "show", "--json"], cwd=root, capture_output=True, text=True, check=False)
    try:
        shown = json.loads(result.stdout) if result.returncode == 0 else None
    except ValueError:
        shown = None
    if not isinstance(shown, list):
        raise DeliveryError(f"`dvc exp show` did not answer ({last_lines(result.stderr) or 'no table'})")
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200)
    console.print(table_of(rows_of(shown)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 printed, 2 wrong usage or no answer from DVC."""
    parse_no_arguments("delivery.overview", __doc__, arguments)
    return run_command("overview", overview)


if __name__ == "__main__":
    sys.exit(main())
