"""What an attribute extractor is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.casing import Casing
from stages.featurize.attributes.forms import Symbols
from stages.featurize.attributes.index import AttributeIndex
from stages.featurize.attributes.lookup import Words

Sentences = Sequence[Sequence[str]]
"""Tokens by sentence, of one context."""


@dataclass(frozen=True)
class AttributeParts:
    """What the training text has: the parts of an `AttributeExtractor`."""

    index: AttributeIndex
    pairs: tuple[NDArray[np.uint64], NDArray[np.int32]]
    symbols: Symbols
    words: Words
    casing: Casing
