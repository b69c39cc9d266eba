"""The attribute extractor: tokens in, rows of a sparse matrix out. Training and production share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from stages.common.files import read_table, write_table
from stages.featurize import kernels
from stages.featurize.abbreviations import AbbreviationReader
from stages.featurize.casing import LEAST_WORDS, Casing, usual_forms
from stages.featurize.clusters import Clusters
from stages.featurize.forms import FormTable, Lexicon
from stages.featurize.index import AttributeIndex
from stages.featurize.terminology import ATTRIBUTES, NOTHING, Terminology
from stages.featurize.terminology_kernels import places
from stages.featurize.tokens import SparseTokens, Surface
from stages.featurize.words import OFFSETS, analyse, normalised

Sentences = Sequence[Sequence[str]]

_KEYS = 1 << 18  # pairs collected before those that are known already are dropped

_NAMES = pa.schema([("name", pa.string()), ("row", pa.int32())])
_PAIRS = pa.schema([("key", pa.uint64()), ("row", pa.int32())])
_SYMBOLS = pa.schema([("kind", pa.int8()), ("symbol", pa.string())])
_CASING = pa.schema([("word", pa.string()), ("usual", pa.string())])
_WORDS = pa.schema([("word", pa.string()), ("clusters", pa.list_(pa.string()))])


class AttributeExtractor:
    """Turns the sentences of a context into attribute rows.

    Build one with `learn` (from training text) or `load`. Word forms are analysed once and
    cached; the cache is emptied when it holds more than `cache_size` forms.
    """

    def __init__(
        self,
        *,
        names: dict[str, int],
        pairs: tuple[NDArray[np.uint64], NDArray[np.int32]],
        symbols: tuple[dict[str, int], dict[str, int], dict[str, int]],
        clusters: Clusters,
        vocabulary: frozenset[str],
        usual: dict[str, str],
        terminology: Terminology = NOTHING,
        cache_size: int = 1 << 19,
    ) -> None:
        self.names, self.pairs, self.symbols = names, pairs, symbols
        self.clusters, self.vocabulary = clusters, vocabulary
        self.casing, self.terminology = Casing(usual, vocabulary), terminology
        self.n_rows = 1 + max([max(names.values(), default=-1), int(pairs[1].max(initial=-1))])
        self._cache_size = cache_size
        self._table = kernels.build_table(*pairs)
        self._positions = np.array([names.get(name, -1) for name in kernels.POSITIONS], dtype=np.int32)
        self._term_rows = _term_rows(names)
        self._lexicon = Lexicon(AttributeIndex(names), symbols, clusters, vocabulary)
        self._weights: NDArray[np.float32] | None = None
        self._forms = FormTable(self._lexicon)

    @classmethod
    def learn(
        cls, contexts: Iterable[Sentences], clusters: Clusters, terminology: Terminology = NOTHING
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
        """
        return _Learner(clusters, usual_forms(contexts), terminology).learn(contexts)

    def transform(self, sentences: Sentences) -> SparseTokens:
        """Return the attribute rows of the sentences of one context.

        Attributes that training never saw have no row and are left out.
        """
        table, forms, sentence_starts = self._number(sentences)
        if _says_nothing_by_capitals(table.flags(forms)):
            sentences = self.casing.recased(sentences)
            table, forms, sentence_starts = self._number(sentences)
        extra_starts, extra_rows, long_forms = self._abbreviations(sentences, sentence_starts)
        surface = table.surface(forms)
        terms = self.terminology.longest(surface.stems, sentence_starts)
        starts, rows = kernels.rows_of_tokens(
            forms,
            sentence_starts,
            *table.arrays(),
            self._positions,
            *self._table,
            extra_starts,
            extra_rows,
            places(terms),
            self._term_rows,
        )
        contexts = np.zeros(len(sentences), dtype=np.int32)
        everything = Surface(*surface, long_forms, terms, contexts)
        return SparseTokens(starts, rows, sentence_starts, everything, table.scores(forms))

    def counts(self, contexts: Iterable[Sentences]) -> NDArray[np.int64]:
        """Count how often each attribute occurs."""
        total = np.zeros(self.n_rows, dtype=np.int64)
        for sentences in contexts:
            total += np.bincount(self.transform(sentences).rows, minlength=self.n_rows)
        return total

    def pruned(self, keep: NDArray[np.bool_]) -> AttributeExtractor:
        """Return an extractor with only the rows of `keep`, numbered anew in the same order."""
        renumbered = np.cumsum(keep, dtype=np.int32) - 1
        kept = keep[self.pairs[1]]
        return AttributeExtractor(
            names={name: int(renumbered[row]) for name, row in self.names.items() if keep[row]},
            pairs=(self.pairs[0][kept], renumbered[self.pairs[1][kept]]),
            symbols=self.symbols,
            clusters=self.clusters,
            vocabulary=self.vocabulary,
            usual=dict(self.casing.usual),
            terminology=self.terminology,
        )

    def summing(self, weights: NDArray[np.float32]) -> AttributeExtractor:
        """Return an extractor for a linear model that sums the weights of a word form once, and not for every token.

        Parameters
        ----------
        weights : float32 array of shape (rows, tags)
            Of the model; its tokens are of no use to another one.
        """
        other = copy(self)
        other._weights, other._forms = weights, FormTable(self._lexicon, weights)
        return other

    def row_names(self) -> list[str]:
        """Return a readable name for each row."""
        names = [""] * self.n_rows
        for name, row in self.names.items():
            names[row] = name
        back = [["", *symbols] for symbols in self.symbols]
        mask = kernels.MOST_SYMBOLS
        for key, row in zip(self.pairs[0].tolist(), self.pairs[1].tolist(), strict=True):
            kind, which = kernels.KINDS[key >> (3 * kernels.SYMBOL_BITS)]
            parts = [back[which][(key >> (shift * kernels.SYMBOL_BITS)) & mask] for shift in (2, 1, 0)]
            names[row] = f"{kind}={'|'.join(part for part in parts if part)}"
        return names

    def save(self, folder: Path) -> None:
        """Write the extractor as six Parquet tables."""
        folder.mkdir(parents=True, exist_ok=True)
        names = pd.DataFrame({"name": list(self.names), "row": list(self.names.values())})
        write_table(folder / "names.parquet", names, _NAMES)
        write_table(folder / "pairs.parquet", pd.DataFrame({"key": self.pairs[0], "row": self.pairs[1]}), _PAIRS)
        symbols = [(kind, symbol) for kind, known in enumerate(self.symbols) for symbol in known]
        write_table(folder / "symbols.parquet", pd.DataFrame(symbols, columns=_SYMBOLS.names), _SYMBOLS)
        words = sorted(self.vocabulary | self.clusters.keys())
        table = pd.DataFrame({"word": words, "clusters": [list(self.clusters.get(word, ())) for word in words]})
        write_table(folder / "words.parquet", table, _WORDS)
        usual = pd.DataFrame(list(self.casing.usual.items()), columns=_CASING.names)
        write_table(folder / "casing.parquet", usual, _CASING)
        self.terminology.save(folder / "terminology.parquet")

    @classmethod
    def load(cls, folder: Path) -> AttributeExtractor:
        """Read what `save` wrote."""
        names = read_table(folder / "names.parquet")
        pairs = read_table(folder / "pairs.parquet")
        symbols = read_table(folder / "symbols.parquet")
        words = read_table(folder / "words.parquet")
        casing = read_table(folder / "casing.parquet")
        known = [symbols.loc[symbols["kind"] == kind, "symbol"] for kind in range(3)]
        return cls(
            names=dict(zip(names["name"], names["row"].tolist(), strict=True)),
            pairs=(pairs["key"].to_numpy(np.uint64), pairs["row"].to_numpy(np.int32)),
            symbols=(_numbered(known[0]), _numbered(known[1]), _numbered(known[2])),
            clusters={w: tuple(c) for w, c in zip(words["word"], words["clusters"], strict=True) if len(c)},
            vocabulary=frozenset(words["word"]),
            usual=dict(zip(casing["word"], casing["usual"], strict=True)),
            terminology=Terminology.load(folder / "terminology.parquet"),
        )

    def _number(self, sentences: Sentences) -> tuple[FormTable, NDArray[np.int32], NDArray[np.int64]]:
        """Return the numbers of the tokens, the table that knows them, and where sentences start."""
        table = self._forms
        if len(table) > self._cache_size:
            table = self._forms = FormTable(self._lexicon, self._weights)
        starts = np.zeros(len(sentences) + 1, dtype=np.int64)
        np.cumsum([len(sentence) for sentence in sentences], out=starts[1:])
        return table, table.number(sentences, int(starts[-1])), starts

    def _abbreviations(
        self, sentences: Sentences, sentence_starts: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int16]]:
        reader = AbbreviationReader()
        found = [
            (first + position, self.names[name])
            for first, sentence in zip(sentence_starts.tolist(), sentences, strict=False)
            for position, name in reader.attributes(sentence)
            if name in self.names
        ]
        found.sort()
        table = np.array(found, dtype=np.int64).reshape(-1, 2)
        starts = np.searchsorted(table[:, 0], np.arange(sentence_starts[-1] + 1))
        long_forms = np.zeros(sentence_starts[-1], dtype=np.int16)
        for sentence, long_start, short in reader.short_forms:
            long_forms[sentence_starts[sentence] + short] = short - long_start
        return starts.astype(np.int64), table[:, 1].astype(np.int32), long_forms


