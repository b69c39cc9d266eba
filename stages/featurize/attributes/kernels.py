"""Compiled loops that turn word-form numbers into attribute rows.

Everything that depends on one word form is looked up by its number; pairs and triples of stems,
clusters and shapes are packed into one 64-bit key and found in an open-addressing hash table.
No string is built per token.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.common.compiled import kernel

# Flags of a word form, one bit each; unknown is what training never saw.
OPENS, CLOSES, CAPITALISED, JOINS, HYPHEN, SHOUTS, UNKNOWN = 1, 2, 4, 8, 16, 32, 64

# Attributes of a position that belong to no word, in the order of their rows.
POSITIONS = ("bias", "first", "last", "in_brackets", "alone_in_brackets")

# Kinds of pair and triple attributes, with the positions they are made of.
STEM, CLUSTER, SHAPE = 0, 1, 2
KINDS = (
    ("stem[-1,0]", STEM),
    ("cluster[-1,0]", CLUSTER),
    ("shape[-1,0]", SHAPE),
    ("stem[0,+1]", STEM),
    ("cluster[0,+1]", CLUSTER),
    ("shape[0,+1]", SHAPE),
    ("stem[-2,-1]", STEM),
    ("stem[+1,+2]", STEM),
    ("stem[-1,0,+1]", STEM),
)
_FIRST_OF_KIND = np.array([-1, -1, -1, 0, 0, 0, -2, 1, -1])  # offset of the first position
_WIDTH_OF_KIND = np.array([2, 2, 2, 2, 2, 2, 2, 2, 3])
_ROW_OF_KIND = np.array([symbol for _, symbol in KINDS])
SYMBOL_BITS = 20
MOST_SYMBOLS = (1 << SYMBOL_BITS) - 1

SEED = np.uint64(0x9E3779B97F4A7C15)
"""Hash of the phrase without words, and of the empty string."""

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
"""No key: of a free slot, and of a pair that there is not."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_PHRASE_MULTIPLIER = np.uint64(0xFF51AFD7ED558CCD)
_PHRASE_SHIFT = np.uint64(29)
_BITS = np.uint64(SYMBOL_BITS)
_SHIFT = np.uint64(32)


@kernel(inline="always")
def _slot(key: np.uint64, mask: np.uint64) -> np.uint64:
    hashed = key * _MULTIPLIER
    return (hashed ^ (hashed >> _SHIFT)) & mask


@kernel(inline="always")
def extend_key(key: np.uint64, stem: np.uint64) -> np.uint64:
    """Hash of a phrase with one more stem, or of a string with one more character."""
    mixed = (key ^ stem) * _PHRASE_MULTIPLIER
    return mixed ^ (mixed >> _PHRASE_SHIFT)


@kernel(inline="always")
def hash_text(key: np.uint64, text: NDArray[np.uint32], start: int, stop: int) -> np.uint64:
    """Extend a key by the characters ``text[start:stop]``."""
    for i in range(start, stop):
        key = extend_key(key, np.uint64(text[i]))
    return key


