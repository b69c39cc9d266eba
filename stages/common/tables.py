"""Schemas of the tables that pass between stages, and of the serving log.

Every table is Parquet. Offsets are characters of the document's text, and
``text[start:end]`` equals the token or mention, always; the gate proves it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from stages.common.documents import METADATA
from stages.common.labels import ASSERTION_COLUMNS, QUARANTINED, count_column

_metadata = [pa.field(name, pa.string()) for name in METADATA]

DOCUMENTS = pa.schema(
    [
        pa.field("document", pa.string(), nullable=False),  # batch/identifier
        pa.field("public_name", pa.string(), nullable=False),  # keyed hash: what git may call the document
        pa.field("batch", pa.string(), nullable=False),
        pa.field("context", pa.string(), nullable=False),  # neighbours share it: abbreviations carry over
        pa.field("group", pa.string(), nullable=False),  # content hash of the first of its near duplicates
        pa.field("split", pa.string(), nullable=False),  # train, dev, test
        pa.field("text", pa.string(), nullable=False),
        *_metadata,
        pa.field("seconds", pa.float64()),  # measured time of annotating the text from nothing; null without
    ]
)
"""One row per document, in order of batch and place in it."""

TOKENS = pa.schema(
    [
        pa.field("document", pa.string(), nullable=False),
        pa.field("sentence", pa.int32(), nullable=False),  # from 0 in each document
        pa.field("token", pa.int32(), nullable=False),  # from 0 in each sentence
        pa.field("text", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("tag", pa.string(), nullable=False),  # IOB2
    ]
)
"""One row per token, in reading order."""

MENTIONS = pa.schema(
    [
        pa.field("document", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("source_label", pa.string(), nullable=False),
        pa.field("aligned", pa.bool_(), nullable=False),  # both ends on token boundaries of one sentence
    ]
)
"""One row per gold mention; those that no tag sequence can express have `aligned` false."""

FEATURES = pa.schema(
    [
        pa.field("document", pa.string(), nullable=False),
        pa.field("sentence", pa.int32(), nullable=False),
        pa.field("tag", pa.string(), nullable=False),  # IOB2
        pa.field("attributes", pa.list_(pa.int32()), nullable=False),  # rows of the weight matrix, each with value 1
        pa.field("context", pa.int32(), nullable=False),  # neighbouring sentences have the same number
        pa.field("word", pa.uint64(), nullable=False),  # hash of the token as it stands
        pa.field("stem", pa.uint64(), nullable=False),  # hash of its stem
        pa.field("length", pa.int16(), nullable=False),  # in characters
        pa.field("flags", pa.int8(), nullable=False),  # bits as stages/featurize/attributes/kernels.py names them
        pa.field("long_form", pa.int16(), nullable=False),  # for a short form, how far back its long form starts
        pa.field("terms", pa.list_(pa.int8(), 5), nullable=False),  # length of the longest term of each category
    ]
)
"""One row per token of a split, in the order of `TOKENS`."""

PREDICTIONS = pa.schema(
    [
        pa.field("document", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),  # calibrated span posterior, 0 to 1
    ]
)
"""One row per predicted mention."""


def serving_log(labels: Sequence[str]) -> pa.Schema:
    """Return the schema of the serving log: one row per note served or set aside; the training profile has the same.

    Of a note that inference set aside all is null from `sentences` on, but for `quarantined`.
    """
    return pa.schema(
        [
            pa.field("note", pa.string(), nullable=False),  # the same for the same text; says nothing of it
            *_metadata,
            pa.field("characters", pa.int32(), nullable=False),
            pa.field("sentences", pa.int32()),
            pa.field("tokens", pa.int32()),
            pa.field(QUARANTINED, pa.int8()),  # 1 for a note that was set aside, else 0; null in rows of older versions
            pa.field("unknown_tokens", pa.float32()),  # share of tokens unseen in training
            # predicted mentions of each label: diseases, treatments
            *(pa.field(count_column(label), pa.int32()) for label in labels),
            pa.field("confidence", pa.float32()),  # mean over the note's mentions; null without any
            *(pa.field(name, pa.float32()) for name in ASSERTION_COLUMNS),  # shares of the mentions; null without any
        ]
    )


def empty_columns(schema: pa.Schema) -> dict[str, list[object]]:
    """Return a dict of empty lists, one per column, to be filled row by row."""
    return {name: [] for name in schema.names}
