"""The compiled loop that learns the weights of the linear chain."""

from __future__ import annotations

import numpy as np
from numba import njit

from stages.train.kernels import Float32, Int8, Int32, Int64, emissions, viterbi


@njit(cache=True, nogil=True)
def learn_passive_aggressive(
    starts: Int64,
    rows: Int32,
    sentence_starts: Int64,
    gold: Int8,
    orders: Int32,
    weights: Float32,
    transitions: Float32,
    illegal: Float32,
    start: Float32,
    end: Float32,
    aggressiveness: float,
) -> None:
    """Learn by passive-aggressive updates and return the average over all steps.

    PA-I of Crammer et al. 2006 (Journal of Machine Learning Research 7), for sequences: where the
    best sequence is wrong, move the weights just far enough that the right one would win by the
    root of the number of wrong tags, but by no more than `aggressiveness`. Averaging over every
    step as in Collins 2002.

    Parameters
    ----------
    starts, rows, sentence_starts
        Attributes and sentences of the training text.
    gold : int8 array of shape (tokens,)
    orders : int32 array of shape (iterations, sentences)
        The order of the sentences in each pass.
    weights, transitions
        Zeros; filled with the averages.
    illegal : float32 array of shape (tags, tags)
        0, or `FORBIDDEN` for transitions that no tag sequence has.
    start, end : float32 arrays of shape (tags,)
        The same for the first and last tag.
    aggressiveness : float
    """
    n_rows, tags = weights.shape
    longest = 0
    for s in range(len(sentence_starts) - 1):
        longest = max(longest, sentence_starts[s + 1] - sentence_starts[s])
    scores = np.empty((longest, tags), dtype=np.float32)
    best = np.empty(longest, dtype=np.int8)
    # Averages are kept lazily: average = current - drift / steps.
    drift = np.zeros((n_rows, tags), dtype=np.float64)
    drift_t = np.zeros((tags, tags), dtype=np.float64)
    delta = np.zeros((n_rows, tags), dtype=np.float32)
    delta_t = np.zeros((tags, tags), dtype=np.float32)
    legal = np.empty((tags, tags), dtype=np.float32)
    step = 0
    for iteration in range(orders.shape[0]):
        for position in range(orders.shape[1]):
            s = orders[iteration, position]
            first, stop = sentence_starts[s], sentence_starts[s + 1]
            length = stop - first
            step += 1
            if length == 0:
                continue
            emissions(starts, rows, first, stop, weights, scores)
            for x in range(tags):
                for y in range(tags):
                    legal[x, y] = transitions[x, y] + illegal[x, y]
            viterbi(scores, length, legal, start, end, best)
            wrong = 0
            margin = 0.0
            for i in range(length):
                right, guess = gold[first + i], best[i]
                if right != guess:
                    wrong += 1
                    margin += scores[i, guess] - scores[i, right]
                if i > 0:
                    margin += transitions[best[i - 1], guess] - transitions[gold[first + i - 1], right]
            if wrong == 0:
                continue
            norm = 0.0
            for i in range(length):
                right, guess = gold[first + i], best[i]
                if right != guess:
                    for k in range(starts[first + i], starts[first + i + 1]):
                        row = rows[k]
                        old = delta[row, right]
                        delta[row, right] = old + 1
                        norm += 2 * old + 1
                        old = delta[row, guess]
                        delta[row, guess] = old - 1
                        norm += 1 - 2 * old
                if i > 0:
                    delta_t[gold[first + i - 1], right] += 1
                    delta_t[best[i - 1], guess] -= 1
            for x in range(tags):
                for y in range(tags):
                    norm += delta_t[x, y] * delta_t[x, y]
            tau = min(aggressiveness, (margin + np.sqrt(wrong)) / max(norm, 1e-9))
            for i in range(length):
                if gold[first + i] != best[i]:
                    for k in range(starts[first + i], starts[first + i + 1]):
                        row = rows[k]
                        for y in (gold[first + i], best[i]):
                            change = tau * delta[row, y]
                            if change != 0:
                                weights[row, y] += change
                                drift[row, y] += (step - 1) * change
                                delta[row, y] = 0
            for x in range(tags):
                for y in range(tags):
                    change = tau * delta_t[x, y]
                    transitions[x, y] += change
                    drift_t[x, y] += (step - 1) * change
                    delta_t[x, y] = 0
    for row in range(n_rows):
        for y in range(tags):
            weights[row, y] -= drift[row, y] / step
    for x in range(tags):
        for y in range(tags):
            transitions[x, y] -= drift_t[x, y] / step