class _Learner:
    """Numbers attributes and symbols in order of first appearance."""

    def __init__(self, clusters: Clusters, usual: dict[str, str], terminology: Terminology) -> None:
        self.clusters, self.usual, self.terminology = clusters, usual, terminology
        of_terms = np.ravel(ATTRIBUTES).tolist() if len(terminology) else []
        self.names: dict[str, int] = {name: row for row, name in enumerate([*kernels.POSITIONS, *of_terms])}
        self.symbols: tuple[dict[str, int], dict[str, int], dict[str, int]] = ({}, {}, {})
        self.form_symbols: dict[str, tuple[int, ...]] = {}

    def learn(self, contexts: Iterable[Sentences]) -> AttributeExtractor:
        words = {normalised(word) for sentences in contexts for sentence in sentences for word in sentence}
        known = frozenset(words | self.clusters.keys())
        casing = Casing(self.usual, known)
        distinct = np.empty(0, dtype=np.uint64)
        keys: list[NDArray[np.uint64]] = []
        pending = 0
        for written in contexts:
            sentences = casing.recased(written)
            self._collect_names(sentences)
            keys.append(self._pair_keys(sentences))
            pending += len(keys[-1])
            if pending > max(_KEYS, len(distinct)):
                distinct, keys, pending = np.unique(np.concatenate([distinct, *keys])), [], 0
        distinct = np.unique(np.concatenate([distinct, *keys]))
        rows = np.arange(len(self.names), len(self.names) + len(distinct), dtype=np.int32)
        return AttributeExtractor(
            names=self.names,
            pairs=(distinct, rows),
            symbols=self.symbols,
            clusters=self.clusters,
            vocabulary=known,
            usual=self.usual,
            terminology=self.terminology,
        )

    def _collect_names(self, sentences: Sentences) -> None:
        reader = AbbreviationReader()
        for sentence in sentences:
            for token in sentence:
                if token not in self.form_symbols:
                    self._collect_form(token)
            for _, name in reader.attributes(sentence):
                self.names.setdefault(name, len(self.names))

    def _collect_form(self, token: str) -> None:
        form = analyse(token, self.clusters)
        for names in form.attributes:
            for name in names:
                self.names.setdefault(name, len(self.names))
        parts = (form.stem, form.cluster, form.compressed)
        numbers = tuple(known.setdefault(part, len(known) + 1) for known, part in zip(self.symbols, parts, strict=True))
        if max(numbers) > kernels.MOST_SYMBOLS:
            raise OverflowError(f"more than {kernels.MOST_SYMBOLS} distinct word stems in the training text")
        self.form_symbols[token] = numbers

    def _pair_keys(self, sentences: Sentences) -> NDArray[np.uint64]:
        tokens = [self.form_symbols[token] for sentence in sentences for token in sentence]
        symbols = np.array(tokens, dtype=np.int32).reshape(-1, 3).T.copy()
        starts = np.concatenate([[0], np.cumsum([len(s) for s in sentences], dtype=np.int64)])
        keys = kernels.pair_keys(symbols, starts)
        return np.unique(keys[keys != kernels.EMPTY])


def _says_nothing_by_capitals(flags: NDArray[np.int8]) -> bool:
    """Tell whether a context has so many shouting words, or so few capitals, that `Casing` has to look at it."""
    return np.count_nonzero(flags & kernels.SHOUTS) >= LEAST_WORDS or not (flags & kernels.CAPITALISED).any()


def _term_rows(names: Mapping[str, int]) -> NDArray[np.int32]:
    """Return the row of each place in a term, by offset and category; -1 outside of terms, and for what was pruned."""
    rows = np.vectorize(lambda name: names.get(name, -1), otypes=[np.int32])(ATTRIBUTES)
    return np.concatenate([np.full_like(rows[..., :1], -1), rows], axis=-1)


def _numbered(symbols: Iterable[str]) -> dict[str, int]:
    return {symbol: number for number, symbol in enumerate(symbols, start=1)}


assert len(OFFSETS) == 7, "the kernels lay out seven offsets a form"
