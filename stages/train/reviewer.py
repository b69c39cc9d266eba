"""Would a reviewer accept this mention? Which model answers that best, and whether it takes the span model's place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from stages.train.coverage import gain_in_coverage
from stages.train.judging import FOLDS, KEPT, compare_judges, learn_judge, metrics_of, nested_log_odds
from stages.train.params import AcceptanceParams
from stages.train.promises import FEWEST
from stages.train.taggers.calibration import fit_scaling
from stages.train.taggers.judged import OutOfFoldMentions
from stages.train.taggers.spans.mention_judge import MentionJudge, judge_table
from stages.train.taggers.spans.out_of_fold import fold_of

COLUMNS = ["model", "coverage", "log_loss"]
SPAN_MODEL = "span model"
NESTED = "best, nested"
JUDGES = " (judges)"
_FEWEST_OF_A_KIND = 30
"""Right and wrong mentions that a judge must have to learn from, in every fold."""


class Review(NamedTuple):
    """Who says how likely a mention is right.

    Parameters
    ----------
    leaderboard : DataFrame
        Columns ``model``, ``coverage`` (share of mentions accepted at the promised precision, mean
        over folds) and ``log_loss``; best first. The model that judges is marked in its name.
    judge : MentionJudge or None
        None: the span model, as it is.
    confidence : float64 array of shape (mentions,)
        Of the out-of-fold mentions, by what judges.
    """

    leaderboard: pd.DataFrame
    judge: MentionJudge | None
    confidence: NDArray[np.float64]


def review_mentions(mentions: OutOfFoldMentions, documents: list[str], params: AcceptanceParams, seed: int) -> Review:
    """Compare models by how many mentions they would accept at the promised precision, and choose which one judges.

    Each learns from the evidence on the mentions that were found out of fold, with the span model's
    own log odds as one more column; the span model stands among them as it is, and judges unless it
    is beaten beyond noise. Only a model that can be kept may beat it. The best of several looks
    better than it is, so it is chosen and tuned anew without each fold of documents in turn, and must
    accept more there: by the lower end of the 95% interval over documents. Where the leaderboard
    already says that none does, that is left out.

    Parameters
    ----------
    mentions : OutOfFoldMentions
    documents : list of str
        Document of each training sentence.
    params : AcceptanceParams
        `models` by PyCaret's names; none: the span model judges and nothing is compared.
    seed : int
    """
    if not params.models or not _is_enough(mentions):
        return Review(pd.DataFrame(columns=COLUMNS), None, mentions.confidence)
    of_mentions = [documents[sentence] for sentence in mentions.sentences.tolist()]
    table = judge_table(mentions.evidence, mentions.confidence)
    board = compare_judges(table, mentions.right, of_mentions, params, seed).leaderboard
    own = _scores(mentions.right, mentions.confidence, of_mentions, params.precision)
    board = pd.concat([board[COLUMNS], pd.DataFrame([{"model": SPAN_MODEL, **own}])])
    best = board.loc[board["model"].isin(KEPT), "coverage"].max()
    if not best > own["coverage"]:
        return Review(_named(board, SPAN_MODEL), None, mentions.confidence)

    odds = nested_log_odds(table, mentions.right, of_mentions, params, seed)
    scaling = fit_scaling(odds, mentions.right)
    confidence = np.asarray(expit(scaling[0] * odds + scaling[1]))
    nested = _scores(mentions.right, confidence, of_mentions, params.precision)
    board = pd.concat([board, pd.DataFrame([{"model": NESTED, **nested}])])
    gain, _ = gain_in_coverage(
        mentions.right, mentions.confidence, confidence, pd.factorize(np.asarray(of_mentions))[0],
        precision=params.precision, seed=seed,
    )  # fmt: skip
    if gain <= 0:
        return Review(_named(board, SPAN_MODEL), None, mentions.confidence)
    judge = learn_judge(table, mentions.right, of_mentions, params, seed).scaled(scaling)
    return Review(_named(board, NESTED), judge, confidence)


def _is_enough(mentions: OutOfFoldMentions) -> bool:
    """Tell whether a threshold could be chosen at all, and right and wrong mentions be told apart in every fold."""
    right = int(mentions.right.sum())
    return len(mentions.right) >= FEWEST and min(right, len(mentions.right) - right) >= _FEWEST_OF_A_KIND


def _scores(
    right: NDArray[np.bool_], confidence: NDArray[np.float64], documents: list[str], precision: float
) -> dict[str, float]:
    folds = fold_of(documents, FOLDS)
    parts = [(right[folds == fold], confidence[folds == fold]) for fold in range(FOLDS)]
    return {
        name: round(float(np.mean([metric.function(*part) for part in parts])), 4)
        for name, metric in metrics_of(precision).items()
    }


def _named(board: pd.DataFrame, judging: str) -> pd.DataFrame:
    """Sort, and say who judges: the plot shows names."""
    board = board.sort_values(["coverage", "model"], ascending=[False, True], ignore_index=True)
    return board.replace({"model": {judging: judging + JUDGES}})
