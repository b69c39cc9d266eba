"""Which split a document belongs to: decided by its content, and never again.

Documents are taken in the order in which their batches were added. A document without an earlier
duplicate founds a group; the hash of its content decides the group's split. A later duplicate
joins the group, so that a new batch can move nothing that was there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from stages.common.params import PrepareParams
from stages.prepare.duplicates import DuplicateIndex, content_hash

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Assignment:
    """Where a document stands; `split` is None for one that repeats documents of two splits."""

    group: str
    split: str | None
    duplicate: bool


def split_of(group: str, params: PrepareParams) -> str:
    """Return the split of a group by the hash of its key, uniform in [0, 1)."""
    place = int(sha256(f"{params.salt}/{group}".encode()).hexdigest()[:12], 16) / 16**12
    return "test" if place < params.test else "dev" if place < params.test + params.dev else "train"


def assign(texts: Iterable[tuple[str, str | None]], params: PrepareParams) -> list[Assignment]:
    """Assign documents to groups and splits.

    Parameters
    ----------
    texts : iterable of (text, fixed split or None)
        In the order in which the documents were added. A fixed split is respected as it stands.
    params : PrepareParams

    Returns
    -------
    list of Assignment
        One per document. What stands at a place depends on the documents before it only.
    """
    index = DuplicateIndex(params.near_duplicate)
    assigned: list[Assignment] = []
    standing: list[set[str]] = []  # splits in which a document, or an exact repeat of it, stands
    for text, fixed in texts:
        earlier = index.add(text)
        group = assigned[earlier[0]].group if earlier else content_hash(text)
        splits = sorted(set().union(*(standing[number] for number in earlier)))
        split: str | None = fixed
        if fixed is None:
            split = (splits[0] if len(splits) == 1 else None) if earlier else split_of(group, params)
        assigned.append(Assignment(group, split, bool(earlier)))
        own = {split} if split else set()
        standing.append(own)
        for number in earlier:
            standing[number] |= own
    return assigned
