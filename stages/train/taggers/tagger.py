"""What every model family offers, and the registry of the families."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from stages.common.tags import TokenSpan
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.judged import JudgedSpans, LogOdds, OutOfFoldMentions

if TYPE_CHECKING:
    import pandas as pd

    from stages.train.params import TrainParams
    from stages.train.taggers.chain.crf import CrfTagger
    from stages.train.taggers.comparing import Compare
    from stages.train.taggers.spans.mention_judge import MentionJudge

FAMILIES = {
    "stacked": "stages.train.taggers.spans.stacked:StackedTagger",
    "crf": "stages.train.taggers.chain.crf:CrfTagger",
    "token-logistic": "stages.train.taggers.tokens.logistic:TokenLogistic",
    "token-automl": "stages.train.taggers.tokens.automl:TokenAutoml",
}
"""Model families by name; a new one is one new module, one line here, and what it is told by in `params`."""


class TaggedSpan(NamedTuple):
    """A predicted mention: tokens `first` to `end` - 1 of its sentence."""

    first: int
    end: int
    label: str
    confidence: float


class Tagger(Protocol):
    """Learns from tagged sentences and tags new ones: all that the rooms around it ask of a model family.

    A family that lacks a part says so, with None or an empty table; nobody asks for its class.
    """

    @classmethod
    def fit(
        cls,
        tokens: SparseTokens,
        spans: Sequence[Sequence[TokenSpan]],
        *,
        documents: Sequence[str],
        n_rows: int,
        params: TrainParams,
        compare: Compare,
    ) -> Self:
        """Learn from sentences and their gold spans.

        Parameters
        ----------
        tokens : SparseTokens
            Attributes of the training sentences.
        spans : sequence of sequences of TokenSpan
            Gold mentions by sentence.
        documents : sequence of str
            Document of each sentence: what must stay together in a cross-validation.
        n_rows : int
            Number of attributes.
        params : TrainParams
        compare : Compare
            Compares classifiers, for families that learn by choosing among them. It is handed in, so
            that what serves does not depend on the library that compares.
        """
        ...

    def spans(self, tokens: SparseTokens) -> list[list[TokenSpan]]:
        """Return the mentions of each sentence, in order."""
        ...

    def tag(self, tokens: SparseTokens) -> list[list[TaggedSpan]]:
        """Return the same mentions with calibrated confidence."""
        ...

    def tag_and_suggest(
        self, tokens: SparseTokens, least: float
    ) -> tuple[list[list[TaggedSpan]], list[list[TaggedSpan]]]:
        """Return what `tag` returns, and the likeliest of the spans that overlap none of it.

        These are what the model may have missed: no mentions, but held possible with a confidence
        of at least `least`. They do not overlap each other.
        """
        ...

    def judge(self, tokens: SparseTokens) -> JudgedSpans:
        """Return the spans that are held possible, the mentions among them, with calibrated confidence.

        A mention that is held too unlikely to be a candidate may be missing.
        """
        ...

    def shares(self, judged: JudgedSpans) -> list[LogOdds] | None:
        """Share the log odds of judged spans among the evidence; None for a family that has no evidence of spans."""
        ...

    @property
    def chain(self) -> CrfTagger | None:
        """The linear chain that the tagger is, or has a part in; None for a family without one."""
        ...

    @property
    def temperature(self) -> float | None:
        """What the tagger's own log odds are divided by; None where they are calibrated in another way."""
        ...

    @property
    def out_of_fold(self) -> OutOfFoldMentions | None:
        """What the tagger found while it cross-validated itself; None when it did not, and once it was saved."""
        ...

    def leaderboard(self) -> pd.DataFrame:
        """Return the classifiers that the tagger was chosen from; no rows for a family that compares none."""
        ...

    def judged_by(self, judge: MentionJudge) -> Self:
        """Return the same tagger with the confidence of its mentions from `judge`.

        Asked only of a tagger that has mentions out of fold, from which the judge has learned.
        """
        ...

    def calibrated(self, tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]]) -> Self:
        """Return the same tagger, its confidence fitted on sentences it has not learned from."""
        ...

    def like(self, other: Self) -> Self:
        """Return the same tagger with the calibration of `other`."""
        ...

    def linear_weights(self) -> NDArray[np.float32]:
        """Return the weights by attribute and tag; their sums are all that a model sees of the attributes."""
        ...

    def used_rows(self) -> NDArray[np.bool_]:
        """Tell which attributes matter to the model."""
        ...

    def pruned(self, keep: NDArray[np.bool_]) -> Self:
        """Return the same tagger over the attributes of `keep` only."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model; no pickle."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        ...


def name_of(tagger: Tagger) -> str:
    """Return the name under which a tagger's family is registered."""
    kind = f"{type(tagger).__module__}:{type(tagger).__qualname__}"
    return next(name for name, path in FAMILIES.items() if path == kind)


def family(name: str) -> type[Tagger]:
    """Return the class of a model family.

    Raises
    ------
    KeyError
        When there is no family of that name.
    """
    module, _, attribute = FAMILIES[name].partition(":")
    return cast(type[Tagger], getattr(import_module(module), attribute))
