"""Collecting the attributes of the training text, and deciding which of them keep their names.

A word that occurs in few documents and in no terminology may name a patient or a doctor. Its attributes are
learned and found again by their hashes; their names, and pieces of it that no other word has, are not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes import kernels
from stages.featurize.attributes.abbreviations import AbbreviationReader
from stages.featurize.attributes.casing import Casing, usual_forms
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.forms import Symbols
from stages.featurize.attributes.index import AttributeIndex
from stages.featurize.attributes.lookup import Lookup, Words, by_hash
from stages.featurize.attributes.parts import AttributeParts, Sentences
from stages.featurize.attributes.terminology import ATTRIBUTES, NOTHING, Terminology
from stages.featurize.attributes.words import WordForm, analyse, normalised
from stages.featurize.clusters import Clusters

_KEYS = 1 << 18  # pairs collected before those that are known already are dropped
_OF_ALL_WORDS = ("SF", "SFdef", "LF=B", "LF=I", "LF=E", *kernels.POSITIONS, *np.ravel(ATTRIBUTES).tolist())
_LAST_OF_STEM = ("SFs4", "SFf4")


def collect_attributes(
    contexts: Iterable[Sentences],
    clusters: Clusters,
    terminology: Terminology = NOTHING,
    *,
    named_documents: int = 1,
) -> AttributeExtractor:
    """Collect every attribute of the training text, in order of first appearance.

    Parameters
    ----------
    contexts : iterable of sequences of sequences of str
        Tokens by sentence; abbreviations carry over within a context. Walked through three times,
        so not a generator.
    clusters : dict of str to tuple of str
        From `stages.featurize.clusters.learn_clusters`.
    terminology : Terminology
        Looked up in the text; nothing is learned of it.
    named_documents : int
        Contexts in which a word that is in no terminology must occur for its name to be kept; of the
        others, only hashes are.
    """
    parts = Collector(clusters, usual_forms(contexts), terminology, named_documents).collect(contexts)
    return AttributeExtractor(**vars(parts), terminology=terminology)


class Collector:
    """Numbers attributes and symbols in order of first appearance.

    Parameters
    ----------
    clusters : dict of str to tuple of str
    usual : dict of str to str
        From `stages.featurize.attributes.casing.usual_forms`.
    terminology : Terminology
        Its words may be named, however rare.
    named_documents : int
        Documents in which any other word must occur to be named.
    """

    def __init__(
        self, clusters: Clusters, usual: dict[str, str], terminology: Terminology, named_documents: int
    ) -> None:
        self.clusters, self.usual, self.terminology = clusters, usual, terminology
        self._least = named_documents
        self._documents: Counter[str] = Counter()
        of_terms = np.ravel(ATTRIBUTES).tolist() if len(terminology) else []
        self._names: dict[str, int] = {name: row for row, name in enumerate([*kernels.POSITIONS, *of_terms])}
        self._symbols: tuple[dict[str, int], dict[str, int], dict[str, int]] = ({}, {}, {})
        self._form_symbols: dict[str, tuple[int, ...]] = {}

    def collect(self, contexts: Iterable[Sentences]) -> AttributeParts:
        """Walk through the training text, twice."""
        words = {normalised(word) for sentences in contexts for sentence in sentences for word in sentence}
        known = by_hash(words | self.clusters.keys())
        casing = Casing.of(self.usual, known)
        pairs = self._collect(contexts, casing)
        rows = np.arange(len(self._names), len(self._names) + len(pairs), dtype=np.int32)
        forms = [analyse(form, self.clusters) for form in self._named_forms()]
        stems = {form.stem for form in forms}
        told_words = {form.word for form in forms}
        stem_symbols, cluster_symbols, shapes = self._symbols
        return AttributeParts(
            AttributeIndex.of(self._names, self._named(forms, stems)),
            (pairs, rows),
            Symbols(Lookup.of(stem_symbols, stems), Lookup.of(cluster_symbols), Lookup.of(shapes)),
            Words(Lookup.of(known, told_words), [self.clusters.get(word, ()) for word in known]),
            casing,
        )

    def _collect(self, contexts: Iterable[Sentences], casing: Casing) -> NDArray[np.uint64]:
        """Give numbers to names and symbols, and return the keys of all pairs, ascending."""
        distinct = np.empty(0, dtype=np.uint64)
        keys: list[NDArray[np.uint64]] = []
        pending = 0
        for written in contexts:
            sentences = casing.recased(written)
            self._documents.update({form.lower() for form in set(chain.from_iterable(sentences))})
            self._collect_names(sentences)
            keys.append(self._pair_keys(sentences))
            pending += len(keys[-1])
            if pending > max(_KEYS, len(distinct)):
                distinct, keys, pending = np.unique(np.concatenate([distinct, *keys])), [], 0
        return np.unique(np.concatenate([distinct, *keys]))

    def _collect_names(self, sentences: Sentences) -> None:
        reader = AbbreviationReader()
        for sentence in sentences:
            for token in sentence:
                if token not in self._form_symbols:
                    self._collect_form(token)
            for _, name in reader.attributes(sentence):
                self._names.setdefault(name, len(self._names))

    def _collect_form(self, token: str) -> None:
        form = analyse(token, self.clusters)
        for names in form.attributes:
            for name in names:
                self._names.setdefault(name, len(self._names))
        parts = (form.stem, form.cluster, form.compressed)
        numbers = tuple(
            known.setdefault(part, len(known) + 1) for known, part in zip(self._symbols, parts, strict=True)
        )
        if max(numbers) > kernels.MOST_SYMBOLS:
            raise OverflowError(f"more than {kernels.MOST_SYMBOLS} distinct word stems in the training text")
        self._form_symbols[token] = numbers

    def _pair_keys(self, sentences: Sentences) -> NDArray[np.uint64]:
        tokens = [self._form_symbols[token] for sentence in sentences for token in sentence]
        symbols = np.array(tokens, dtype=np.int32).reshape(-1, 3).T.copy()
        starts = np.concatenate([[0], np.cumsum([len(s) for s in sentences], dtype=np.int64)])
        keys = kernels.pair_keys(symbols, starts)
        return np.unique(keys[keys != kernels.EMPTY])

    def _named_forms(self) -> list[str]:
        """Return the forms of words that may be named.

        A number is no word of a terminology, although terms are compared with every digit as 0: it may be a
        patient's.
        """
        forms = list(self._form_symbols)
        in_terms = self.terminology.has_words(forms).tolist()
        return [
            form
            for form, is_term in zip(forms, in_terms, strict=True)
            if self._documents[form.lower()] >= self._least or (is_term and not any(map(str.isdigit, form)))
        ]

    def _named(self, forms: Iterable[WordForm], stems: Collection[str]) -> set[str]:
        """Return the names of attributes that may be kept: what words that may be named have."""
        named = {name for form in forms for names in form.attributes for name in names}
        ends = {stem[-4:] for stem in stems}
        return named.union(_OF_ALL_WORDS, (name for name in self._names if _is_of_stems(name, stems, ends)))


def _is_of_stems(name: str, stems: Collection[str], ends: Collection[str]) -> bool:
    """Tell whether what a short form says of its long form is made of these stems only."""
    kind, _, value = name.partition("=")
    if kind in ("SFl", "SFf"):
        return value in stems
    if kind in _LAST_OF_STEM:
        return value in ends
    bars = (place for place, letter in enumerate(value) if letter == "|")
    return kind == "SFbg" and any(value[:place] in stems and value[place + 1 :] in stems for place in bars)
