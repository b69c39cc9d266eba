"""The arrays that the kernels of evidence read, bundled, and the names of their columns.

A text of two sentences, of four tokens and of three::

    token            0     1     2     3      |  4     5     6     |
                     She   has   gout  .      |  No    gout  .     |
    sentence_starts  0                           4                    7
    pair            0     1     2     3      4  5     6     7      8      left of token t of sentence s: t + s
    contexts         0                           0

A span of sentence `s` has the tokens ``first`` to ``end`` - 1, its left edge is pair ``first + s``, its right one
``end + s``. Tokens are counted over the whole text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int8 = NDArray[np.int8]
Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]

STEM_FIRST, STEM_LAST, STEM_BEFORE, STEM_AFTER, STEM_INSIDE, STEM_ANYWHERE = STEM_COLUMNS = range(6)
"""How often a stem is the first or last of a mention, stands before or after one, inside of one, and anywhere."""

LABEL_FIRST, LABEL_LAST, LABEL_INSIDE = LABEL_COLUMNS = range(3)
"""How often a stem is the first or last of a mention of one label, or inside of one."""

PAIR_STARTS, PAIR_ENDS, PAIR_JOINED, PAIR_TOGETHER = PAIR_COLUMNS = range(4)
"""How often a mention starts or ends between two stems, both are in one mention, and they stand together at all."""

PAIR_LAST_TWO = len(PAIR_COLUMNS)
"""First of the columns, one a label, that count how often two stems are the last of a mention."""

SHORT_SENTENCE, SHORT_TOKEN = range(2)
"""Columns of a table of definitions: where the short form stands."""


class Table(NamedTuple):
    """Rows by key, from `stages.featurize.attributes.kernels.build_table`."""

    keys: UInt64
    rows: Int32


class SpanArrays(NamedTuple):
    """Candidates, with what is looked up of them.

    Parameters
    ----------
    table : int32 array of shape (candidates, 4)
        Columns as in `chain.candidate_kernels`; sorted.
    posteriors : float64 array of shape (candidates,)
    outside : float64 array of shape (tokens,)
        Probability that a token is in no mention.
    of_sentence : int64 array of shape (sentences + 1,)
        First candidate of each sentence.
    phrases : uint64 array of shape (candidates,)
        Keys of the phrases, from `key_kernels.phrase_keys`.
    phrase_rows : int32 array of shape (candidates,)
        Their rows in `CountArrays.phrases`; -1 for an unknown one.
    by_phrase : int64 array of shape (candidates,)
        Candidates sorted by phrase, then by place.
    """

    table: Int32
    posteriors: Float64
    outside: Float64
    of_sentence: Int64
    phrases: UInt64
    phrase_rows: Int32
    by_phrase: Int64


class TextArrays(NamedTuple):
    """The text, with what is looked up of its tokens.

    Parameters
    ----------
    sentence_starts : int64 array of shape (sentences + 1,)
    words, stems, lengths, flags, long_forms, terms, contexts
        As in `stages.featurize.attributes.tokens.Surface`.
    stem_rows : int32 array of shape (tokens,)
        Rows in `CountArrays.stems` and `CountArrays.labels`; -1 for an unknown stem.
    pair_rows : int32 array of shape (tokens + sentences,)
        Rows in `CountArrays.pairs`; -1 for an unknown pair.
    definitions : int64 array of shape (definitions, 2)
        Sentence and short-form token of each abbreviation, in order.
    definitions_until : int64 array of shape (sentences,)
        How many of them stand in a sentence or before it.
    """

    sentence_starts: Int64
    words: UInt64
    stems: UInt64
    lengths: Int16
    flags: Int8
    long_forms: Int16
    terms: Int8
    contexts: Int32
    stem_rows: Int32
    pair_rows: Int32
    definitions: Int64
    definitions_until: Int64


class CountArrays(NamedTuple):
    """What training says; each has a row of zeros at its end, which is what row -1 of an unknown key finds.

    Parameters
    ----------
    stems : int32 array of shape (stems + 1, 6)
        Columns `STEM_COLUMNS`.
    labels : int32 array of shape (stems + 1, labels, 3)
        Columns `LABEL_COLUMNS`.
    pairs : int32 array of shape (pairs + 1, 4 + labels)
        Columns `PAIR_COLUMNS`, and one a label from `PAIR_LAST_TWO`.
    phrases : int32 array of shape (phrases + 1, labels + 1)
        How often a phrase is a mention of each label, and how often it stands in the text at all.
    phrase_table : Table
        Rows of `phrases` by key.
    """

    stems: Int32
    labels: Int32
    pairs: Int32
    phrases: Int32
    phrase_table: Table
