"""Which attributes the linear chain listens to most, by label."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stages.evaluate.explanation import members_of, readable
from stages.featurize.attributes.lookup import RARE
from stages.train.extractor import Extractor
from stages.train.taggers.spans.stacked import chain_of

COLUMNS = ("label", "attribute", "weight")


def top_attributes(extractor: Extractor, *, top: int = 20) -> pd.DataFrame:
    """List the attributes that speak loudest for each label.

    An attribute speaks for a label by its largest weight among the label's four tags; what is listed
    is by how much that exceeds what it says for anything else (another label, no mention), divided
    by the temperature: the log odds that one occurrence adds. So an attribute is in one list only,
    and one that merely tells mentions from other words, such as a long word, is not in front.

    Parameters
    ----------
    extractor : Extractor
    top : int
        Attributes per label.

    Returns
    -------
    DataFrame
        Columns of `COLUMNS`, label by label in the model's order, largest weight first, equal
        weights by name. Attributes of rare words, whose names the model does not hold, are left out.
        No rows for a family without a linear chain. The names hold words of training notes: cache
        the table with DVC, do not put it in git.
    """
    crf = chain_of(extractor.tagger)
    if crf is None:
        return pd.DataFrame({"label": [], "attribute": [], "weight": np.empty(0)})
    names, members = extractor.attributes.row_names(), members_of(extractor.attributes)
    labels = crf.tag_set.labels
    voices = [crf.weights[:, 0], *(crf.weights[:, list(crf.tag_set.of_span(label))].max(axis=1) for label in labels)]
    rows: list[tuple[str, str, float]] = []
    for number, label in enumerate(labels, start=1):
        others = np.max([voice for other, voice in enumerate(voices) if other != number], axis=0)
        # Four decimals are what is written: rounding first makes ties ties.
        margins = np.round((voices[number] - others) / crf.temperature, 4).tolist()
        named = (row for row, margin in enumerate(margins) if margin > 0 and RARE not in names[row])
        best = sorted(named, key=lambda row: (-margins[row], names[row]))
        rows += [(label, readable(names[row], members), margins[row]) for row in best[:top]]
    return pd.DataFrame(rows, columns=list(COLUMNS))
