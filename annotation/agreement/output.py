"""Agreement for the screen and for JSON: figures and offsets, never text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from annotation.agreement.disputes import Stretch
from annotation.agreement.panel import Panel
from annotation.agreement.scores import MEASURES, Figure
from stages.common.wording import counted


def lines_of(
    panel: Panel, scores: dict[str, Any], stretches: Sequence[Stretch], disputes: Sequence[Stretch], show: int
) -> list[str]:
    """Return the report, line by line.

    Parameters
    ----------
    panel : Panel
    scores : dict
        From `annotation.agreement.scores.agreement`.
    stretches, disputes : sequence of Stretch
        All, and those that a person has to decide.
    show : int
        How many disputes to list.
    """
    alone = len(panel.documents) - len(panel.shared)
    more = f", {alone} more of one annotator" if alone else ""
    lines = [
        f"{counted(len(panel.annotators), 'annotator')}, {counted(len(panel.shared), 'note')} of two or more{more}",
        "",
    ]
    lines.append(f"{'mean over pairs':24}{'strict F1':26}{'lenient F1':26}{'kappa on tokens'}")
    lines += [f"{label:24}{_row(measures, 'mean')}" for label, measures in scores.items()]
    pairs = list(scores["all"]["strict"]["pairs"])
    if len(pairs) > 1:
        lines += ["", "pairs, all labels", *(f"{pair[:23]:24}{_row(scores['all'], pair)}" for pair in pairs)]
    return [*lines, "", *_disputed(stretches, disputes, show)]


def _row(measures: dict[str, Any], pair: str) -> str:
    figures = (measures[name]["mean"] if pair == "mean" else measures[name]["pairs"][pair] for name in MEASURES)
    return "".join(f"{_shown(figure):26}" for figure in figures).rstrip()


def _shown(figure: Figure) -> str:
    return "-" if figure.value is None else f"{figure.value:.4f} ({figure.low:.4f}-{figure.high:.4f})"


def _disputed(stretches: Sequence[Stretch], disputes: Sequence[Stretch], show: int) -> list[str]:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(Counter(s.kind for s in disputes).items()))
    settled = sum(stretch.disputed for stretch in stretches) - len(disputes)
    by_majority = f", {settled} settled by the majority" if settled else ""
    lines = [
        f"{len(stretches)} places marked, {len(disputes)} to adjudicate{by_majority}" + (f": {kinds}" if kinds else "")
    ]
    for dispute in disputes[:show]:
        sides = " / ".join(
            f"{', '.join(annotators)}: {' + '.join(f'{m.label} {m.start}-{m.end}' for m in version) or 'nothing'}"
            for version, annotators in dispute.versions.items()
        )
        lines.append(f"  {dispute.document}  {dispute.start}-{dispute.end}  {dispute.kind}  {sides}")
    if len(disputes) > show:
        lines.append(f"  … and {len(disputes) - show} more: --disagreements FILE lists all, with their text")
    return lines


def as_json(
    panel: Panel, scores: dict[str, Any], stretches: Sequence[Stretch], disputes: Sequence[Stretch]
) -> dict[str, Any]:
    """Return the figures as JSON types."""
    named = {
        label: {
            measure: {
                "mean": figures["mean"]._asdict(),
                "pairs": {pair: figure._asdict() for pair, figure in figures["pairs"].items()},
            }
            for measure, figures in measures.items()
        }
        for label, measures in scores.items()
    }
    return {
        "annotators": list(panel.annotators),
        "documents": len(panel.documents),
        "shared_documents": len(panel.shared),
        "agreement": named,
        "places_marked": len(stretches),
        "places_disputed": sum(stretch.disputed for stretch in stretches),
        "to_adjudicate": dict(sorted(Counter(dispute.kind for dispute in disputes).items())),
    }
