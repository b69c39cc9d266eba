"""Compiled loops over new word forms: the rows of their attributes, found without building a string.

An attribute is known by a hash of its name. What `words.Template` spells out as a string is hashed
here character by character.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.common.compiled import kernel
from stages.featurize.attributes.kernels import extend_key, hash_text
from stages.featurize.attributes.words import FIRST, GRAMS, LAST, MOST_CLUSTERS, MOST_FLAGS

_BEFORE, _BEHIND = np.uint64(ord("^")), np.uint64(ord("$"))


@kernel
def attribute_keys(
    text: NDArray[np.uint32],
    starts: NDArray[np.int64],
    parts: int,
    others: NDArray[np.uint64],
    other_counts: NDArray[np.int64],
    templates: NDArray[np.int64],
    prefixes: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    counts: NDArray[np.int64],
) -> int:
    """List the keys of the attributes of word forms at every distance.

    Parameters
    ----------
    text, starts
        From `hashing.characters_of`: of the `parts` parts of each form.
    others : uint64 array
        Keys of the flags and then of the clusters of each form.
    other_counts : int64 array of shape (forms, 2)
        How many flags and clusters each has.
    templates : int64 array of shape (templates, 6)
        Distance, part, piece, size, shortest, longest of each of `words.TEMPLATES`.
    prefixes : uint64 array of shape (templates,)
        Keys of their prefixes.
    keys : uint64 array
        Filled with the keys of each form at distance 0, 1, 2 and 3.
    counts : int64 array of shape (forms, 4)
        Filled: how many there are of each form and distance.

    Returns
    -------
    int
        How many keys were written.
    """
    count: int = np.int64(0)  # type: ignore[assignment]  # of the type that it has later: a literal 0 is compiled once more
    other = 0
    for f in range(len(counts)):
        t = 0
        for distance in range(4):
            before = count
            while t < len(templates) and templates[t, 0] == distance:
                part, piece, size = parts * f + templates[t, 1], templates[t, 2], templates[t, 3]
                start, stop = starts[part], starts[part + 1]
                if templates[t, 4] <= stop - start <= templates[t, 5]:
                    if piece == GRAMS:
                        count = _add_grams(text, start, stop, size, prefixes[t], keys, count)
                    else:
                        if piece == FIRST and start + size < stop:
                            stop = start + size
                        if piece == LAST and stop - size > start:
                            start = stop - size
                        keys[count] = hash_text(prefixes[t], text, start, stop)
                        count += 1
                t += 1
            flags, clusters = other_counts[f, 0], other_counts[f, 1]
            for k in range(flags + clusters):
                if k < MOST_FLAGS[distance] if k < flags else k - flags < MOST_CLUSTERS[distance]:
                    keys[count] = others[other + k]
                    count += 1
            counts[f, distance] = count - before
        other += flags + clusters
    return count


@kernel(inner=True)
def _add_grams(
    text: NDArray[np.uint32], start: int, stop: int, size: int, prefix: np.uint64, keys: NDArray[np.uint64], count: int
) -> int:
    """Add every run of `size` characters of ``^part$`` once; return how many keys there are then."""
    first = count
    for i in range(start - 1, stop + 2 - size):
        key = prefix
        for j in range(i, i + size):
            key = extend_key(key, _BEFORE if j < start else _BEHIND if j == stop else np.uint64(text[j]))
        known = False
        for k in range(first, count):
            known = known or keys[k] == key
        if not known:
            keys[count] = key
            count += 1
    return count


@kernel
def add_forms(
    attributes: NDArray[np.int32],
    counts: NDArray[np.int64],
    rows_at: NDArray[np.int32],
    first: int,
    form_starts: NDArray[np.int64],
    form_rows: NDArray[np.int32],
) -> None:
    """Write the rows of new word forms behind those of the forms before them.

    Parameters
    ----------
    attributes : int32 array
        Attributes of each form at distance 0, 1, 2 and 3, by their place in `rows_at`; -1 where training saw none.
    counts : int64 array of shape (forms, 4)
        How many there are of each form and distance.
    rows_at : int32 array of shape (known attributes, 7)
        Row of each attribute at each offset; -1 for none.
    first : int
        Number of the first new form.
    form_starts, form_rows
        As `kernels.rows_of_tokens` takes them; filled.
    """
    place = 0
    count = form_starts[7 * first]
    for f in range(len(counts)):
        for column in range(7):
            distance = (column + 1) >> 1
            start = place
            for d in range(distance):
                start += counts[f, d]
            for k in range(start, start + counts[f, distance]):
                if attributes[k] >= 0 and rows_at[attributes[k], column] >= 0:
                    form_rows[count] = rows_at[attributes[k], column]
                    count += 1
            form_starts[7 * (first + f) + column + 1] = count
        for d in range(4):
            place += counts[f, d]


@kernel
def sum_weights(
    starts: NDArray[np.int64], rows: NDArray[np.int32], weights: NDArray[np.float32], sums: NDArray[np.float32]
) -> None:
    """Sum the weights of the rows of each form at each offset, as `add_forms` lists them.

    Parameters
    ----------
    starts, rows
        From `add_forms`, of forms counted from 0.
    weights : float32 array of shape (rows, tags)
    sums : float32 array of shape (forms, 7, tags)
        Zeros; filled.
    """
    for cell in range(len(starts) - 1):
        for k in range(starts[cell], starts[cell + 1]):
            for tag in range(weights.shape[1]):
                sums[cell // 7, cell % 7, tag] += weights[rows[k], tag]
