"""The experiments of a commit, ranked by strict F1; which are really worse: `python -m delivery.compare`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delivery.changes.bootstrap import Difference, paired_difference
from delivery.errors import DeliveryError
from delivery.rendering.settings import settings_text
from delivery.revision.experiments import experiments, find, has_results
from delivery.revision.revision import Revision
from stages.common.command import run_command

if TYPE_CHECKING:
    from rich.table import Table

BEST, ALIKE, WORSE, UNCOUNTED, OTHER = "best", "~", "worse", "?", "other test"
LEGEND = {
    ALIKE: "not distinguishable from the best: the interval of the paired difference holds 0",
    UNCOUNTED: "not comparable: it has no metrics/documents.csv",
    OTHER: "not comparable: scored on other test documents than the best, or on the same under other names",
}

_SCORE = "evaluation.strict.micro.f1"


@dataclass(frozen=True)
class Candidate:
    """A revision with its score.

    Parameters
    ----------
    revision : Revision
    f1, low, high : float
        Strict F1 on its test documents, with its 95% interval.
    """

    revision: Revision
    f1: float
    low: float
    high: float

    @classmethod
    def of(cls, revision: Revision) -> Candidate:
        """Read the score of a revision.

        Raises
        ------
        DeliveryError
            When it has none.
        """
        metrics = revision.metrics()
        names = (_SCORE, f"{_SCORE}_low", f"{_SCORE}_high")
        if any(not isinstance(metrics.get(name), int | float) for name in names):
            raise DeliveryError(f"{revision.name} has no strict F1 with an interval: run `dvc repro` there")
        return cls(revision, *(float(metrics[name]) for name in names))


@dataclass(frozen=True)
class Place:
    """A candidate in the ranking.

    Parameters
    ----------
    candidate : Candidate
    behind : Difference or None
        Its F1 minus that of the best, paired by document; None for the best itself and where there is no pairing.
    note : str
        Short; `LEGEND` says it in full.
    changes : dict of str to object
        Parameters that differ from the baseline's.
    """

    candidate: Candidate
    behind: Difference | None
    note: str
    changes: dict[str, Any]


def rank(revisions: Sequence[Revision], baseline: Revision) -> list[Place]:
    """Rank revisions by strict F1, best first, and compare each with the best.

    Parameters
    ----------
    revisions : list of Revision
        At least one.
    baseline : Revision
        Whose parameters the others are told apart by.

    Raises
    ------
    DeliveryError
        When one of them has no score.
    """
    ranked = sorted(map(Candidate.of, revisions), key=lambda candidate: (-candidate.f1, candidate.revision.name))
    params = baseline.params()
    places = []
    for candidate in ranked:
        behind, note = _behind(candidate.revision, ranked[0].revision)
        changes = {
            key: value
            for key, value in candidate.revision.params().items()
            if key not in params or params[key] != value
        }
        places.append(Place(candidate, behind, note, changes))
    return places


def _behind(revision: Revision, best: Revision) -> tuple[Difference | None, str]:
    if revision is best:
        return None, BEST
    old, new = best.document_counts(), revision.document_counts()
    if old is None or new is None:
        return None, UNCOUNTED
    if set(old["document"]) != set(new["document"]):
        return None, OTHER
    difference = paired_difference(old, new)
    # The question is only whether it is worse: nothing here is better than the best.
    return difference, WORSE if difference.high < 0 else ALIKE


def table_of(places: Sequence[Place], baseline: Revision) -> Table:
    """Return the ranking as a table to print."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in ("F1", "95% interval", "vs. best", "95% interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("experiment", no_wrap=True)
    table.add_column("parameters")
    for place in places:
        candidate, behind = place.candidate, place.behind
        name = (
            f"{candidate.revision.name} (baseline)"
            if candidate.revision.sha == baseline.sha
            else candidate.revision.name
        )
        table.add_row(
            f"{candidate.f1:.4f}",
            f"{candidate.low:.4f}-{candidate.high:.4f}",
            f"{behind.difference:+.4f}" if behind else "",
            f"{behind.low:+.4f} to {behind.high:+.4f}" if behind else "",
            place.note,
            escape(name),
            escape(settings_text(place.changes)),
        )
    return table


def rank_experiments(names: Sequence[str], base: str, *, everything: bool = False, root: Path = Path()) -> None:
    """Print the ranking of experiments and their baseline."""
    from rich.console import Console

    baseline = find(base, root)
    if names:
        revisions = [find(name, root) for name in names]
    else:
        listed = [known.revision for known in experiments(root) if everything or known.baseline == baseline.sha]
        revisions = [revision for revision in listed if has_results(revision)]
    if not revisions:
        raise DeliveryError(
            f"{base} has no experiments: `dvc exp run` makes one; "
            "`python -m delivery.compare --all` shows those of other commits"
        )
    unique = {revision.sha: revision for revision in [*revisions, baseline]}
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200)
    places = rank(list(unique.values()), baseline)
    console.print(table_of(places, baseline))
    for note, meaning in LEGEND.items():
        if any(place.note == note for place in places):
            console.print(f"{note}  {meaning}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 printed, 2 wrong usage or nothing to compare."""
    parser = argparse.ArgumentParser(prog="python -m delivery.compare", description=(__doc__ or "").split(":")[0] + ".")
    parser.add_argument("names", nargs="*", help="experiments or commits; without: all experiments of --base")
    parser.add_argument("--base", default="HEAD", help="commit they were started from (default: HEAD)")
    parser.add_argument("--all", action="store_true", help="the experiments of all commits")
    options = parser.parse_args(arguments)
    return run_command("compare", lambda: rank_experiments(options.names, options.base, everything=options.all))


if __name__ == "__main__":
    sys.exit(main())
