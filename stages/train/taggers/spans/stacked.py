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
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stages.common.checked import Header, read_header
from stages.common.files import write_json
from stages.common.tags import TokenSpan
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.calibration import fit_scaling
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL, SENTENCE
from stages.train.taggers.chain.candidates import Candidates, choose_suggestions, tagged_spans
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.judged import JudgedSpans, LogOdds, OutOfFoldMentions, no_leaderboard
from stages.train.taggers.spans import tree_kernels
from stages.train.taggers.spans.evidence.evidence import NAMES, gather_evidence
from stages.train.taggers.spans.mention_judge import MentionJudge
from stages.train.taggers.spans.out_of_fold import cross_scores, fold_of, propose_out_of_fold
from stages.train.taggers.spans.statistics import SpanStatistics, span_table
from stages.train.taggers.spans.trees import BoostedTrees
from stages.train.taggers.tagger import TaggedSpan

if TYPE_CHECKING:
    import pandas as pd

    from stages.train.params import TrainParams
    from stages.train.taggers.comparing import Compare

_THRESHOLDS = np.arange(0.20, 0.61, 0.02)
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Header(Header):
    """What ``spans.json`` says."""

    threshold: float = Field(gt=0, lt=1)
    scaling: tuple[_Finite, _Finite]
    judge: bool = False


