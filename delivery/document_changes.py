"""What two revisions' counts by document, `metrics/documents.csv`, say beside the scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd


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


def net_changes(old: pd.DataFrame | None, new: pd.DataFrame | None) -> Iterator[NetChange]:
    """Yield what each label of both revisions gained and lost over their common documents."""
    if old is None or new is None:
        return
    both = old.merge(new, on=["document", "label"], suffixes=("_old", "_new"))
    for label, rows in both.groupby("label", sort=True):
        found = rows["tp_new"] - rows["tp_old"]
        alarms = rows["fp_new"] - rows["fp_old"]
        sums = [int(side.clip(lower=0).sum()) for side in (found, -found, -alarms, alarms)]
        yield NetChange(str(label), *sums)
