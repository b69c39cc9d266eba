"""What a comparison is over, where the two revisions were not scored on the same test documents."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.changes.changes import Changes
from delivery.changes.documents import DocumentGroup, Presence
from delivery.rendering.markdown import details, listed, table
from delivery.rendering.tables import number_text
from stages.common.scoring import Counts

_TITLES: Mapping[Presence, str] = {"both": "in both", "new": "new", "gone": "gone"}
_MOST_NAMES = 200


def compared(changes: Changes) -> str:
    """Return which test documents are in both revisions and which in one, and why the verdict is over those in both.

    Empty where both were scored on the same documents, and where nothing is compared.
    """
    if changes.outcome in ("gate failed", "not judged", "first result", "no interval") or len(changes.groups) < 2:
        return ""
    both = changes.group("both")
    columns = ["test documents", "documents", "annotated mentions", "F1 old", "F1 new"]
    rows = [_row(group) for group in changes.groups]
    why = (
        "The verdict and its interval are over the documents in both: only there did both models read the same notes. "
        "Over all of them, harder or easier notes would pass for a worse or a better model."
        if both
        else "No document is in both, so that harder or easier notes may pass for a worse or a better model."
    )
    # Where none is in both, all are new or gone: their names would tell nothing.
    names = [
        f"{_TITLES[group.presence].capitalize()}: {listed(group.names, _MOST_NAMES)}"
        for group in changes.groups
        if both and group.presence != "both"
    ]
    parts = ["### What is compared with what", table(columns, rows, right=[1, 2, 3, 4]), why]
    if names:
        parts.append(details("Which test documents, by their names in metrics/documents.csv", "\n\n".join(names)))
    return "\n\n".join(parts)


def _row(group: DocumentGroup) -> list[str]:
    annotated = {f"{side.tp + side.fn:,}": None for side in (group.old, group.new) if side is not None}
    return [
        _TITLES[group.presence],
        f"{len(group.names):,}",
        " → ".join(annotated),
        *(_f1(side) for side in (group.old, group.new)),
    ]


def _f1(side: Counts | None) -> str:
    return number_text(None if side is None else round(side.f1, 4))
