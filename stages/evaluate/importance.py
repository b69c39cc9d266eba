"""Which attributes the linear chain listens to most, by label."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stages.evaluate.explanation import chain_of, members_of, readable
from stages.train.extractor import Extractor

COLUMNS = ("label", "attribute", "weight")


def top_attributes(extractor: Extractor, *, top: int = 20) -> pd.DataFrame:
    """List the attributes that speak loudest for each label.

    The weight of an attribute for a label is its largest weight among the label's four tags minus
    that for no mention, divided by the temperature: the log odds that one occurrence adds.

    Parameters
    ----------
    extractor : Extractor
    top : int
        Attributes per label.

    Returns
    -------
    DataFrame
        Columns of `COLUMNS`, label by label in the model's order, largest weight first, equal
        weights by name. No rows for a family without a linear chain. The names hold words of
        training notes: cache the table with DVC, do not put it in git.
    """
    crf = chain_of(extractor.tagger)
    if crf is None:
        return pd.DataFrame({"label": [], "attribute": [], "weight": np.empty(0)})
    names, members = extractor.attributes.row_names(), members_of(extractor.attributes)
    rows: list[tuple[str, str, float]] = []
    for label in crf.tag_set.labels:
        tags = list(crf.tag_set.of_span(label))
        # Four decimals are what is written: rounding first makes ties ties.
        weights = np.round((crf.weights[:, tags].max(axis=1) - crf.weights[:, 0]) / crf.temperature, 4).tolist()
        best = sorted(range(len(names)), key=lambda row: (-weights[row], names[row]))[:top]
        rows += [(label, readable(names[row], members), weights[row]) for row in best]
    return pd.DataFrame(rows, columns=list(COLUMNS))
