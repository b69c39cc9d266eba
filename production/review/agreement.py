"""How far two people who read the same notes agree, by the measures of `annotation.agreement`."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from annotation.agreement.disputes import Stretch, stretches_of
from annotation.agreement.panel import Panel, panel_of
from annotation.agreement.scores import ALL, Figure, agreement
from production.review.exporting import double_readings
from stages.common.documents import Document

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Agreed(NamedTuple):
    """Who read the same notes, how far they agree, and where not."""

    panel: Panel
    scores: dict[str, Any]
    stretches: list[Stretch]

    @property
    def strict(self) -> Figure:
        """Return the mean strict F1 over pairs of people and all labels."""
        figure: Figure = self.scores[ALL]["strict"]["mean"]
        return figure

    @property
    def disputes(self) -> list[Stretch]:
        """Return the places that they marked differently."""
        return [stretch for stretch in self.stretches if stretch.disputed]


def agreement_of(engine: Engine, key: str, *, resamples: int, seed: int) -> Agreed | None:
    """Compare what was handed in, before any correction; None where no note was read twice.

    Parameters
    ----------
    engine : Engine
    key : str
        Of the documents' names.
    resamples, seed : int
        Of the bootstrap.
    """
    documents: dict[str, dict[str, Document]] = defaultdict(dict)
    for one in double_readings(engine, key):
        documents[one.document.id][one.reviewer] = one.document
    if not documents:
        return None
    panel = panel_of(documents)
    stretches = [stretch for versions in panel.shared.values() for stretch in stretches_of(versions)]
    return Agreed(panel, agreement(panel, resamples=resamples, seed=seed), stretches)
