"""What two revisions' counts by document, `metrics/documents.csv`, say beside the scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from stages.common.scoring import Counts

Presence = Literal["both", "new", "gone"]


@dataclass(frozen=True)
class ScoredDocuments:
    """The documents that both, or only one, of the revisions were scored on."""

    common: int
    only_old: int
    only_new: int
    annotated_anew: int
    """Common documents with another number of gold mentions."""
    scored_anew: int
    """Common documents with other counts."""

    @property
    def same(self) -> bool:
        """True when both revisions have the same documents with the same counts."""
        return not (self.only_old or self.only_new or self.scored_anew)


@dataclass(frozen=True)
class DocumentGroup:
    """Test documents that both revisions were scored on, or only the new one, or only the old one.

    Parameters
    ----------
    presence : {"both", "new", "gone"}
    names : tuple of str
        As in `metrics/documents.csv`.
    old, new : Counts or None
        Strict counts over the labels of both revisions (of the only one, where one has no counts); None where
        that revision was not scored on them.
    """

    presence: Presence
    names: tuple[str, ...]
    old: Counts | None
    new: Counts | None


@dataclass(frozen=True)
class NetChange:
    """Mentions of a label that documents gained and lost on balance; inside one document they cancel out."""

    label: str
    won: int
    lost: int
    alarms_gone: int
    alarms_new: int


def scored_documents(old: pd.DataFrame | None, new: pd.DataFrame | None) -> ScoredDocuments | None:
    """Return which documents both revisions were scored on, None where one of them has no counts by document."""
    if old is None or new is None:
        return None
    names = [set(table["document"]) for table in (old, new)]
    common = names[0] & names[1]
    before, after = (table.set_index(["document", "label"])[["tp", "fp", "fn"]] for table in (old, new))
    both = before.join(after, how="inner", lsuffix="_old", rsuffix="_new")
    annotated = both[both["tp_old"] + both["fn_old"] != both["tp_new"] + both["fn_new"]]
    before, after = before.align(after, fill_value=0)
    scored = before[(before != after).any(axis=1)]
    anew = (len(set(rows.index.get_level_values("document")) & common) for rows in (annotated, scored))
    return ScoredDocuments(len(common), len(names[0] - common), len(names[1] - common), *anew)


def are_renamed(old: pd.DataFrame | None, new: pd.DataFrame | None) -> bool:
    """Tell whether two tables of counts are the same, document by document, under names of which none is in both.

    That is as much as can be told without names: who calls it knows that the annotations are the same.
    """
    if old is None or new is None or old.empty or set(old["document"]) & set(new["document"]):
        return False
    return _without_names(old) == _without_names(new)


def _without_names(counts: pd.DataFrame) -> list[list[tuple[str, int, int, int]]]:
    """Return the rows of each document, and the documents, in the order of what they hold."""
    columns = ["label", "tp", "fp", "fn"]
    documents = counts.sort_values(columns).groupby("document")
    return sorted(list(rows[columns].itertuples(index=False, name=None)) for _, rows in documents)


def document_groups(old: pd.DataFrame | None, new: pd.DataFrame | None) -> tuple[DocumentGroup, ...]:
    """Part the test documents by who was scored on them: those in both, the new ones, those gone; none is empty."""
    tables = [table for table in (old, new) if table is not None]
    labels = set.intersection(*(set(table["label"]) for table in tables)) if tables else set()
    names = [set() if table is None else set(table["document"]) for table in (old, new)]
    parts: dict[Presence, set[str]] = {
        "both": names[0] & names[1],
        "new": names[1] - names[0],
        "gone": names[0] - names[1],
    }
    return tuple(
        DocumentGroup(
            presence,
            tuple(sorted(part)),
            None if presence == "new" else _summed(old, part, labels),
            None if presence == "gone" else _summed(new, part, labels),
        )
        for presence, part in parts.items()
        if part
    )


def _summed(table: pd.DataFrame | None, documents: set[str], labels: set[str]) -> Counts:
    assert table is not None  # a document that is in no table is in no group
    rows = table[table["document"].isin(documents) & table["label"].isin(labels)]
    return Counts(*(int(rows[column].sum()) for column in ("tp", "fp", "fn")))


def net_changes(old: pd.DataFrame | None, new: pd.DataFrame | None) -> Iterator[NetChange]:
    """Yield what each label of both revisions gained and lost over their common documents."""
    if old is None or new is None:
        return
    both = old.merge(new, on=["document", "label"], suffixes=("_old", "_new"))
    for label, rows in both.groupby("label", sort=True):
        hits = rows["tp_new"] - rows["tp_old"]
        alarms = rows["fp_new"] - rows["fp_old"]
        sums = [int(side.clip(lower=0).sum()) for side in (hits, -hits, -alarms, alarms)]
        yield NetChange(str(label), *sums)
