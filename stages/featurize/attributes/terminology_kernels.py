"""Compiled loops that find the terms of a terminology in text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.common.compiled import kernel
from stages.featurize.attributes.kernels import SEED, extend_key, find

OUTSIDE, FIRST, INSIDE, LAST, SINGLE = range(5)


@kernel
def beginning_keys(stems: NDArray[np.uint64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hash every beginning of every term.

    Parameters
    ----------
    stems : uint64 array of shape (words,)
        Of all terms, one after the other.
    ends : int64 array of shape (terms,)
        Where each term ends.

    Returns
    -------
    uint64 array of shape (words,)
        Hash of each term up to and with this word.
    """
    keys = np.empty_like(stems)
    start = 0
    for end in ends:
        key = SEED
        for t in range(start, end):
            key = extend_key(key, stems[t])
            keys[t] = key
        start = end
    return keys


@kernel
def longest_terms(
    stems: NDArray[np.uint64],
    sentence_starts: NDArray[np.int64],
    joiners: NDArray[np.uint64],
    table_keys: NDArray[np.uint64],
    table_members: NDArray[np.int32],
    most: int,
    lengths: NDArray[np.int8],
) -> None:
    """Write the length in tokens of the longest term of each category that starts at each token.

    Parameters
    ----------
    stems : uint64 array of shape (tokens,)
    sentence_starts : int64 array of shape (sentences + 1,)
    joiners : uint64 array
        Stems that are passed over inside of a term, and start none.
    table_keys, table_members
        From `kernels.build_table`: the beginnings of all terms, and a bit for each category of which
        a beginning is a whole term.
    most : int
        Tokens of the longest match.
    lengths : int8 array of shape (tokens, categories)
        Filled where a term starts; zeros elsewhere.
    """
    for s in range(len(sentence_starts) - 1):
        stop = sentence_starts[s + 1]
        for first in range(sentence_starts[s], stop):
            if _is_in(stems[first], joiners):
                continue
            key = SEED
            for t in range(first, first + most):
                if t == stop:
                    break
                if _is_in(stems[t], joiners):
                    continue
                key = extend_key(key, stems[t])
                members = find(key, table_keys, table_members)
                if members < 0:
                    break
                for category in range(lengths.shape[1]):
                    if (members >> category) & 1:
                        lengths[first, category] = t + 1 - first


@kernel(inline="always")
def _is_in(stem: np.uint64, joiners: NDArray[np.uint64]) -> bool:
    for k in range(len(joiners)):  # noqa: SIM110  # numba compiles no generators
        if joiners[k] == stem:
            return True
    return False


def places(lengths: NDArray[np.int8]) -> NDArray[np.int8]:
    """Tell the place of each token in the terms of each category, read from left to right without overlaps.

    Parameters
    ----------
    lengths : int8 array of shape (tokens, categories)

    Returns
    -------
    int8 array of shape (tokens, categories)
        `OUTSIDE`, `FIRST`, `INSIDE`, `LAST` or `SINGLE`.
    """
    out = np.full_like(lengths, OUTSIDE)
    _fill_places(lengths, out)
    return out


@kernel
def _fill_places(lengths: NDArray[np.int8], out: NDArray[np.int8]) -> None:
    for category in range(lengths.shape[1]):
        end = 0
        for t in range(len(lengths)):
            length = lengths[t, category]
            if length == 0 or t < end:
                continue
            end = t + length
            for inner in range(t + 1, end - 1):
                out[inner, category] = INSIDE
            out[t, category] = SINGLE if length == 1 else FIRST
            if length > 1:
                out[end - 1, category] = LAST
