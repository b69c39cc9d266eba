"""A second opinion on mentions: takes the place of the span model's confidence where training proved it the better.

It weighs the same evidence, and beside it what the span model says; `stages.train.reviewer` learns it
and decides whether it judges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit, logit

from stages.common.checked import Header, read_array, read_header
from stages.common.files import replacing, write_json
from stages.train.taggers.spans.trees import BoostedTrees

_LEAST = 1e-9
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Header(Header):
    """What ``judge.json`` says."""

    kind: Literal["linear", "trees"]
    scaling: tuple[_Finite, _Finite]


def judge_table(evidence: NDArray[np.float32], confidence: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what a judge looks at: the evidence on each mention, then the span model's calibrated log odds."""
    own = logit(np.clip(confidence, _LEAST, 1 - _LEAST))
    return np.column_stack([evidence, own.astype(np.float32)])


@dataclass(frozen=True)
class MentionJudge:
    """A linear model or boosted trees over the columns of `judge_table`.

    Parameters
    ----------
    model : float64 array of shape (columns + 1,), or BoostedTrees
        Weights by column and the intercept, or trees.
    scaling : (float, float)
        Slope and intercept that calibrate the log odds, fitted on documents that it had not learned from.
    """

    model: NDArray[np.float64] | BoostedTrees
    scaling: tuple[float, float] = (1.0, 0.0)

    def log_odds(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log odds of each row of a `judge_table`, before they are calibrated."""
        if isinstance(self.model, BoostedTrees):
            return self.model.log_odds(table)
        # Row by row: a matrix product would round a row by how many there are.
        weighted: NDArray[np.float64] = table.astype(np.float64) * self.model[:-1]
        return np.sum(weighted, axis=1) + self.model[-1]

    def confidence(self, evidence: NDArray[np.float32], confidence: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated probability that mentions are right.

        Parameters
        ----------
        evidence : float32 array of shape (mentions, columns)
        confidence : float64 array of shape (mentions,)
            The span model's.
        """
        slope, intercept = self.scaling
        return np.asarray(expit(slope * self.log_odds(judge_table(evidence, confidence)) + intercept))

    def scaled(self, scaling: tuple[float, float]) -> Self:
        """Return the same judge, calibrated."""
        return replace(self, scaling=scaling)

    def save(self, folder: Path) -> None:
        """Write ``judge.json`` and the model; no pickle."""
        trees = isinstance(self.model, BoostedTrees)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "judge.json", {"kind": "trees" if trees else "linear", "scaling": list(self.scaling)})
        if isinstance(self.model, BoostedTrees):
            self.model.save(folder / "trees")
        else:
            with replacing(folder / "weights.npy") as file:
                np.save(file, self.model, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, columns: int) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : Path
        columns : int
            Of the evidence.

        Raises
        ------
        ModelError
            When a file is missing, or does not fit the evidence.
        """
        header = read_header(folder / "judge.json", _Header)
        if header.kind == "trees":
            return cls(BoostedTrees.load(folder / "trees", columns + 1), header.scaling)
        return cls(read_array(folder / "weights.npy", np.float64, [columns + 2]), header.scaling)
