"""The compiled loops that learn the weights of the linear chain.

What they cost is memory that is not in the cache. Four of five attributes of NCBI-disease are never
learned from and weigh nothing, but most of them would have to be fetched to find that out. So an
attribute has no number until it is first learned from; until then every place of it in the text
points to number 0, whose weights stay zero. Adding zero changes no sum, and the weights that are
not zero lie side by side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.common.compiled import kernel
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.kernels import Float32, Float64, Int8, Int32, Int64, emissions, viterbi

UInt32 = NDArray[np.uint32]


class Text(NamedTuple):
    """Attributes and tags of the training text.

    Parameters
    ----------
    starts, rows, sentence_starts
        As in `stages.featurize.attributes.tokens.SparseTokens`.
    gold : int8 array of shape (tokens,)
    place_starts : int64 array of shape (attributes + 1,)
    places : uint32 array of shape (len(rows),)
        ``places[place_starts[a]:place_starts[a + 1]]`` is where attribute ``a`` stands in `rows`.
    """

    starts: Int64
    rows: Int32
    sentence_starts: Int64
    gold: Int8
    place_starts: Int64
    places: UInt32


class Learned(NamedTuple):
    """What was learned of the attributes, by number; filled from 1 on, zeros before.

    Parameters
    ----------
    numbers : int32 array of shape (len(rows),)
        Number of each attribute of the text; 0 for one that was not learned from yet.
    attributes : int32 array of shape (attributes + 1,)
        Attribute of each number.
    weights : float32 array of shape (attributes + 1, tags)
    drift : float64 array of shape (attributes + 1, tags)
        What the average over `steps` lacks of the weights, times `steps`.
    counts : int32 array of shape (attributes + 1, tags)
        In one sentence: how much oftener an attribute has a tag in the right sequence than in the best.
    """

    numbers: Int32
    attributes: Int32
    weights: Float32
    drift: Float64
    counts: Int32


def text_of(tokens: SparseTokens, gold: NDArray[np.int8], attributes: int) -> Text:
    """Return the text to learn from.

    Parameters
    ----------
    tokens : SparseTokens
    gold : int8 array of shape (tokens,)
        Numbers of the tags.
    attributes : int
    """
    return Text(tokens.starts, tokens.rows, tokens.sentence_starts, gold, *places_of(tokens.rows, attributes))


def learn(
    text: Text, orders: Int32, illegal: Float32, start: Float32, end: Float32, aggressiveness: float
) -> tuple[Float32, Float32]:
    """Learn from a text; the parameters are those of `learn_passive_aggressive`.

    Returns
    -------
    weights : float32 array of shape (attributes, tags)
    transitions : float32 array of shape (tags, tags)
    """
    tags = len(illegal)
    shape = len(text.place_starts), tags
    # Made here and not in the compiled loop: NumPy takes no memory for zeros that are never touched.
    learned = Learned(
        np.zeros(len(text.rows), np.int32),
        np.zeros(len(text.place_starts), np.int32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float64),
        np.zeros(shape, np.int32),
    )
    transitions = np.zeros((tags, tags), dtype=np.float32)
    used = learn_passive_aggressive(text, learned, transitions, orders, illegal, start, end, aggressiveness)
    weights = np.zeros((shape[0] - 1, tags), dtype=np.float32)
    weights[learned.attributes[1 : used + 1]] = learned.weights[1 : used + 1]
    return weights, transitions


def places_of(rows: Int32, attributes: int) -> tuple[Int64, UInt32]:
    """Return `place_starts` and `places` of a text."""
    starts, places = _places_of(rows, attributes)
    return starts[:-1].copy(), places


@kernel
def _places_of(rows: Int32, attributes: int) -> tuple[Int64, UInt32]:
    starts = np.empty(attributes + 2, dtype=np.int64)
    for attribute in range(attributes + 2):
        starts[attribute] = 0
    for row in rows:
        starts[row + 2] += 1
    for attribute in range(attributes):
        starts[attribute + 2] += starts[attribute + 1]
    places = np.empty(len(rows), dtype=np.uint32)
    for k in range(len(rows)):  # starts[a + 1] moves from where a starts to where it ends
        places[starts[rows[k] + 1]] = k
        starts[rows[k] + 1] += 1
    return starts, places


@kernel(nogil=True)
def learn_passive_aggressive(
    text: Text,
    learned: Learned,
    transitions: Float32,
    orders: Int32,
    illegal: Float32,
    start: Float32,
    end: Float32,
    aggressiveness: float,
) -> int:
    """Learn by passive-aggressive updates and average over all steps.

    PA-I of Crammer et al. 2006 (Journal of Machine Learning Research 7), for sequences: where the
    best sequence is wrong, move the weights just far enough that the right one would win by the
    root of the number of wrong tags, but by no more than `aggressiveness`. Averaging over every
    step as in Collins 2002.

    Parameters
    ----------
    text : Text
    learned : Learned
        Zeros; its weights become the averages.
    transitions : float32 array of shape (tags, tags)
        The same.
    orders : int32 array of shape (iterations, sentences)
        The order of the sentences in each pass.
    illegal : float32 array of shape (tags, tags)
        0, or `FORBIDDEN` for transitions that no tag sequence has.
    start, end : float32 arrays of shape (tags,)
        The same for the first and last tag.
    aggressiveness : float

    Returns
    -------
    int
        The highest number of an attribute in `learned`.
    """
    tags = len(transitions)
    longest = 0
    for s in range(len(text.sentence_starts) - 1):
        longest = max(longest, text.sentence_starts[s + 1] - text.sentence_starts[s])
    scores = np.empty((longest, tags), dtype=np.float32)
    tagged = np.empty(longest, dtype=np.int8)
    # Averages are kept lazily: average = current - drift / steps.
    drift = np.empty((tags, tags), dtype=np.float64)
    counts = np.empty((tags, tags), dtype=np.int32)
    between = np.empty((tags, tags), dtype=np.float32)
    for x in range(tags):
        for y in range(tags):
            drift[x, y], counts[x, y], between[x, y] = 0.0, 0, transitions[x, y] + illegal[x, y]
    step = 0
    used: int = np.int64(0)  # type: ignore[assignment]  # of the type that it has later: a literal 0 is compiled once more
    for iteration in range(orders.shape[0]):
        for place in range(orders.shape[1]):
            s = orders[iteration, place]
            first, stop = text.sentence_starts[s], text.sentence_starts[s + 1]
            length = stop - first
            step += 1
            if length == 0:
                continue
            emissions(text.starts, learned.numbers, first, stop, learned.weights, scores)
            gold, best = text.gold[first:stop], tagged[:length]
            viterbi(scores, length, between, start, end, best)
            wrong, margin = _margin(scores, transitions, gold, best)
            if wrong == 0:
                continue
            used, norm = _count(text, learned, first, best, counts, used)
            tau = min(aggressiveness, (margin + np.sqrt(wrong)) / max(norm, 1e-9))
            _move(text, learned, first, best, tau, step - 1)
            for x in range(tags):
                for y in range(tags):
                    change = tau * counts[x, y]
                    transitions[x, y] += change
                    between[x, y] = transitions[x, y] + illegal[x, y]
                    drift[x, y] += (step - 1) * change
                    counts[x, y] = 0
    for number in range(1, used + 1):
        for y in range(tags):
            learned.weights[number, y] -= learned.drift[number, y] / step
    for x in range(tags):
        for y in range(tags):
            transitions[x, y] -= drift[x, y] / step
    return used


@kernel(inner=True)
def _margin(scores: Float32, transitions: Float32, gold: Int8, best: Int8) -> tuple[int, float]:
    """Return how many tags of the best sequence are wrong, and by how much it is ahead of the right one."""
    wrong, margin = 0, 0.0
    for i in range(len(gold)):
        right, guess = gold[i], best[i]
        if right != guess:
            wrong += 1
            margin += scores[i, guess] - scores[i, right]
        if i > 0:
            margin += transitions[best[i - 1], guess] - transitions[gold[i - 1], right]
    return wrong, margin


@kernel(inner=True)
def _count(text: Text, learned: Learned, first: int, best: Int8, transitions: Int32, used: int) -> tuple[int, int]:
    """Count how much oftener attributes and transitions are in the right sequence than in the best.

    Returns
    -------
    used : int
        The highest number, new attributes included.
    norm : int
        Sum of the squares of all counts.
    """
    norm = 0
    for i in range(len(best)):
        right, guess = text.gold[first + i], best[i]
        if right != guess:
            for k in range(text.starts[first + i], text.starts[first + i + 1]):
                if learned.numbers[k] == 0:
                    used += 1
                    _number(text, learned, text.rows[k], used)
                number = np.uint32(learned.numbers[k])  # no number is negative, which an index would be tested for
                norm += 2 * (learned.counts[number, right] - learned.counts[number, guess] + 1)
                learned.counts[number, right] += 1
                learned.counts[number, guess] -= 1
        if i > 0:
            transitions[text.gold[first + i - 1], right] += 1
            transitions[best[i - 1], guess] -= 1
    for x in range(len(transitions)):
        for y in range(len(transitions)):
            norm += transitions[x, y] * transitions[x, y]
    return used, norm


@kernel(inner=True)
def _number(text: Text, learned: Learned, attribute: int, number: int) -> None:
    """Give a number to an attribute that is about to be learned from."""
    learned.attributes[number] = attribute
    for p in range(text.place_starts[attribute], text.place_starts[attribute + 1]):
        learned.numbers[text.places[p]] = number


@kernel(inner=True)
def _move(text: Text, learned: Learned, first: int, best: Int8, tau: float, steps: int) -> None:
    """Add `tau` times the counts to the weights, and set the counts back to zero."""
    for i in range(len(best)):
        right, guess = text.gold[first + i], best[i]
        if right != guess:
            for k in range(text.starts[first + i], text.starts[first + i + 1]):
                number = np.uint32(learned.numbers[k])
                for y in (right, guess):
                    change = tau * learned.counts[number, y]
                    if change != 0:
                        learned.weights[number, y] += change
                        learned.drift[number, y] += steps * change
                        learned.counts[number, y] = 0
