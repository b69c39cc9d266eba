"""The data frames that the suites look at: the tables, each row looked up in the text it speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from stages.common.annotated import Annotated, labels_of
from stages.common.documents import Document, Mention
from stages.common.tags import spans_of
from stages.validate.leakage import copied_passages, fingerprint, near_duplicates, splits_of_pairs
from stages.validate.places import (
    SPAN,
    PlacedSpan,
    Placement,
    TokensOf,
    in_order,
    neighbours,
    numbered,
    placements,
    rows_of,
    tokenized,
    tokens_by_document,
    uncovered,
)
from stages.validate.sources import Source, Sources, annotated_by


@dataclass(frozen=True)
class Tables:
    """The tables of prepare, with the columns of stages/common/tables.py."""

    documents: pd.DataFrame
    tokens: pd.DataFrame
    mentions: pd.DataFrame


def content_frames(
    tables: Tables, labels: Sequence[str], *, near_duplicate: float, copied: float, sources: Sources
) -> dict[str, pd.DataFrame]:
    """Add to the tables what the content suites ask for.

    Parameters
    ----------
    tables : Tables
        Whose schemas have been found right.
    labels : sequence of str
        Those of the project.
    near_duplicate : float
        Jaccard similarity of word 3-grams from which two documents are one.
    copied : float
        Share of the shorter document's 3-grams in the longer from which one is copied from the other.
    sources : mapping of str to Source
        What each batch says of itself.

    Returns
    -------
    dict of str to DataFrame
        `documents`, `tokens`, `mentions` and `labels`, named as the assets of the suites.
    """
    spans = tagged_spans(tables.tokens)
    tokens = tokens_by_document(tables.tokens)
    placed = placements(tables.mentions, tokens)
    return {
        "documents": _documents(tables, tokens, near_duplicate, copied).assign(**_origin(tables.documents, sources)),
        "tokens": _tokens(tables, spans, placed),
        "mentions": _mentions(tables, spans, placed).assign(label_is_mapped=_mapped(tables, sources)),
        "labels": _labels(tables, labels, annotated_by(sources)),
    }


def _splits_by(documents: pd.DataFrame, keys: pd.Series) -> pd.Series:
    return documents.groupby(keys.to_numpy())["split"].transform("nunique")


def _documents(tables: Tables, tokens: dict[str, TokensOf], near_duplicate: float, copied: float) -> pd.DataFrame:
    documents = tables.documents
    rows = rows_of(documents, ("document", "text"))
    texts, splits = documents["text"].tolist(), documents["split"].tolist()
    counts = [len(tokens[name].starts) if name in tokens else 0 for name, _ in rows]
    gaps = [uncovered(text, tokens.get(name)) for name, text in rows]
    seconds = documents["seconds"]
    return documents.drop(columns=["text"]).assign(
        group_splits=_splits_by(documents, documents["group"]),
        context_splits=_splits_by(documents, documents["context"]),
        context_is_near=neighbours(documents),
        text_splits=_splits_by(documents, documents["text"].map(fingerprint)),
        near_splits=splits_of_pairs(near_duplicates(texts, near_duplicate, splits), splits),
        copied_splits=splits_of_pairs(copied_passages(texts, splits, copied), splits),
        tokens=counts,
        uncovered_at=pd.Series(gaps, index=documents.index, dtype="float64"),
        seconds_are_a_time=seconds.isna() | (np.isfinite(seconds) & (seconds > 0)),
    )


def _origin(documents: pd.DataFrame, sources: Sources) -> dict[str, list[bool]]:
    """Tell for each document whether its batch is one, is in its name, and has its split."""
    rows = rows_of(documents, ("document", "batch", "split"))
    known = [batch in sources and name.startswith(f"{batch}/") for name, batch, _ in rows]
    fixed = [sources[batch].split if batch in sources else None for _, batch, _ in rows]
    kept = [want in (None, split) for want, (_, _, split) in zip(fixed, rows, strict=True)]
    return {"batch_is_known": known, "split_is_kept": kept}


def _mapped(tables: Tables, sources: Sources) -> list[bool]:
    """Tell for each mention whether its batch gives its source label that meaning."""
    batches = dict(rows_of(tables.documents, ("document", "batch")))
    unknown = Source({})
    return [
        document not in batches or sources.get(batches[document], unknown).mapping.get(source_label) == label
        for document, source_label, label in rows_of(tables.mentions, ("document", "source_label", "label"))
    ]


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


def tagged_spans(tokens: pd.DataFrame) -> dict[tuple[str, int], PlacedSpan]:
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
    spans: dict[tuple[str, int], PlacedSpan] = {}
    for begin, stop in pairwise(borders):
        for first, last, label in spans_of(tags[begin:stop]):
            if tags[begin + first].startswith("B-"):
                key = documents[begin], starts[begin + first]
                spans[key] = (*key, ends[begin + last - 1], label)
    return spans


def _tokens(tables: Tables, spans: dict[tuple[str, int], PlacedSpan], placed: list[Placement]) -> pd.DataFrame:
    tokens = tables.tokens
    true_spans = {placement.tagged for placement in placed}
    begins = tokens["tag"].str.startswith("B-")
    keys = rows_of(tokens, ("document", "start"))
    is_mention = [not b or spans[key] in true_spans for b, key in zip(begins, keys, strict=True)]
    starts = _sentence_starts(tokens)
    number = starts.cumsum() - 1
    lengths = np.bincount(number, minlength=1)[number] if len(number) else np.zeros(0)
    texts = dict(rows_of(tables.documents, ("document", "text")))
    return _looked_up(tokens, tables.documents).assign(
        is_mention=is_mention,
        is_numbered=numbered(tokens, tables.documents["document"]),
        is_tokenized=pd.Series(tokenized(tokens, texts), index=tokens.index, dtype=object),
        sentence_tokens=np.where(starts, lengths, np.nan),
    )


def _mentions(tables: Tables, spans: dict[tuple[str, int], PlacedSpan], placed: list[Placement]) -> pd.DataFrame:
    mentions = tables.mentions
    tagged = set(spans.values())
    return _looked_up(mentions, tables.documents).assign(
        is_tagged=[placement.tagged is None or placement.tagged in tagged for placement in placed],
        alignment_is_right=[
            placement.aligned == aligned for placement, aligned in zip(placed, mentions["aligned"], strict=True)
        ],
        is_bare=[text == text.strip() for text in mentions["text"]],
        is_in_order=in_order(mentions, tables.documents["document"]),
    )


def mentions_by_split(tables: Tables, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the mentions of each split and label; labels that do not occur count 0."""
    splits = dict(zip(tables.documents["document"], tables.documents["split"], strict=True))
    split = tables.mentions["document"].map(splits)
    table = pd.crosstab(split, tables.mentions["label"])
    return {
        name: {label: int(table.get(label, pd.Series(dtype=int)).get(name, 0)) for label in labels}
        for name in ("train", "dev", "test")
    }


