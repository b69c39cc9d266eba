"""Which documents there must be, in which split, and what git may call them: prepare's own rules, applied once more.

What stands in the tables may be right in itself and still not be what those rules give: a test set that lost its
hardest notes together with their count, notes that were counted into the group of a training note, names that tell.
"""

from __future__ import annotations

from stages.common.wording import agreeing
from stages.prepare.params import PrepareParams
from stages.prepare.splits import assign
from stages.validate.findings import Finding, finding
from stages.validate.frames import Tables
from stages.validate.originals import PREPARE_AGAIN
from stages.validate.places import rows_of
from stages.validate.sources import Sources


def check_assignment(tables: Tables, sources: Sources, params: PrepareParams) -> list[Finding]:
    """Assign the documents of the exports anew, and compare which are there, their groups and their splits."""
    documents = {name: document for source in sources.values() for name, document in source.documents.items()}
    fixed = [source.split for source in sources.values() for _ in source.documents]
    texts = (document.text for document in documents.values())
    assigned = dict(zip(documents, assign(zip(texts, fixed, strict=True), params), strict=True))
    rows = {name: place for name, *place in rows_of(tables.documents, ("document", "group", "split"))}
    odd = [name for name, given in assigned.items() if (given.split is None) == (name in rows)]
    moved = [
        name
        for name, given in assigned.items()
        if given.split is not None and rows.get(name, [given.group, given.split]) != [given.group, given.split]
    ]
    told = (
        ("documents_left_out", odd, "document/documents is/are left out and belongs/belong to a split, or the reverse"),
        (
            "split_or_group",
            moved,
            "document/documents stands/stand in another split or group than its/their order and content give",
        ),
    )
    return _findings(told)


def check_names(tables: Tables, sources: Sources) -> list[Finding]:
    """Make the public name of every document anew from the key of its batch: git gets no other."""
    wrong = []
    for document, batch, name in rows_of(tables.documents, ("document", "batch", "public_name")):
        make = sources[batch].public_name if batch in sources else None
        if make is not None and name != make(document.removeprefix(f"{batch}/")):
            wrong.append(document)
    told = (
        (
            "public_name_by_key",
            wrong,
            "document/documents would go into git under another name than its/their batch's key makes",
        ),
    )
    return _findings(told)


def _findings(told: tuple[tuple[str, list[str], str], ...]) -> list[Finding]:
    return [
        finding(check, "error", len(names), f"{agreeing(len(names), what)}. {PREPARE_AGAIN}.", names)
        for check, names, what in told
        if names
    ]
