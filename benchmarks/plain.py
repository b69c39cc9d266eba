"""A plain decoder on the same weights: strings looked up in a dict, Viterbi in a few lines of numpy.

It shares nothing with the compiled path but the weights and the look-up of terms, so that agreement
on every sentence says something about both the attributes and the decoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.strings import StringAttributes
from benchmarks.task import Sentences, Spans
from stages.common.tags import spans_of, to_bioes
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.hashing import hashes_of
from stages.featurize.attributes.lookup import RARE
from stages.featurize.attributes.terminology import CATEGORIES, Terminology
from stages.featurize.attributes.words import normalised, stem_of
from stages.train.extractor import Extractor

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """How two decoders agree.

    Parameters
    ----------
    sentences, identical : int
    ties : int
        Sentences that differ although both answers score the same to six digits.
    """

    sentences: int
    identical: int
    ties: int

    @property
    def holds(self) -> bool:
        """Tell whether no sentence differs for more than a tie."""
        return self.identical + self.ties == self.sentences


def viterbi(emissions: Scores, transitions: Scores, start: Scores, end: Scores) -> list[int]:
    """Return the best tag sequence; ties go to the tag that comes first.

    Parameters
    ----------
    emissions : array of shape (tokens, tags)
    transitions : array of shape (tags, tags)
    start, end : arrays of shape (tags,)
    """
    current, back = emissions[0] + start, []
    for scores in emissions[1:]:
        table = current[:, None] + transitions
        back.append(table.argmax(axis=0))
        current = table.max(axis=0) + scores
    path = [int((current + end).argmax())]
    for sources in reversed(back):
        path.append(int(sources[path[-1]]))
    return path[::-1]


def score_of(path: Sequence[int], emissions: Scores, transitions: Scores, start: Scores, end: Scores) -> float:
    """Return the score of a tag sequence."""
    inside = sum(float(transitions[a, b]) for a, b in pairwise(path))
    return float(emissions[range(len(path)), path].sum()) + inside + float(start[path[0]] + end[path[-1]])


class PlainDecoder:
    """Decodes with the weights of `tagger`, one string attribute after the other.

    Parameters
    ----------
    extractor : Extractor
        Its tagger must have a linear chain: what that decodes is compared.
    notes : sequence of list of list of str
        What will be decoded: the model has only hashes of rare words, which their own text can name.
    """

    def __init__(self, extractor: Extractor, notes: Sequence[Sentences]) -> None:
        tagger, attributes = extractor.tagger.chain, extractor.attributes
        if tagger is None:
            raise TypeError(f"the plain decoder knows the linear chain, not {type(extractor.tagger).__name__}")
        self.chain = tagger
        self.tags = tagger.tag_set.tags
        self._weights = tagger.weights.astype(np.float64)
        self._rows = _rows_by_name(attributes, notes)
        start, end = tagger.tag_set.ends()
        transitions = tagger.transitions + tagger.tag_set.illegal()
        self._around = transitions.astype(np.float64), start.astype(np.float64), end.astype(np.float64)
        self._names = StringAttributes(attributes.words.clusters_of(words_of(notes)), attributes.casing)
        self._terminology = attributes.terminology

    def tag(self, sentences: Sentences) -> list[Spans]:
        """Return the mentions of each sentence of a note."""
        return [self.spans(self.best(emissions)) for emissions in self.emissions(sentences)]

    def best(self, emissions: Scores) -> list[int]:
        """Return the best tag sequence of a sentence."""
        return viterbi(emissions, *self._around)

    def spans(self, path: Sequence[int]) -> Spans:
        """Return the mentions of a tag sequence."""
        return spans_of([self.tags[tag] for tag in path])

    def path(self, length: int, spans: Spans) -> list[int]:
        """Return the tag sequence of mentions."""
        return [self.tags.index(tag) for tag in to_bioes(length, spans)]

    def emissions(self, sentences: Sentences) -> list[Scores]:
        """Return the score of every tag at every token, by sentence."""
        known = self._rows
        return [
            np.stack(
                [self._weights[[row for n in names for row in known.get(n, ())]].sum(axis=0) for names in sentence]
            )
            for sentence in self._named(sentences)
        ]

    def _named(self, sentences: Sentences) -> Iterator[list[list[str]]]:
        """Name the attributes of every token, by sentence."""
        for words, sentence in zip(sentences, self._names.of_note(sentences), strict=True):
            for place, name in _of_terms(words, self._terminology):
                sentence[place].append(name)
            yield sentence

    def is_tie(self, emissions: Scores, a: Sequence[int], b: Sequence[int]) -> bool:
        """Tell whether two tag sequences score the same but for rounding."""
        return abs(score_of(a, emissions, *self._around) - score_of(b, emissions, *self._around)) < 1e-6 * len(a)


def _of_terms(words: Sequence[str], terminology: Terminology) -> Iterator[tuple[int, str]]:
    """Name the attributes of terms, read from left to right: the place in its sentence, and the name."""
    stems = hashes_of([stem_of(word) for word in words])
    lengths = terminology.longest(stems, np.array([0, len(words)], dtype=np.int64))
    for category, name in enumerate(CATEGORIES):
        end = 0
        for first, length in enumerate(lengths[:, category].tolist()):
            if not length or first < end:
                continue
            end = first + length
            for place, letter in zip(range(first, end), "S" if length == 1 else f"B{'I' * (length - 2)}E", strict=True):
                yield place, f"term={letter}-{name}"
                if place:
                    yield place - 1, f"+1term={letter}-{name}"
                if place + 1 < len(words):
                    yield place + 1, f"-1term={letter}-{name}"


def words_of(notes: Sequence[Sentences]) -> list[str]:
    """List the normalised words of notes, and their stems."""
    words = {word for sentences in notes for sentence in sentences for word in sentence}
    return sorted({*map(normalised, words), *map(stem_of, words)})


def _rows_by_name(attributes: AttributeExtractor, notes: Sequence[Sentences]) -> dict[str, list[int]]:
    """Map names to rows; a stem with a bar in it can give two rows one name."""
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(attributes.row_names(notes)):
        if RARE not in name:
            rows_of.setdefault(name, []).append(row)
    return rows_of


def compare_decoders(extractor: Extractor, notes: Sequence[Sentences]) -> Agreement:
    """Decode every sentence both ways."""
    plain = PlainDecoder(extractor, notes)
    total = identical = ties = 0
    for sentences in notes:
        fast = plain.chain.spans(extractor.read(sentences))
        for spans, emissions, tokens in zip(fast, plain.emissions(sentences), sentences, strict=True):
            path = plain.best(emissions)
            total += 1
            if plain.spans(path) == spans:
                identical += 1
            else:
                ties += plain.is_tie(emissions, path, plain.path(len(tokens), spans))
    return Agreement(total, identical, ties)
