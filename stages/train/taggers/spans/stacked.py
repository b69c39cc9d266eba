"""The tagger in two steps: a CRF proposes spans with their exact posteriors, a span model judges them.

The CRF sees a few words at a time. Whether a span is a mention also depends on what a chain cannot
see: how the same phrase fares elsewhere in the note, what its long form is, how often training
marked it and how often not, whether its brackets close. The span model learns that from
out-of-fold candidates (stacking, Wolpert 1992), so that it knows the CRF as it behaves on text
that it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stages.common.checked import Header, read_header
from stages.common.files import write_json
from stages.common.tags import TokenSpan
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.calibration import fit_scaling
from stages.train.taggers.chain.candidates import Candidates, beside, tagged_spans
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.spans import tree_kernels
from stages.train.taggers.spans.evidence.evidence import NAMES, gather_evidence
from stages.train.taggers.spans.out_of_fold import cross_scores, fold_of, propose_out_of_fold
from stages.train.taggers.spans.statistics import SpanStatistics, span_table
from stages.train.taggers.spans.trees import BoostedTrees
from stages.train.taggers.tagger import TaggedSpan, Tagger

if TYPE_CHECKING:
    from stages.train.params import TrainParams

_THRESHOLDS = np.arange(0.20, 0.61, 0.02)
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Header(Header):
    """What ``spans.json`` says."""

    threshold: float = Field(gt=0, lt=1)
    scaling: tuple[_Finite, _Finite]


@dataclass(frozen=True)
class StackedTagger:
    """A CRF, what training says of spans, and trees that weigh both.

    Parameters
    ----------
    crf : CrfTagger
    statistics : SpanStatistics
    trees : BoostedTrees
    threshold : float
        Probability that a span must exceed; the one with the best strict F1 in cross-validation.
    scaling : (float, float)
        Slope and intercept that calibrate the log odds, fitted out of fold.
    out_of_fold : OutOfFold, optional
        The mentions found while learning, in documents that the judges had not seen; not saved.
    """

    crf: CrfTagger
    statistics: SpanStatistics
    trees: BoostedTrees
    threshold: float
    scaling: tuple[float, float] = (1.0, 0.0)
    out_of_fold: OutOfFold | None = field(default=None, compare=False, repr=False)

    @classmethod
    def fit(
        cls,
        tokens: SparseTokens,
        spans: Sequence[Sequence[TokenSpan]],
        *,
        documents: Sequence[str],
        n_rows: int,
        params: TrainParams,
    ) -> Self:
        """Learn the CRF from everything, and the trees from what out-of-fold CRFs propose."""
        crf = CrfTagger.fit(tokens, spans, n_rows=n_rows, params=params)
        labels = crf.tag_set.labels
        folds = fold_of(documents, params.span.folds)
        crf, candidates, table = propose_out_of_fold(crf, tokens, spans, folds, n_rows, params)
        truth = span_table(tokens, spans, labels)
        right = _is_in(candidates.spans, truth)
        odds = cross_scores(table, right, folds[candidates.spans[:, 0]], params)
        threshold = _best_threshold(candidates, odds, right, len(truth), tokens.sentences)
        chosen = _choose(candidates, odds, threshold, tokens.sentences)
        scaling = fit_scaling(odds[chosen], right[chosen])
        return cls(
            crf,
            SpanStatistics.learn(tokens, spans, labels),
            BoostedTrees.fit(table, right, params.span, params.seed),
            threshold,
            scaling,
            OutOfFold(candidates.spans[chosen, 0], table[chosen], _calibrated(odds[chosen], scaling), right[chosen]),
        )

    def spans(self, tokens: SparseTokens) -> list[list[TokenSpan]]:
        """Return the mentions of each sentence."""
        return [[span[:3] for span in sentence] for sentence in self.tag(tokens)]

    def tag(self, tokens: SparseTokens) -> list[list[TaggedSpan]]:
        """Return the mentions of each sentence with the calibrated probability that they are right."""
        candidates, odds = self.judge(tokens)
        chosen = _choose(candidates, odds, self.threshold, tokens.sentences)
        return self._named(candidates, self.confidence(odds), chosen, tokens)

    def tag_and_suggest(
        self, tokens: SparseTokens, least: float
    ) -> tuple[list[list[TaggedSpan]], list[list[TaggedSpan]]]:
        """Return the mentions, and beside them the spans whose calibrated probability is at least `least`."""
        candidates, odds = self.judge(tokens)
        chosen = _choose(candidates, odds, self.threshold, tokens.sentences)
        confidence = self.confidence(odds)
        possible = beside(candidates, confidence, candidates.spans[chosen, 1:3], least, tokens)
        tagged, suggested = (self._named(candidates, confidence, those, tokens) for those in (chosen, possible))
        return tagged, suggested

    def _named(
        self, candidates: Candidates, confidence: NDArray[np.float64], chosen: NDArray[np.bool_], tokens: SparseTokens
    ) -> list[list[TaggedSpan]]:
        return tagged_spans(candidates.spans[chosen], confidence[chosen], self.crf.tag_set.labels, tokens)

    def confidence(self, odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated probability that candidates with these log odds are mentions."""
        return _calibrated(odds, self.scaling)

    def judge(self, tokens: SparseTokens) -> tuple[Candidates, NDArray[np.float64]]:
        """Return the candidates of the text and the log odds that each is a mention."""
        candidates = self.crf.candidates(tokens)
        return candidates, self.trees.log_odds(gather_evidence(candidates, tokens, self.statistics))

    def calibrated(self, tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]]) -> Self:
        """Return the same tagger: it was calibrated out of fold, on more than any held-out part."""
        return self

    def like(self, other: Self) -> Self:
        """Return the same tagger with the calibration of `other`."""
        return replace(self, scaling=other.scaling)

    def linear_weights(self) -> NDArray[np.float32]:
        """Return the weights of the CRF by attribute and tag."""
        return self.crf.weights

    def used_rows(self) -> NDArray[np.bool_]:
        """Tell which attributes have any weight."""
        return self.crf.used_rows()

    def pruned(self, keep: NDArray[np.bool_]) -> Self:
        """Return the same tagger over the attributes of `keep` only."""
        return replace(self, crf=self.crf.pruned(keep))

    def save(self, folder: Path) -> None:
        """Write the parts below `folder`; no pickle."""
        self.crf.save(folder / "crf")
        self.statistics.save(folder / "statistics")
        self.trees.save(folder / "trees")
        write_json(folder / "spans.json", {"threshold": self.threshold, "scaling": list(self.scaling)}, digits=6)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ModelError
            When a file is missing, or the parts do not fit each other.
        """
        header = read_header(folder / "spans.json", _Header)
        crf = CrfTagger.load(folder / "crf")
        return cls(
            crf,
            SpanStatistics.load(folder / "statistics", len(crf.tag_set.labels)),
            BoostedTrees.load(folder / "trees", len(NAMES)),
            header.threshold,
            header.scaling,
        )


def chain_of(tagger: Tagger) -> CrfTagger | None:
    """Return the linear chain of a tagger, or None for a family that has none."""
    if isinstance(tagger, CrfTagger):
        return tagger
    return tagger.crf if isinstance(tagger, StackedTagger) else None


@dataclass(frozen=True)
class OutOfFold:
    """Mentions that were found in documents which neither CRF nor trees had learned from.

    Parameters
    ----------
    sentences : int32 array of shape (mentions,)
    evidence : float32 array of shape (mentions, columns)
        Columns as in `stages.train.taggers.spans.evidence.evidence.NAMES`.
    confidence : float64 array of shape (mentions,)
        Calibrated.
    right : bool array of shape (mentions,)
        Whether the mention is exactly a gold one: what a reviewer would accept.
    """

    sentences: NDArray[np.int32]
    evidence: NDArray[np.float32]
    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]


def _calibrated(odds: NDArray[np.float64], scaling: tuple[float, float]) -> NDArray[np.float64]:
    slope, intercept = scaling
    return 1 / (1 + np.exp(-(slope * odds + intercept)))


def _choose(candidates: Candidates, odds: NDArray[np.float64], threshold: float, sentences: int) -> NDArray[np.bool_]:
    gains = 1 / (1 + np.exp(-odds)) - threshold
    return tree_kernels.select(candidates.spans, gains, candidates.of_sentence(sentences))


def _is_in(spans: NDArray[np.int32], truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    gold = set(map(tuple, truth.tolist()))
    return np.array([tuple(span) in gold for span in spans.tolist()], dtype=np.bool_)


def _best_threshold(
    candidates: Candidates, odds: NDArray[np.float64], right: NDArray[np.bool_], gold: int, sentences: int
) -> float:
    def f1(threshold: float) -> float:
        chosen = _choose(candidates, odds, threshold, sentences)
        return 2 * int(right[chosen].sum()) / max(1, int(chosen.sum()) + gold)

    return round(float(max(_THRESHOLDS, key=f1)), 2)
