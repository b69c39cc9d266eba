"""The tables against the exports that they were made of, and the splits against the rule that gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from stages.common.documents import METADATA, Document
from stages.common.wording import agreeing
from stages.prepare.duplicates import content_hash
from stages.prepare.params import PrepareParams
from stages.prepare.segmentation import segment
from stages.prepare.splits import split_of
from stages.validate.findings import Finding, finding
from stages.validate.frames import Tables
from stages.validate.places import rows_of
from stages.validate.sources import Sources

Rows = Mapping[str, list[tuple]]

PREPARE_AGAIN = "Run `dvc repro --force prepare`; should it stay so, mend stages/prepare"


@dataclass(frozen=True)
class _Prepared:
    """What the tables say of one document."""

    row: dict[str, Any]
    mentions: list[tuple[int, int, str]]
    sentences: list[int]  # where they start


def check_originals(tables: Tables, sources: Sources, report: Mapping[str, Any]) -> list[Finding]:
    """Compare every document with its export: text, mentions, what is known of it, and its sentences.

    What was changed in all tables alike, a label with its tags or a text with its tokens, shows here only.
    Documents of unknown batches are the business of `documents.batch_is_known`.
    """
    originals = {name: original for source in sources.values() for name, original in source.documents.items()}
    prepared_of = {name: prepared for name, prepared in _by_document(tables) if name.split("/")[0] in sources}
    both = [(prepared, originals[name]) for name, prepared in prepared_of.items() if name in originals]
    return [entry for entry in (_unknown(prepared_of, originals), _lost(prepared_of, originals, report)) if entry] + [
        finding(check, "error", len(places), f"{agreeing(len(places), what)}. {PREPARE_AGAIN}.", places)
        for check, what, differs in _COMPARISONS
        if (places := [place for pair in both if (place := differs(*pair)) is not None])
    ]


def _by_document(tables: Tables) -> Iterator[tuple[str, _Prepared]]:
    mentions = _grouped(tables.mentions, ("start", "end", "source_label"))
    firsts = tables.tokens[tables.tokens["token"] == 0]
    sentences = _grouped(firsts, ("start",))
    columns = tables.documents.columns.tolist()
    for values in rows_of(tables.documents, columns):
        row = dict(zip(columns, values, strict=True))
        name = row["document"]
        starts = [start for (start,) in sentences.get(name, [])]
        yield name, _Prepared(row, mentions.get(name, []), starts)


def _grouped(frame: pd.DataFrame, columns: tuple[str, ...]) -> Rows:
    grouped: dict[str, list[tuple]] = {}
    for document, *values in rows_of(frame, ("document", *columns)):
        grouped.setdefault(document, []).append(tuple(values))
    return grouped


def _unknown(prepared_of: Mapping[str, _Prepared], originals: Mapping[str, Document]) -> Finding | None:
    names = [name for name in prepared_of if name not in originals]
    if not names:
        return None
    summary = f"{agreeing(len(names), 'document/documents is/are in no export')}. {PREPARE_AGAIN}."
    return finding("document_in_no_export", "error", len(names), summary, names)


def _lost(
    prepared_of: Mapping[str, _Prepared], originals: Mapping[str, Document], report: Mapping[str, Any]
) -> Finding | None:
    """Compare how many are gone with how many prepare left out, because they repeat two splits."""
    gone, said = [name for name in originals if name not in prepared_of], report.get("left_out")
    if type(said) is int and said == len(gone):
        return None
    number = said if type(said) is int else "no number"
    lost = agreeing(len(gone), "annotated document/documents is/are not in the tables")
    summary = f"{lost}; {number} reported as left out. {PREPARE_AGAIN}."
    return finding("documents_lost", "error", max(1, len(gone)), summary, gone)


def _other_text(prepared: _Prepared, original: Document) -> str | None:
    text = prepared.row["text"]
    if text == original.text:
        return None
    same = zip(text, original.text, strict=False)
    offset = next((place for place, (one, other) in enumerate(same) if one != other), None)
    return _at(prepared, min(len(text), len(original.text)) if offset is None else offset)


def _other_mentions(prepared: _Prepared, original: Document) -> str | None:
    marked = {(mention.start, mention.end, mention.label) for mention in original.mentions}
    odd = marked ^ set(prepared.mentions)
    return _at(prepared, min(odd)[0]) if odd else None


def _other_facts(prepared: _Prepared, original: Document) -> str | None:
    facts = {**dict.fromkeys(METADATA), **original.metadata, "seconds": original.seconds}
    same = all(_known(prepared.row[key]) == _known(value) for key, value in facts.items())
    return None if same else prepared.row["document"]


def _known(value: Any) -> Any:
    return None if pd.isna(value) else value


def _other_sentences(prepared: _Prepared, original: Document) -> str | None:
    starts = [tokens[0].start for tokens in segment(original.text, original.sentences)]
    odd = set(prepared.sentences) ^ set(starts)
    return _at(prepared, min(odd)) if odd else None


def _at(prepared: _Prepared, offset: int) -> str:
    return f"{prepared.row['document']} at {offset}"


_COMPARISONS: tuple[tuple[str, str, Callable[[_Prepared, Document], str | None]], ...] = (
    ("text_of_the_export", "document/documents has/have another text than in its/their export", _other_text),
    ("mentions_of_the_export", "document/documents has/have other mentions than in its/their export", _other_mentions),
    (
        "metadata_of_the_export",
        "document/documents has/have other metadata, or another time, than in its/their export",
        _other_facts,
    ),
    (
        "sentences_of_the_text",
        "document/documents is/are cut into other sentences than production would",
        _other_sentences,
    ),
)


def check_splits(tables: Tables, sources: Sources, params: PrepareParams) -> list[Finding]:
    """Find groups that no document founds, and founders that stand in another split than their content gives.

    A group has the hash of its first document's words; the hash decides the split, unless the batch does.
    """
    unfounded, moved, seen = [], [], set()
    columns = ("document", "batch", "group", "split", "text")
    for document, batch, group, split, text in rows_of(tables.documents, columns):
        if group in seen:
            continue
        seen.add(group)
        fixed = batch in sources and sources[batch].split is not None
        if content_hash(text) != group:
            unfounded.append(document)
        elif not fixed and split != split_of(group, params):
            moved.append(document)
    told = (
        (
            "group_without_founder",
            unfounded,
            "group/groups is/are not named after the content of its/their first document",
        ),
        (
            "split_not_by_content",
            moved,
            "document/documents stands/stand in another split than the hash of its/their content gives",
        ),
    )
    return [
        finding(check, "error", len(names), f"{agreeing(len(names), what)}. {PREPARE_AGAIN}.", names)
        for check, names, what in told
        if names
    ]
