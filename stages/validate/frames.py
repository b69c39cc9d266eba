"""The data frames that the suites look at: the tables, each row looked up in the text it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from stages.common.documents import Document, Mention
from stages.common.tags import LABELS, spans_of
from stages.validate.leakage import copied_passages, fingerprint, near_duplicates, splits_of_pairs

Span = tuple[str, int, int, str]
SPAN = ("document", "start", "end", "label")


@dataclass(frozen=True)
class Tables:
    """The tables of prepare, with the columns of stages/common/tables.py."""

    documents: pd.DataFrame
    tokens: pd.DataFrame
    mentions: pd.DataFrame


def content_frames(tables: Tables, *, near_duplicate: float, copied: float) -> dict[str, pd.DataFrame]:
    """Add to the tables what the content suites ask for.

    Parameters
    ----------
    tables : Tables
        Whose schemas have been found right.
    near_duplicate : float
        Jaccard similarity of word 3-grams from which two documents are one.
    copied : float
        Share of the shorter document's 3-grams in the longer from which one is copied from the other.

    Returns
    -------
    dict of str to DataFrame
        `documents`, `tokens`, `mentions` and `labels`, named as the assets of the suites.
    """
    spans = tagged_spans(tables.tokens)
    return {
        "documents": _documents(tables, near_duplicate, copied),
        "tokens": _tokens(tables, spans),
        "mentions": _mentions(tables, spans),
        "labels": _labels(tables),
    }


def _splits_by(documents: pd.DataFrame, keys: pd.Series) -> pd.Series:
    return documents.groupby(keys.to_numpy())["split"].transform("nunique")


def _documents(tables: Tables, near_duplicate: float, copied: float) -> pd.DataFrame:
    documents = tables.documents
    texts, splits = documents["text"].tolist(), documents["split"].tolist()
    counts = tables.tokens["document"].value_counts()
    return documents.drop(columns=["text"]).assign(
        group_splits=_splits_by(documents, documents["group"]),
        text_splits=_splits_by(documents, documents["text"].map(fingerprint)),
        near_splits=splits_of_pairs(near_duplicates(texts, near_duplicate, splits), splits),
        copied_splits=splits_of_pairs(copied_passages(texts, splits, copied), splits),
        tokens=documents["document"].map(counts).fillna(0).astype(int),
    )


def _looked_up(rows: pd.DataFrame, documents: pd.DataFrame) -> pd.DataFrame:
    """Replace `text` by whether it stands at its offsets; unknown (null) where the offsets are not in the text."""
    texts = dict(zip(documents["document"], documents["text"], strict=True))
    characters: list[float] = []
    there: list[bool | None] = []
    for document, start, end, text in zip(rows["document"], rows["start"], rows["end"], rows["text"], strict=True):
        whole = texts.get(document)
        characters.append(np.nan if whole is None else len(whole))
        there.append(whole[start:end] == text if whole is not None and 0 <= start < end <= len(whole) else None)
    return rows.drop(columns=["text"]).assign(
        characters=characters, text_is_there=pd.Series(there, index=rows.index, dtype=object)
    )


def _sentence_starts(tokens: pd.DataFrame) -> np.ndarray:
    document, sentence = tokens["document"], tokens["sentence"]
    return ((document != document.shift()) | (sentence != sentence.shift())).to_numpy()


def tagged_spans(tokens: pd.DataFrame) -> dict[tuple[str, int], Span]:
    """Decode the tags sentence by sentence, in the order of the rows.

    Returns
    -------
    dict
        (document, start) to (document, start, end, label) for each span that a B tag opens; a
        span without one is the business of `tokens.tags_are_iob2`.
    """
    documents, tags = tokens["document"].tolist(), tokens["tag"].tolist()
    starts, ends = tokens["start"].tolist(), tokens["end"].tolist()
    borders = [*np.flatnonzero(_sentence_starts(tokens)).tolist(), len(tags)]
    spans: dict[tuple[str, int], Span] = {}
    for begin, stop in pairwise(borders):
        for first, last, label in spans_of(tags[begin:stop]):
            if tags[begin + first].startswith("B-"):
                key = documents[begin], starts[begin + first]
                spans[key] = (*key, ends[begin + last - 1], label)
    return spans


def _rows(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple]:
    return list(zip(*(frame[column].tolist() for column in columns), strict=True))


def _spans_of_mentions(mentions: pd.DataFrame, spans: dict[tuple[str, int], Span]) -> set[tuple[str, int]]:
    """Return the keys of the spans that are an aligned mention, or the tokens that an unaligned one touches."""
    aligned = set(_rows(mentions[mentions["aligned"]], SPAN))
    unaligned: dict[str, list[Span]] = {}
    for row in _rows(mentions[~mentions["aligned"]], SPAN):
        unaligned.setdefault(row[0], []).append(row)

    def touches(span: Span) -> bool:
        document, start, end, label = span
        return any(
            label == other and first < end and start < last for _, first, last, other in unaligned.get(document, [])
        )

    return {key for key, span in spans.items() if span in aligned or touches(span)}


def _tokens(tables: Tables, spans: dict[tuple[str, int], Span]) -> pd.DataFrame:
    begins = tables.tokens["tag"].str.startswith("B-")
    keys = _rows(tables.tokens, ("document", "start"))
    true_spans = _spans_of_mentions(tables.mentions, spans)
    is_mention = [not b or key in true_spans for b, key in zip(begins, keys, strict=True)]
    starts = _sentence_starts(tables.tokens)
    number = starts.cumsum() - 1
    lengths = np.bincount(number, minlength=1)[number] if len(number) else np.zeros(0)
    return _looked_up(tables.tokens, tables.documents).assign(
        is_mention=is_mention, sentence_tokens=np.where(starts, lengths, np.nan)
    )


def _mentions(tables: Tables, spans: dict[tuple[str, int], Span]) -> pd.DataFrame:
    found = set(spans.values())
    rows = _rows(tables.mentions, SPAN)
    is_tagged = [not aligned or row in found for aligned, row in zip(tables.mentions["aligned"], rows, strict=True)]
    return _looked_up(tables.mentions, tables.documents).assign(is_tagged=is_tagged)


def mentions_by_split(tables: Tables) -> dict[str, dict[str, int]]:
    """Count the mentions of each split and label; labels that do not occur count 0."""
    splits = dict(zip(tables.documents["document"], tables.documents["split"], strict=True))
    split = tables.mentions["document"].map(splits)
    table = pd.crosstab(split, tables.mentions["label"])
    return {
        name: {label: int(table.get(label, pd.Series(dtype=int)).get(name, 0)) for label in LABELS}
        for name in ("train", "dev", "test")
    }


def documents_by_split(tables: Tables) -> dict[str, int]:
    """Count the documents of each split."""
    counts = tables.documents["split"].value_counts()
    return {name: int(counts.get(name, 0)) for name in ("train", "dev", "test")}


def _labels(tables: Tables) -> pd.DataFrame:
    counts = tables.mentions["label"].value_counts()
    total = max(1, sum(int(counts.get(label, 0)) for label in LABELS))
    train = mentions_by_split(tables)["train"]
    return pd.DataFrame(
        [{"label": label, "share": int(counts.get(label, 0)) / total, "train": train[label]} for label in LABELS]
    )


def as_documents(tables: Tables) -> list[Document]:
    """Rebuild the annotated documents, so that the annotation checks see what training will see."""
    marked: dict[str, list[Mention]] = {}
    for document, start, end, label in _rows(tables.mentions, SPAN):
        marked.setdefault(document, []).append(Mention(start, end, label))
    sentences = _sentence_spans(tables.tokens)
    return [
        Document(identifier, text, tuple(sorted(marked.get(identifier, []))), tuple(sentences.get(identifier, [])))
        for identifier, text in zip(tables.documents["document"], tables.documents["text"], strict=True)
    ]


def _sentence_spans(tokens: pd.DataFrame) -> dict[str, list[tuple[int, int]]]:
    borders = np.flatnonzero(_sentence_starts(tokens))
    lasts = np.append(borders[1:], len(tokens)) - 1
    spans: dict[str, list[tuple[int, int]]] = {}
    columns = (tokens["document"].iloc[borders], tokens["start"].iloc[borders], tokens["end"].iloc[lasts])
    for document, start, end in zip(*(column.tolist() for column in columns), strict=True):
        spans.setdefault(document, []).append((start, end))
    return spans
