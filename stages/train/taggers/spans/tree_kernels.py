"""Compiled loops that score candidates by boosted trees and choose among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.common.compiled import kernel
from stages.train.taggers.chain.candidate_kernels import END, FIRST

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


MOST_LEAVES = 64
"""Of one tree: a bit each."""

_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)  # its 64 shifts differ in their top six bits
_TOP = np.uint64(58)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_PLACES = np.zeros(64, dtype=np.uint8)
_PLACES[[(int(_DE_BRUIJN) << bit & int(_ALL)) >> 58 for bit in range(64)]] = range(64)


@kernel
def tree_scores(
    table: Float32,
    starts: Int64,
    thresholds: Float64,
    trees: Int32,
    masks: NDArray[np.uint64],
    leaves: Float64,
) -> Float64:
    """Sum the leaves that each row falls into, tree by tree (QuickScorer: Lucchese et al. 2015, SIGIR).

    A row goes left where its value is at most the threshold. Where it does not, the leaves on the
    left are out; the first leaf that is left over is the row's. Thresholds of one column are
    sorted, so that there is one jump a column which the processor cannot foresee, not one a node.

    Parameters
    ----------
    table : float32 array of shape (rows, columns)
    starts : int64 array of shape (columns + 1,)
        First condition of each column.
    thresholds : float64 array of shape (conditions,)
        Ascending within a column.
    trees : int32 array of shape (conditions,)
    masks : uint64 array of shape (conditions,)
        Leaves of the tree, a bit each from the left, that stay when a row exceeds the threshold.
    leaves : float64 array of shape (trees, leaves)
        Their values.
    """
    out = np.empty(len(table), dtype=np.float64)
    alive = np.empty(len(leaves), dtype=np.uint64)
    for i in range(len(table)):
        for tree in range(len(alive)):
            alive[tree] = _ALL
        for column in range(len(starts) - 1):
            value = table[i, column]
            k = starts[column]
            while k < starts[column + 1] and not value <= thresholds[k]:
                alive[trees[k]] &= masks[k]
                k += 1
        total = 0.0
        for tree in range(len(leaves)):
            lowest = alive[tree] & (~alive[tree] + np.uint64(1))
            total += leaves[tree, _PLACES[(lowest * _DE_BRUIJN) >> _TOP]]
        out[i] = total
    return out


@kernel
def tree_contributions(
    row: Float32,
    features: Int32,
    thresholds: Float64,
    lefts: Int32,
    rights: Int32,
    values: Float64,
    roots: Int32,
    columns: int,
) -> Float64:
    """Share the score of one row among its columns, by how each split moved the expected value (Saabas 2014).

    Parameters
    ----------
    row : float32 array of shape (columns,)
    features, thresholds, lefts, rights, values
        Nodes of all trees; a leaf has feature -1. A row goes left when its value is at most the threshold.
    roots : int32 array of shape (trees,)
    """
    out = np.empty(columns + 1, dtype=np.float64)
    for column in range(columns + 1):
        out[column] = 0.0
    for root in roots:
        node = root
        out[columns] += values[root]
        while features[node] >= 0:
            column = features[node]
            following = lefts[node] if row[column] <= thresholds[node] else rights[node]
            out[column] += values[following] - values[node]
            node = following
    return out


def select(spans: Int32, gains: Float64, of_sentence: Int64) -> NDArray[np.bool_]:
    """Choose the non-overlapping candidates with the largest sum of positive gains (weighted interval scheduling).

    Parameters
    ----------
    spans : int32 array of shape (candidates, 4)
    gains : float64 array of shape (candidates,)
    of_sentence : int64 array of shape (sentences + 1,)

    Returns
    -------
    bool array of shape (candidates,)
    """
    is_selected = np.zeros(len(spans), dtype=np.bool_)
    _select(spans, gains, of_sentence, is_selected)
    return is_selected


@kernel
def _select(spans: Int32, gains: Float64, of_sentence: Int64, is_selected: NDArray[np.bool_]) -> None:
    for s in range(len(of_sentence) - 1):
        low, high = of_sentence[s], of_sentence[s + 1]
        ids = np.empty(high - low, dtype=np.int64)
        n = 0
        for i in range(low, high):
            if gains[i] > 0:
                # Insertion by end keeps the few candidates of a sentence sorted; ties keep their order.
                k = n
                while k > 0 and spans[ids[k - 1], END] > spans[i, END]:
                    ids[k] = ids[k - 1]
                    k -= 1
                ids[k] = i
                n += 1
        best = np.empty(n + 1, dtype=np.float64)
        previous = np.empty(n + 1, dtype=np.int64)
        best[0] = 0.0
        for k in range(1, n + 1):
            q = k - 1
            while q > 0 and spans[ids[q - 1], END] > spans[ids[k - 1], FIRST]:
                q -= 1
            previous[k] = q
            with_it = best[q] + gains[ids[k - 1]]
            best[k] = with_it if with_it > best[k - 1] else best[k - 1]
        k = n
        while k > 0:
            if best[k] > best[k - 1]:
                is_selected[ids[k - 1]] = True
                k = previous[k]
            else:
                k -= 1
