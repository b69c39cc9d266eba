"""Which split a document belongs to: decided by its content, and never again.

Documents are taken in the order in which their batches were added. A document without an earlier
duplicate founds a group; the hash of its content decides the group's split. A later duplicate
joins the group, so that a new batch can move nothing that was there before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from stages.prepare.duplicates import DuplicateIndex
from stages.prepare.params import PrepareParams

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
    index = DuplicateIndex(params.near_duplicate, params.copied)
    groups: list[str] = []
    assigned: list[Assignment] = []
    for text, fixed in texts:
        fingerprint = index.read(text)
        earlier = index.earlier(fingerprint)
        split = fixed or _split_of_repeat(earlier) if earlier else fixed or split_of(fingerprint.key, params)
        # A group stays in one split where that can be; a fixed split shows that it cannot.
        founder = earlier[split] if fixed is None and split in earlier else min(earlier.values(), default=None)
        groups.append(fingerprint.key if founder is None else groups[founder])
        assigned.append(Assignment(groups[-1], split, bool(earlier)))
        index.put(fingerprint, split)
    return assigned


def _split_of_repeat(earlier: Mapping[str | None, int]) -> str | None:
    """Return the one split in which the earlier documents stand; None for several, or where they were left out."""
    splits = [split for split in earlier if split is not None]
    return splits[0] if len(splits) == 1 else None
