"""The attribute extractor: tokens in, rows of a sparse matrix out. Training and production share it."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.common.seal import check_seal, sealing
from stages.featurize.attributes import kernels
from stages.featurize.attributes.abbreviations import AbbreviationReader
from stages.featurize.attributes.casing import LEAST_WORDS, Casing
from stages.featurize.attributes.forms import FormTable, Lexicon, Symbols
from stages.featurize.attributes.index import AttributeIndex
from stages.featurize.attributes.lookup import Words
from stages.featurize.attributes.parts import AttributeParts, Sentences
from stages.featurize.attributes.storage import read_parts, write_parts
from stages.featurize.attributes.terminology import ATTRIBUTES, NOTHING, Terminology
from stages.featurize.attributes.terminology_kernels import places
from stages.featurize.attributes.tokens import SparseTokens, Surface
from stages.featurize.attributes.words import OFFSETS

TERMINOLOGY = "terminology.parquet"


class AttributeExtractor:
    """Turns the sentences of a context into attribute rows.

    `stages.featurize.learning` makes one from training text, `load` reads one. Word forms are analysed once and cached;
    the cache is emptied when it holds more than `cache_size` forms.
    """

    def __init__(
        self,
        *,
        index: AttributeIndex,
        pairs: tuple[NDArray[np.uint64], NDArray[np.int32]],
        symbols: Symbols,
        words: Words,
        casing: Casing,
        terminology: Terminology = NOTHING,
        cache_size: int = 1 << 19,
    ) -> None:
        self.index, self.pairs, self.symbols, self.words = index, pairs, symbols, words
        self.casing, self.terminology = casing, terminology
        self.n_rows = 1 + max([int(index.rows.max(initial=-1)), int(pairs[1].max(initial=-1))])
        self._cache_size = cache_size
        self._table = kernels.build_table(*pairs)
        self._positions = index.rows_of(kernels.POSITIONS)
        self._term_rows = _term_rows(index)
        self._lexicon = Lexicon(index, symbols, words)
        self._weights: NDArray[np.float32] | None = None
        self._forms = FormTable(self._lexicon)

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
        form_starts, form_rows, symbols, flags = table.arrays()
        pairs = kernels.pair_keys(np.ascontiguousarray(symbols[forms].T), sentence_starts)
        starts, rows = kernels.rows_of_tokens(
            forms,
            sentence_starts,
            form_starts,
            form_rows,
            flags,
            self._positions,
            kernels.find_all(pairs, *self._table),
            extra_starts,
            extra_rows,
            places(terms),
            self._term_rows,
        )
        contexts = np.zeros(len(sentences), dtype=np.int32)
        everything = Surface(*surface, long_forms, terms, contexts)
        return SparseTokens(starts, rows[: starts[-1]].copy(), sentence_starts, everything, table.scores(forms))

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
            index=self.index.pruned(keep, renumbered),
            pairs=(self.pairs[0][kept], renumbered[self.pairs[1][kept]]),
            symbols=self.symbols,
            words=self.words,
            casing=self.casing,
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

    def row_names(self, contexts: Iterable[Sentences] = ()) -> list[str]:
        """Return a readable name for each row.

        Parameters
        ----------
        contexts : iterable of sequences of sequences of str
            Texts whose own words are named, too, where the extractor has only their hashes. What is named in
            neither way is called `lookup.RARE`, behind its kind or its offset.
        """
        read = [self.casing.recased(sentences) for sentences in contexts]
        forms = self._lexicon.analyse(sorted({form for note in read for sentence in note for form in sentence}))
        more = {name for form in forms for names in form.attributes for name in names}
        for note in read:
            reader = AbbreviationReader()
            more.update(name for sentence in note for _, name in reader.attributes(sentence))
        names = [""] * self.n_rows
        for row, name in self.index.names(more).items():
            names[row] = name
        own = ({form.stem for form in forms}, {form.cluster for form in forms}, {form.compressed for form in forms})
        back = [["", *known.named(more)] for known, more in zip(self.symbols, own, strict=True)]
        mask = kernels.MOST_SYMBOLS
        for key, row in zip(self.pairs[0].tolist(), self.pairs[1].tolist(), strict=True):
            kind, which = kernels.KINDS[key >> (3 * kernels.SYMBOL_BITS)]
            parts = [back[which][(key >> (shift * kernels.SYMBOL_BITS)) & mask] for shift in (2, 1, 0)]
            names[row] = f"{kind}={'|'.join(part for part in parts if part)}"
        return names

    def save(self, folder: Path) -> None:
        """Write the extractor as six Parquet tables and a manifest of them."""
        with sealing(folder):
            write_parts(folder, AttributeParts(self.index, self.pairs, self.symbols, self.words, self.casing))
            self.terminology.save(folder / TERMINOLOGY)

    @classmethod
    def load(cls, folder: Path) -> AttributeExtractor:
        """Read what `save` wrote.

        Raises
        ------
        ModelError
            When a file is missing or not what was saved.
        """
        check_seal(folder)
        return cls(**vars(read_parts(folder)), terminology=Terminology.load(folder / TERMINOLOGY))

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
        named = [
            (first + position, name)
            for first, sentence in zip(sentence_starts.tolist(), sentences, strict=False)
            for position, name in reader.attributes(sentence)
        ]
        rows = self.index.rows_of([name for _, name in named]).tolist() if named else []
        known = sorted((position, row) for (position, _), row in zip(named, rows, strict=True) if row >= 0)
        table = np.array(known, dtype=np.int64).reshape(-1, 2)
        starts = np.searchsorted(table[:, 0], np.arange(sentence_starts[-1] + 1))
        long_forms = np.zeros(sentence_starts[-1], dtype=np.int16)
        for sentence, long_start, short in reader.short_forms:
            long_forms[sentence_starts[sentence] + short] = short - long_start
        return starts.astype(np.int64), table[:, 1].astype(np.int32), long_forms


def _says_nothing_by_capitals(flags: NDArray[np.int8]) -> bool:
    """Tell whether a context has so many shouting words, or so few capitals, that `Casing` has to look at it."""
    return np.count_nonzero(flags & kernels.SHOUTS) >= LEAST_WORDS or not (flags & kernels.CAPITALISED).any()


def _term_rows(index: AttributeIndex) -> NDArray[np.int32]:
    """Return the row of each place in a term, by offset and category; -1 outside of terms, and for what was pruned."""
    rows = index.rows_of(np.ravel(ATTRIBUTES).tolist()).reshape(np.shape(ATTRIBUTES))
    return np.concatenate([np.full_like(rows[..., :1], -1), rows], axis=-1)


assert len(OFFSETS) == 7, "the kernels lay out seven offsets a form"
