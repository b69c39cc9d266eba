"""Which mentions one run finds and the other does not. Holds clinical text: never for git or a log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from delivery.revision.dvc_files import DOCUMENTS, MENTIONS, PREDICTIONS, DvcFiles

SPAN = ["document", "start", "end", "label"]
KINDS = ("won", "lost", "alarm gone", "new alarm")
_AROUND = 40  # characters of context on each side


@dataclass(frozen=True)
class MentionChanges:
    """Mentions of the common test documents on which two runs disagree.

    Parameters
    ----------
    rows : DataFrame
        Columns ``kind`` (one of `KINDS`), ``document``, ``start``, ``end``, ``label``, ``text``,
        ``before``, ``after`` (the characters around); in order of kind, document and offset. Won: a
        gold mention that only the new run finds exactly. An alarm: a prediction that is no gold
        mention exactly, a wrong boundary among them.
    """

    rows: pd.DataFrame

    def count(self, label: str, kind: str) -> int:
        """Count the mentions of a label and kind."""
        return int(((self.rows["label"] == label) & (self.rows["kind"] == kind)).sum())

    def without(self, labels: Iterable[str]) -> MentionChanges:
        """Leave labels out, such as those that one of the runs does not look for."""
        return MentionChanges(self.rows[~self.rows["label"].isin(list(labels))])


def mention_changes(old: DvcFiles, new: DvcFiles) -> MentionChanges:
    """Compare the predictions of two revisions, mention by mention.

    Raises
    ------
    NotReadableError
        When the data of one of them cannot be had here.
    """
    texts = [side.table(DOCUMENTS, ["document", "split", "text"]) for side in (old, new)]
    tests = [set(table.loc[table["split"] == "test", "document"]) for table in texts]
    gold, predicted = (
        [_spans(side.table(path, SPAN), tests[0] & tests[1]) for side in (old, new)] for path in (MENTIONS, PREDICTIONS)
    )
    both = gold[0] & gold[1]
    spans = {
        "won": (predicted[1] - predicted[0]) & both,
        "lost": (predicted[0] - predicted[1]) & both,
        "alarm gone": predicted[0] - predicted[1] - gold[0] - gold[1],
        "new alarm": predicted[1] - predicted[0] - gold[0] - gold[1],
    }
    text_of = dict(zip(texts[1]["document"], texts[1]["text"], strict=True))
    rows = [(kind, *span, *_shown(text_of[span[0]], *span[1:3])) for kind in KINDS for span in sorted(spans[kind])]
    return MentionChanges(pd.DataFrame(rows, columns=["kind", *SPAN, "text", "before", "after"]))


def _spans(table: pd.DataFrame, documents: set[str]) -> set[tuple]:
    rows = table[table["document"].isin(documents)]
    return set(rows[SPAN].itertuples(index=False, name=None))


def _shown(text: str, start: int, end: int) -> tuple[str, str, str]:
    return text[start:end], text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
