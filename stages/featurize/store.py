"""The columnar store between featurize and the stages that learn and score: one Parquet file a split."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.common.files import replacing
from stages.common.tables import FEATURES
from stages.common.tags import TokenSpan, spans_of
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.terminology import CATEGORIES
from stages.featurize.attributes.tokens import SparseTokens, Surface

Sentence = tuple[str, int, list[str], list[str]]
"""Document, number in it, token texts, IOB2 tags."""

_BATCH = 50_000  # tokens in hand at a time
_BUFFER = 1 << 20  # bytes of each column; without a buffer, row groups are read as a whole


@dataclass(frozen=True)
class Context:
    """Neighbouring sentences of one split through which abbreviations carry over.

    Parameters
    ----------
    documents : list of str
        Document of each sentence.
    numbers : list of int
        Number of each sentence in its document.
    sentences : list of list of str
        Token texts.
    tags : list of list of str
        IOB2 tags.
    """

    documents: list[str]
    numbers: list[int]
    sentences: list[list[str]]
    tags: list[list[str]]


@dataclass(frozen=True)
class FeatureTable:
    """Attributes and gold mentions of a split.

    Parameters
    ----------
    tokens : SparseTokens
    spans : list of list of TokenSpan
        Gold mentions by sentence.
    documents : list of str
        Document of each sentence.
    """

    tokens: SparseTokens
    spans: list[list[TokenSpan]]
    documents: list[str]

    def of_documents(self, names: Iterable[str]) -> FeatureTable:
        """Return the part that belongs to the chosen documents, in the same order."""
        wanted = set(names)
        kept = [s for s, document in enumerate(self.documents) if document in wanted]
        tokens = self.tokens.take(np.array(kept, dtype=np.int64))
        return FeatureTable(tokens, [self.spans[s] for s in kept], [self.documents[s] for s in kept])


@dataclass(frozen=True)
class SplitSentences:
    """The sentences of each context of a split, read anew from the disk whenever one walks through them."""

    prepared: Path
    split: str

    def __iter__(self) -> Iterator[list[list[str]]]:
        """Walk through the contexts as `read_contexts` does."""
        return (context.sentences for context in read_contexts(self.prepared, self.split))


def read_contexts(prepared: Path, split: str) -> Iterator[Context]:
    """Walk through the contexts of a split, in order; memory grows with the context, not with the split."""
    documents = pq.read_table(
        prepared / "documents.parquet", columns=["document", "context"], filters=[("split", "=", split)]
    ).to_pydict()
    context_of = dict(zip(documents["document"], documents["context"], strict=True))
    sentences = _sentences(prepared / "tokens.parquet", context_of.keys())
    for _, group in groupby(sentences, key=lambda sentence: context_of[sentence[0]]):
        part = list(group)
        yield Context(*(list(column) for column in zip(*part, strict=True)))


def _sentences(path: Path, documents: Collection[str]) -> Iterator[Sentence]:
    """Read sentences batch by batch; the last of each batch may go on in the next."""
    wanted = pa.array(documents, pa.string())
    open_: Sentence | None = None
    file = pq.ParquetFile(path, buffer_size=_BUFFER)
    for batch in file.iter_batches(_BATCH, columns=["document", "sentence", "text", "tag"]):
        for sentence in _sentences_of(batch.filter(pc.is_in(batch["document"], value_set=wanted))):
            if open_ is not None and open_[:2] == sentence[:2]:
                open_ = (*open_[:2], open_[2] + sentence[2], open_[3] + sentence[3])
                continue
            if open_ is not None:
                yield open_
            open_ = sentence
    if open_ is not None:
        yield open_


def _sentences_of(batch: pa.RecordBatch) -> Iterator[Sentence]:
    if not len(batch):
        return
    documents, numbers, texts, tags = (column.to_pylist() for column in batch.columns)
    texts, tags = [sys.intern(text) for text in texts], [sys.intern(tag) for tag in tags]
    places = list(zip(documents, numbers, strict=True))
    bounds = [0, *(i for i in range(1, len(places)) if places[i] != places[i - 1]), len(places)]
    for first, end in pairwise(bounds):
        yield documents[first], numbers[first], texts[first:end], tags[first:end]


def write_features(path: Path, contexts: Iterable[Context], extractor: AttributeExtractor) -> int:
    """Write the attributes of a split, a row group per batch of contexts; return the number of tokens.

    Memory grows with the batch in hand, not with the split.
    """
    written = 0
    with replacing(path) as file, pq.ParquetWriter(file, FEATURES, compression="zstd") as writer:
        for batch in _batched(enumerate(contexts)):
            tables = [_to_table(number, context, extractor) for number, context in batch]
            written += sum(len(table) for table in tables)
            writer.write_table(pa.concat_tables(tables))
    return written


def _batched(contexts: Iterable[tuple[int, Context]], tokens: int = _BATCH) -> Iterator[list[tuple[int, Context]]]:
    batch: list[tuple[int, Context]] = []
    size = 0
    for number, context in contexts:
        batch.append((number, context))
        size += sum(map(len, context.sentences))
        if size >= tokens:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _to_table(number: int, context: Context, extractor: AttributeExtractor) -> pa.Table:
    tokens = extractor.transform(context.sentences)
    surface = tokens.surface
    assert surface is not None
    lengths = np.diff(tokens.sentence_starts)
    columns = [
        pa.array(np.repeat(np.array(context.documents, dtype=object), lengths), pa.string()),
        pa.array(np.repeat(np.array(context.numbers, dtype=np.int32), lengths)),
        pa.array([tag for tags in context.tags for tag in tags], pa.string()),
        pa.ListArray.from_arrays(pa.array(tokens.starts, pa.int32()), pa.array(tokens.rows)),
        pa.array(np.full(len(tokens), number, dtype=np.int32)),
        *map(pa.array, (surface.words, surface.stems, surface.lengths, surface.flags, surface.long_forms)),
        pa.FixedSizeListArray.from_arrays(pa.array(surface.terms.ravel()), len(CATEGORIES)),
    ]
    return pa.Table.from_arrays(columns, schema=FEATURES)


def read_features(path: Path) -> FeatureTable:
    """Read what `write_features` wrote."""
    starts, rows = _read_attributes(path)
    table = pq.read_table(path, use_threads=False, columns=[name for name in FEATURES.names if name != "attributes"])
    encoded = pc.dictionary_encode(table["document"]).combine_chunks()
    documents, names = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
    numbers = table["sentence"].to_numpy()
    changes = np.flatnonzero((documents[1:] != documents[:-1]) | (numbers[1:] != numbers[:-1])) + 1
    bounds = np.array([0, *changes, len(table)] if len(table) else [0], dtype=np.int64)
    tags = table["tag"].to_pylist()
    spans = [spans_of(tags[first:end]) for first, end in pairwise(bounds)]
    # Copies, because kernels are compiled anew for arrays that cannot be written to, as Arrow's are.
    words, stems, lengths, flags, long_forms, contexts = (
        np.array(table[name]) for name in ("word", "stem", "length", "flags", "long_form", "context")
    )
    terms = np.array(table["terms"].combine_chunks().flatten()).reshape(-1, len(CATEGORIES))
    surface = Surface(words, stems, lengths, flags, long_forms, terms, contexts[bounds[:-1]])
    tokens = SparseTokens(starts, rows, bounds, surface)
    return FeatureTable(tokens, spans, [names[documents[first]] for first in bounds[:-1]])


def _read_attributes(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Read starts and rows, one row group after the other: they are most of the table."""
    file = pq.ParquetFile(path)
    starts = np.zeros(file.metadata.num_rows + 1, dtype=np.int64)
    parts, place = [np.empty(0, dtype=np.int32)], 0
    for group in range(file.num_row_groups):
        for chunk in file.read_row_group(group, columns=["attributes"], use_threads=False)["attributes"].chunks:
            starts[place + 1 : place + 1 + len(chunk)] = chunk.value_lengths()
            parts.append(chunk.flatten().to_numpy())
            place += len(chunk)
    return np.cumsum(starts), np.concatenate(parts)