class _Weighed(NamedTuple):
    """Candidates, what speaks for them, and the log odds that each is a mention."""

    candidates: Candidates
    evidence: NDArray[np.float32]
    odds: NDArray[np.float64]


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
    mention_judge : MentionJudge, optional
        Gives the mentions their confidence in place of the trees.
    out_of_fold : OutOfFoldMentions, optional
        The mentions found while learning, in documents that chain and trees had not seen; not saved.
    """

    crf: CrfTagger
    statistics: SpanStatistics
    trees: BoostedTrees
    threshold: float
    scaling: tuple[float, float] = (1.0, 0.0)
    mention_judge: MentionJudge | None = None
    out_of_fold: OutOfFoldMentions | None = field(default=None, compare=False, repr=False)

    @classmethod
    def fit(
        cls,
        tokens: SparseTokens,
        spans: Sequence[Sequence[TokenSpan]],
        *,
        documents: Sequence[str],
        n_rows: int,
        params: TrainParams,
        compare: Compare | None = None,
    ) -> Self:
        """Learn the CRF from everything, and the trees from what out-of-fold CRFs propose; nothing is compared."""
        crf = CrfTagger.fit(tokens, spans, n_rows=n_rows, params=params)
        labels = crf.tag_set.labels
        folds = fold_of(documents, params.span.folds)
        crf, candidates, table = propose_out_of_fold(crf, tokens, spans, folds, n_rows, params)
        truth = span_table(tokens, spans, labels)
        right = _is_in(candidates.spans, truth)
        odds = cross_scores(table, right, folds[candidates.spans[:, SENTENCE]], params)
        threshold = _best_threshold(candidates, odds, right, len(truth), tokens.sentences)
        mentions = _choose(candidates, odds, threshold, tokens.sentences)
        scaling = fit_scaling(odds[mentions], right[mentions])
        confidence = _calibrated(odds, scaling)
        found = candidates.spans[mentions]
        least = params.acceptance.suggestion
        suggested = choose_suggestions(candidates, confidence, found[:, FIRST : END + 1], least, tokens)
        return cls(
            crf,
            SpanStatistics.learn(tokens, spans, labels),
            BoostedTrees.fit(table, right, params.span, params.seed),
            threshold,
            scaling,
            out_of_fold=OutOfFoldMentions(
                found[:, SENTENCE],
                table[mentions],
                confidence[mentions],
                right[mentions],
                np.array(labels)[found[:, LABEL]],
                candidates.spans[suggested, SENTENCE],
            ),
        )

    def spans(self, tokens: SparseTokens) -> list[list[TokenSpan]]:
        """Return the mentions of each sentence."""
        return [[span[:3] for span in sentence] for sentence in self.tag(tokens)]

    def tag(self, tokens: SparseTokens) -> list[list[TaggedSpan]]:
        """Return the mentions of each sentence with the calibrated probability that they are right."""
        judged = self.judge(tokens)
        return self._named(judged, judged.mentions, tokens)

    def tag_and_suggest(
        self, tokens: SparseTokens, least: float
    ) -> tuple[list[list[TaggedSpan]], list[list[TaggedSpan]]]:
        """Return the mentions, and beside them the spans whose calibrated probability is at least `least`."""
        weighed = self._weigh(tokens)
        judged = self._judged(weighed, tokens)
        ends = judged.spans[judged.mentions, 1:3]
        suggested = choose_suggestions(weighed.candidates, judged.confidence, ends, least, tokens)
        return self._named(judged, judged.mentions, tokens), self._named(judged, suggested, tokens)

    def _named(self, judged: JudgedSpans, wanted: NDArray[np.bool_], tokens: SparseTokens) -> list[list[TaggedSpan]]:
        return tagged_spans(judged.spans[wanted], judged.confidence[wanted], judged.labels, tokens)

    def judge(self, tokens: SparseTokens) -> JudgedSpans:
        """Return the candidates with their calibrated probability, the evidence on them, and which are mentions."""
        return self._judged(self._weigh(tokens), tokens)

    def _weigh(self, tokens: SparseTokens) -> _Weighed:
        candidates = self.crf.candidates(tokens)
        evidence = gather_evidence(candidates, tokens, self.statistics)
        return _Weighed(candidates, evidence, self.trees.log_odds(evidence))

    def _judged(self, weighed: _Weighed, tokens: SparseTokens) -> JudgedSpans:
        candidates, evidence, odds = weighed
        mentions = _choose(candidates, odds, self.threshold, tokens.sentences)
        confidence = _calibrated(odds, self.scaling)
        if self.mention_judge is not None:
            confidence[mentions] = self.mention_judge.confidence(evidence[mentions], confidence[mentions])
        unlikely = _probability(odds) <= self.threshold
        return JudgedSpans(candidates.spans, self.crf.tag_set.labels, confidence, mentions, unlikely, evidence)

    def shares(self, judged: JudgedSpans) -> list[LogOdds] | None:
        """Share the log odds of the trees among the columns of the evidence."""
        if judged.evidence is None:
            return None
        rows = (self.trees.contributions(row).tolist() for row in judged.evidence)
        return [LogOdds(row[-1], tuple(zip(NAMES, row, strict=False))) for row in rows]

    @property
    def chain(self) -> CrfTagger | None:
        """The CRF that proposes."""
        return self.crf

    @property
    def temperature(self) -> float | None:
        """None: slope and intercept calibrate the log odds."""
        return None

    def leaderboard(self) -> pd.DataFrame:
        """Return no rows: nothing was compared."""
        return no_leaderboard()

    def judged_by(self, judge: MentionJudge) -> Self:
        """Return the same tagger with the confidence of its mentions from `judge`."""
        return replace(self, mention_judge=judge)

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
        header: dict[str, object] = {"threshold": self.threshold, "scaling": list(self.scaling)}
        if self.mention_judge is not None:
            self.mention_judge.save(folder / "judge")
            header |= {"judge": True}
        write_json(folder / "spans.json", header, digits=6)

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
            MentionJudge.load(folder / "judge", len(NAMES)) if header.judge else None,
        )


def _calibrated(odds: NDArray[np.float64], scaling: tuple[float, float]) -> NDArray[np.float64]:
    slope, intercept = scaling
    return _probability(slope * odds + intercept)


def _probability(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-odds))


def _choose(candidates: Candidates, odds: NDArray[np.float64], threshold: float, sentences: int) -> NDArray[np.bool_]:
    gains = _probability(odds) - threshold
    return tree_kernels.select(candidates.spans, gains, candidates.of_sentence(sentences))


def _is_in(spans: NDArray[np.int32], truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    gold = set(map(tuple, truth.tolist()))
    return np.array([tuple(span) in gold for span in spans.tolist()], dtype=np.bool_)


def _best_threshold(
    candidates: Candidates, odds: NDArray[np.float64], right: NDArray[np.bool_], gold: int, sentences: int
) -> float:
    def f1(threshold: float) -> float:
        mentions = _choose(candidates, odds, threshold, sentences)
        return 2 * int(right[mentions].sum()) / max(1, int(mentions.sum()) + gold)

    return round(float(max(_THRESHOLDS, key=f1)), 2)
