"""Which attributes the linear chain listens to most, by label."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.lookup import RARE
from stages.train.extractor import Extractor

COLUMNS = ("label", "attribute", "weight")

_CLUSTER = re.compile(r"[ct]\d+=\d+")
_SHOWN_MEMBERS = 3


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
    crf = extractor.tagger.chain
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


def members_of(attributes: AttributeExtractor) -> dict[str, list[str]]:
    """List a few words of each cluster, the first ones in the alphabet; rare words are in no list."""
    members: dict[str, list[str]] = defaultdict(list)
    for word, clusters in attributes.words.members().items():
        for cluster in clusters:
            if word.isalpha() and len(members[cluster]) < _SHOWN_MEMBERS:
                members[cluster].append(word)
    return members


def readable(name: str, members: Mapping[str, Sequence[str]]) -> str:
    """Say of a cluster which words are in it.

    >>> readable("-1c64=3", {"c64=3": ["carcinoma", "tumour"]})
    '-1c64=3 {carcinoma, tumour}'
    """

    def with_members(match: re.Match[str]) -> str:
        words = members.get(match[0])
        return f"{match[0]} {{{', '.join(words)}}}" if words else match[0]

    return _CLUSTER.sub(with_members, name)
