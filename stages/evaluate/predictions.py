"""What the model finds in a split: the attributes are extracted anew, as production does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.files import read_table
from stages.common.tables import PREDICTIONS
from stages.featurize.store import Context, read_contexts
from stages.train.extractor import Extractor


def predict(prepared: Path, splits: Sequence[str], extractor: Extractor) -> pd.DataFrame:
    """Tag the documents of some splits.

    Parameters
    ----------
    prepared : Path
        The folder with ``documents.parquet`` and ``tokens.parquet``.
    splits : sequence of str
    extractor : Extractor

    Returns
    -------
    DataFrame
        Columns of `stages.common.tables.PREDICTIONS`, split by split in reading order.
    """
    documents = read_table(prepared / "documents.parquet", ["document", "split", "text"])
    tokens = read_table(prepared / "tokens.parquet", ["document", "start", "end"])
    rows: list[tuple] = []
    for split in splits:
        part = documents[documents["split"] == split]
        texts = dict(zip(part["document"], part["text"], strict=True))
        rows += _tagged(read_contexts(prepared, split), tokens[tokens["document"].isin(texts.keys())], texts, extractor)
    return pd.DataFrame(rows, columns=PREDICTIONS.names)


def _tagged(
    contexts: Iterable[Context], tokens: pd.DataFrame, texts: Mapping[str, str], extractor: Extractor
) -> Iterator[tuple]:
    """Walk through contexts and the offsets of their tokens, which stand in the same order."""
    starts, ends = tokens["start"].to_numpy(), tokens["end"].to_numpy()
    offset = 0
    for context in contexts:
        tagged = extractor.tagger.tag(extractor.attributes.transform(context.sentences))
        for document, sentence, spans in zip(context.documents, context.sentences, tagged, strict=True):
            for span in spans:
                start, end = int(starts[offset + span.first]), int(ends[offset + span.end - 1])
                # As it is stored, so that the scores can be computed again from the table.
                confidence = float(np.float32(span.confidence))
                yield document, start, end, texts[document][start:end], span.label, confidence
            offset += len(sentence)