@kernel
def hash_all(text: NDArray[np.uint32], starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hash every ``text[starts[i]:starts[i + 1]]``."""
    keys = np.empty(len(starts) - 1, dtype=np.uint64)
    for i in range(len(keys)):
        keys[i] = hash_text(SEED, text, starts[i], starts[i + 1])
    return keys


@kernel
def build_table(keys: NDArray[np.uint64], rows: NDArray[np.int32]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Build the hash table of pair attributes: at most half full, linear probing."""
    size = 16
    while size < 2 * len(keys) + 2:
        size *= 2
    mask = np.uint64(size - 1)
    table_keys = np.empty(size, dtype=np.uint64)
    table_rows = np.empty(size, dtype=np.int32)
    for i in range(size):
        table_keys[i], table_rows[i] = EMPTY, -1
    for i in range(len(keys)):
        slot = _slot(keys[i], mask)
        while table_keys[slot] != EMPTY:
            slot = (slot + np.uint64(1)) & mask
        table_keys[slot] = keys[i]
        table_rows[slot] = rows[i]
    return table_keys, table_rows


@kernel(inline="always")
def find(key: np.uint64, table_keys: NDArray[np.uint64], table_rows: NDArray[np.int32]) -> int:
    """Return the row of a key in the hash table, or -1."""
    mask = np.uint64(len(table_keys) - 1)
    slot = _slot(key, mask)
    while table_keys[slot] != EMPTY:
        if table_keys[slot] == key:
            return table_rows[slot]
        slot = (slot + np.uint64(1)) & mask
    return -1


@kernel
def find_all(
    keys: NDArray[np.uint64], table_keys: NDArray[np.uint64], table_rows: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return the row of each key in the hash table, or -1.

    All slots are read before any is looked at, so that the processor need not wait for one after the other.
    """
    mask = np.uint64(len(table_keys) - 1)
    first = np.empty(len(keys), dtype=np.uint64)
    for i in range(len(keys)):
        first[i] = table_keys[_slot(keys[i], mask)]
    rows = np.empty(len(keys), dtype=np.int32)
    for i in range(len(keys)):
        rows[i] = -1
        if first[i] != EMPTY and keys[i] != EMPTY:
            known = first[i] == keys[i]
            rows[i] = table_rows[_slot(keys[i], mask)] if known else find(keys[i], table_keys, table_rows)
    return rows


@kernel(inline="always")
def pack(kind: int, a: int, b: int, c: int) -> np.uint64:
    """Pack a kind and up to three symbols (numbered from 1; 0 stands for none) into one key."""
    key = np.uint64(kind)
    key = (key << _BITS) | np.uint64(a)
    key = (key << _BITS) | np.uint64(b)
    return (key << _BITS) | np.uint64(c)


@kernel
def pair_keys(symbols: NDArray[np.int32], sentence_starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the keys of the pair and triple attributes of the text.

    Parameters
    ----------
    symbols : int32 array of shape (3, tokens)
        Stem, cluster and shape numbers, from 1; 0 is unknown and makes no pair.
    sentence_starts : int64 array of shape (sentences + 1,)

    Returns
    -------
    uint64 array of shape (9 * tokens,)
        Those of `KINDS` for each token; `EMPTY` where it has none.
    """
    keys = np.empty(9 * symbols.shape[1], dtype=np.uint64)
    for s in range(len(sentence_starts) - 1):
        start, end = sentence_starts[s], sentence_starts[s + 1]
        for i in range(start, end):
            for kind in range(9):
                keys[9 * i + kind] = _key_at(kind, i, start, end, symbols)
    return keys


@kernel(inner=True)
def _key_at(kind: int, i: int, start: int, end: int, symbols: NDArray[np.int32]) -> np.uint64:
    """Key of one pair attribute of token `i`, or the empty key where it has none."""
    first = i + _FIRST_OF_KIND[kind]
    last = first + _WIDTH_OF_KIND[kind] - 1
    if first < start or last >= end:
        return EMPTY
    row = _ROW_OF_KIND[kind]
    a, b = symbols[row, first], symbols[row, first + 1]
    c = symbols[row, last] if last > first + 1 else 0
    known = a > 0 and b > 0 and (c > 0 or last == first + 1)
    return pack(kind, a, b, c) if known else EMPTY


@kernel(inline="always")
def offset_of(column: int) -> int:
    """Offsets 0, -1, 1, -2, 2, -3, 3."""
    distance = (column + 1) >> 1  # a division would be tested for zero
    return -distance if column & 1 else distance


@kernel
def rows_of_tokens(
    forms: NDArray[np.int32],
    sentence_starts: NDArray[np.int64],
    form_starts: NDArray[np.int64],
    form_rows: NDArray[np.int32],
    form_flags: NDArray[np.int8],
    position_rows: NDArray[np.int32],
    pair_rows: NDArray[np.int32],
    extra_starts: NDArray[np.int64],
    extra_rows: NDArray[np.int32],
    term_places: NDArray[np.int8],
    term_rows: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """List the attribute rows of every token in compressed sparse row form.

    Parameters
    ----------
    forms : int32 array of shape (tokens,)
    sentence_starts : int64 array of shape (sentences + 1,)
    form_starts : int64 array of shape (7 * forms + 1,)
        Where the rows of form ``f`` at offset column ``o`` start: ``form_starts[7 * f + o]``.
    form_rows : int32 array
    form_flags : int8 array of shape (forms,)
    position_rows : int32 array of shape (5,)
        Rows of `POSITIONS`; -1 where the row was pruned.
    pair_rows : int32 array of shape (9 * tokens,)
        Rows of the keys from `pair_keys`; -1 for none.
    extra_starts, extra_rows
        Rows found outside of this kernel (abbreviations), in compressed sparse row form.
    term_places : int8 array of shape (tokens, categories)
        From `terminology_kernels.places`.
    term_rows : int32 array of shape (3, categories, places)
        Row of each place in a term of each category at offset 0, -1 and 1; -1 for none.

    Returns
    -------
    starts : int64 array of shape (tokens + 1,)
    rows : int32 array
        With room to spare at the end.
    """
    tokens = len(forms)
    starts = np.empty(tokens + 1, dtype=np.int64)
    starts[0] = 0
    bound = (14 + 3 * term_places.shape[1]) * tokens + len(extra_rows)
    for i in range(tokens):
        bound += form_starts[7 * forms[i] + 7] - form_starts[7 * forms[i]]
    rows = np.empty(bound, dtype=np.int32)
    count = 0
    for s in range(len(sentence_starts) - 1):
        start, end = sentence_starts[s], sentence_starts[s + 1]
        depth = 0
        for i in range(start, end):
            for column in range(7):
                j = i + offset_of(column)
                if start <= j < end:
                    cell = 7 * forms[j] + column
                    for k in range(form_starts[cell], form_starts[cell + 1]):
                        rows[count] = form_rows[k]
                        count += 1
            flag = form_flags[forms[i]]
            if flag & OPENS:
                depth += 1
            elif flag & CLOSES and depth > 0:
                depth -= 1
            holds = 1  # a bit for each of `POSITIONS`
            if i == start:
                holds |= 2
            if i + 1 == end:
                holds |= 4
            if depth > 0:
                holds |= 8
            if i > start and i + 1 < end and form_flags[forms[i - 1]] & OPENS and form_flags[forms[i + 1]] & CLOSES:
                holds |= 16
            for which in range(5):
                if (holds >> which) & 1 and position_rows[which] >= 0:
                    rows[count] = position_rows[which]
                    count += 1
            for k in range(9 * i, 9 * i + 9):
                if pair_rows[k] >= 0:
                    rows[count] = pair_rows[k]
                    count += 1
            for k in range(extra_starts[i], extra_starts[i + 1]):
                rows[count] = extra_rows[k]
                count += 1
            for column in range(3):
                j = i + offset_of(column)
                if start <= j < end:
                    for category in range(term_places.shape[1]):
                        row = term_rows[column, category, term_places[j, category]]
                        if row >= 0:
                            rows[count] = row
                            count += 1
            starts[i + 1] = count
    return starts, rows
