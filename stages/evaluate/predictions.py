"""What the model finds in a split: the attributes are extracted anew, as production does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.common.files import read_table
from stages.common.tables import PREDICTIONS
from stages.featurize.store import Context, read_contexts
from stages.train.extractor import Extractor


class Predictions(NamedTuple):
    """What the model finds, and what it thinks that it may have missed.

    Parameters
    ----------
    mentions, suggestions : DataFrame
        Columns of `stages.common.tables.PREDICTIONS`, split by split in reading order.
    """

    mentions: pd.DataFrame
    suggestions: pd.DataFrame


def predict(prepared: Path, splits: Sequence[str], extractor: Extractor) -> Predictions:
    """Tag the documents of some splits.

    Parameters
    ----------
    prepared : Path
        The folder with ``documents.parquet`` and ``tokens.parquet``.
    splits : sequence of str
    extractor : Extractor
    """
    documents = read_table(prepared / "documents.parquet", ["document", "split", "text"])
    tokens = read_table(prepared / "tokens.parquet", ["document", "start", "end"])
    mentions: list[tuple] = []
    suggested: list[tuple] = []
    for split in splits:
        part = documents[documents["split"] == split]
        texts = dict(zip(part["document"], part["text"], strict=True))
        inside = tokens[tokens["document"].isin(texts.keys())]
        for is_mention, row in _tagged(read_contexts(prepared, split), inside, texts, extractor):
            (mentions if is_mention else suggested).append(row)
    return Predictions(*(pd.DataFrame(rows, columns=PREDICTIONS.names) for rows in (mentions, suggested)))


def _tagged(
    contexts: Iterable[Context], tokens: pd.DataFrame, texts: Mapping[str, str], extractor: Extractor
) -> Iterator[tuple[bool, tuple]]:
    """Walk through contexts and the offsets of their tokens, which stand in the same order.

    Yields whether a span is a mention or only suggested, and its row.
    """
    starts, ends = tokens["start"].to_numpy(), tokens["end"].to_numpy()
    offset = 0
    for context in contexts:
        read = extractor.read(context.sentences)
        both = extractor.tagger.tag_and_suggest(read, extractor.acceptance.suggestion)
        for document, sentence, *spans in zip(context.documents, context.sentences, *both, strict=True):
            for is_mention, span in ((kind == 0, span) for kind in (0, 1) for span in spans[kind]):
                start, end = int(starts[offset + span.first]), int(ends[offset + span.end - 1])
                # As it is stored, so that the scores can be computed again from the table.
                confidence = float(np.float32(span.confidence))
                yield is_mention, (document, start, end, texts[document][start:end], span.label, confidence)
            offset += len(sentence)