def documents_by_split(tables: Tables) -> dict[str, int]:
    """Count the documents of each split."""
    counts = tables.documents["split"].value_counts()
    return {name: int(counts.get(name, 0)) for name in ("train", "dev", "test")}


def _labels(tables: Tables, labels: Sequence[str], annotated: Annotated) -> pd.DataFrame:
    """Count each label where it was looked for; null where a share, or a number, would say nothing.

    `share` is of the mentions of documents in which the label and at least one other were looked for,
    `train` of the training split; null where no document was looked through for the label.
    """
    train = mentions_by_split(tables, labels)["train"]
    looked_for = [labels_of(document, annotated, labels) for document in tables.documents["document"]]
    counts = tables.mentions.groupby(["document", "label"]).size()
    marked = [label for label in labels if label in set(tables.mentions["label"])]
    by_label = {label: counts.xs(label, level="label") for label in marked}
    return pd.DataFrame(
        {
            "label": list(labels),
            "share": [_share(label, tables.documents["document"], looked_for, by_label) for label in labels],
            "train": [train[label] if any(label in some for some in looked_for) else np.nan for label in labels],
        }
    )


def _share(
    label: str, documents: Iterable[str], looked_for: Iterable[Sequence[str]], by_label: Mapping[str, pd.Series]
) -> float:
    pairs = zip(documents, looked_for, strict=True)
    judged = {document for document, labels in pairs if label in labels and len(labels) > 1}
    numbers = {name: int(counts[counts.index.isin(judged)].sum()) for name, counts in by_label.items()}
    total = sum(numbers.values())
    return numbers.get(label, 0) / max(1, total) if judged else np.nan


def as_documents(tables: Tables, annotated: Annotated, labels: Sequence[str]) -> list[Document]:
    """Rebuild the annotated documents, so that the annotation checks see what training will see.

    `annotated` names the labels that each batch looked for, `labels` those of the project.
    """
    marked: dict[str, list[Mention]] = {}
    for document, start, end, label in rows_of(tables.mentions, SPAN):
        marked.setdefault(document, []).append(Mention(start, end, label))
    sentences = _sentence_spans(tables.tokens)
    return [
        Document(
            identifier,
            text,
            tuple(sorted(marked.get(identifier, []))),
            tuple(sentences.get(identifier, [])),
            labels=tuple(labels_of(identifier, annotated, labels)),
        )
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
