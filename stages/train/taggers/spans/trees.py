"""Gradient-boosted trees as plain arrays: learned by LightGBM, scored by a compiled loop, no pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from stages.common.checked import read_array, require
from stages.common.files import save_arrays
from stages.train.taggers.spans import tree_kernels

if TYPE_CHECKING:
    from lightgbm import Booster

    from stages.train.params import SpanParams


@dataclass(frozen=True)
class BoostedTrees:
    """Nodes of all trees, one after the other; a leaf has feature -1.

    Parameters
    ----------
    features, lefts, rights : int32 arrays of shape (nodes,)
    thresholds, values : float64 arrays of shape (nodes,)
        A row goes left when its value is at most the threshold; `values` are log odds.
    roots : int32 array of shape (trees,)
    """

    features: NDArray[np.int32]
    thresholds: NDArray[np.float64]
    lefts: NDArray[np.int32]
    rights: NDArray[np.int32]
    values: NDArray[np.float64]
    roots: NDArray[np.int32]

    @classmethod
    def fit(cls, table: NDArray[np.float32], right: NDArray[np.bool_], params: SpanParams, seed: int) -> Self:
        """Learn to tell right candidates from wrong ones.

        Ke et al. 2017 (LightGBM); one thread and fixed seeds, so that the same table gives the same trees.
        """
        import lightgbm

        settings = {
            "objective": "binary",
            "num_leaves": params.leaves,
            "learning_rate": params.learning_rate,
            "min_data_in_leaf": 30,
            "lambda_l2": 1.0,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "num_threads": 1,
            "deterministic": True,
            "force_col_wise": True,  # the same trees as by row, and cheaper where half of the columns are left out
            "seed": seed,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(table, right.astype(np.int8))
        # Kept for training, it is not written as text and read again before `of` writes it once more.
        return cls.of(lightgbm.train(settings, data, params.trees, keep_training_booster=True))

    @classmethod
    def of(cls, booster: Booster) -> Self:
        """Take over the trees of LightGBM: from its text, which says what `dump_model` does and costs less."""
        nodes: list[tuple[int, float, int, int, float]] = []
        trees = booster.model_to_string().partition("\nend of trees")[0].split("\nTree=")[1:]
        roots = [_add_tree(text, nodes) for text in trees]
        columns = list(zip(*nodes, strict=True))
        return cls(
            np.array(columns[0], dtype=np.int32),
            np.array(columns[1], dtype=np.float64),
            np.array(columns[2], dtype=np.int32),
            np.array(columns[3], dtype=np.int32),
            np.array(columns[4], dtype=np.float64),
            np.array(roots, dtype=np.int32),
        )

    def log_odds(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score each row."""
        return tree_kernels.tree_scores(table, *self._conditions)

    def contributions(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """Share the log odds of one row among its columns; the last entry is the expectation."""
        return tree_kernels.tree_contributions(row, *self._arrays(), len(row))

    def save(self, folder: Path) -> None:
        """Write one array a file; no pickle."""
        save_arrays(folder, self)

    @classmethod
    def load(cls, folder: Path, columns: int) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : Path
        columns : int
            Of the tables that the trees judge.

        Raises
        ------
        ModelError
            When a file is missing, or what is in it are no trees over so many columns.
        """
        features = read_array(folder / "features.npy", np.int32, [None])
        nodes = [len(features)]
        trees = cls(
            features,
            read_array(folder / "thresholds.npy", np.float64, nodes),
            read_array(folder / "lefts.npy", np.int32, nodes),
            read_array(folder / "rights.npy", np.int32, nodes),
            read_array(folder / "values.npy", np.float64, nodes),
            read_array(folder / "roots.npy", np.int32, [None]),
        )
        trees._check(folder, columns)
        return trees

    def _check(self, folder: Path, columns: int) -> None:
        """Refuse what cannot be walked through: every child stands behind its parent, in the same tree."""
        nodes, inner = np.arange(len(self.features)), self.features >= 0
        roots_ascend = len(self.roots) == 0 or (self.roots[0] == 0 and (np.diff(self.roots) > 0).all())
        require(roots_ascend and (self.roots < max(1, len(nodes))).all(), folder / "roots.npy", "has no such roots")
        possible = (self.features >= -1) & (self.features < columns)
        require(possible.all(), folder / "features.npy", f"asks for other columns than the {columns} that there are")
        ends = np.append(self.roots, len(nodes))[np.searchsorted(self.roots, nodes, side="right")]
        leaves = np.add.reduceat(~inner, self.roots) if len(self.roots) else np.zeros(0)
        require((leaves <= tree_kernels.MOST_LEAVES).all(), folder / "features.npy", "has a tree of too many leaves")
        for name, children in (("lefts", self.lefts), ("rights", self.rights)):
            behind = (children[inner] > nodes[inner]) & (children[inner] < ends[inner])
            require(behind.all(), folder / f"{name}.npy", "has nodes that lead nowhere")
        parents = np.bincount(np.concatenate([self.lefts[inner], self.rights[inner], self.roots]), minlength=len(nodes))
        require((parents == 1).all(), folder / "lefts.npy", "and rights.npy do not lead to every node once")

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return self.features, self.thresholds, self.lefts, self.rights, self.values, self.roots

    @cached_property
    def _conditions(self) -> tuple[NDArray[np.generic], ...]:
        """The same trees, laid out by column as `tree_kernels.tree_scores` takes them."""
        conditions: list[tuple[int, float, int, int]] = []
        values = np.zeros((len(self.roots), tree_kernels.MOST_LEAVES), dtype=np.float64)
        nodes = [array.tolist() for array in (self.features, self.thresholds, self.lefts, self.rights, self.values)]
        for tree, root in enumerate(self.roots.tolist()):
            _lay_out(root, tree, 0, nodes, conditions, values)
        conditions.sort()
        table = np.array([(column, tree) for column, _, tree, _ in conditions], dtype=np.int64).reshape(-1, 2)
        starts = np.searchsorted(table[:, 0], np.arange(table[:, 0].max(initial=-1) + 2))
        thresholds = np.array([threshold for _, threshold, _, _ in conditions], dtype=np.float64)
        masks = np.array([mask for *_, mask in conditions], dtype=np.uint64)
        return starts.astype(np.int64), thresholds, table[:, 1].astype(np.int32), masks, values


class _Tree(NamedTuple):
    """A tree as LightGBM writes it: inner nodes by their number, leaf i as -1 - i."""

    split_feature: Sequence[int]
    threshold: Sequence[float]
    left_child: Sequence[int]
    right_child: Sequence[int]
    internal_value: Sequence[float]
    leaf_value: Sequence[float]


def _add_tree(text: str, nodes: list[tuple[int, float, int, int, float]]) -> int:
    """Append the nodes of a tree; return the number of its root."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    kinds = (int, float, int, int, float, float)
    tree = _Tree(
        *(list(map(kind, fields.get(name, "").split())) for name, kind in zip(_Tree._fields, kinds, strict=True))
    )
    return _add(0 if tree.split_feature else -1, tree, nodes)


def _add(node: int, tree: _Tree, nodes: list[tuple[int, float, int, int, float]]) -> int:
    """Append a node and what is below it; return its number."""
    number = len(nodes)
    if node < 0:
        nodes.append((-1, 0.0, -1, -1, tree.leaf_value[-1 - node]))
        return number
    nodes.append((-1, 0.0, -1, -1, 0.0))
    left, right = _add(tree.left_child[node], tree, nodes), _add(tree.right_child[node], tree, nodes)
    nodes[number] = tree.split_feature[node], tree.threshold[node], left, right, tree.internal_value[node]
    return number


def _lay_out(
    node: int,
    tree: int,
    leaf: int,
    nodes: list[list[Any]],
    conditions: list[tuple[int, float, int, int]],
    values: NDArray[np.float64],
) -> int:
    """Collect the conditions and leaves below a node whose first leaf is `leaf`; return the leaf behind the last."""
    feature, threshold, left, right, value = (column[node] for column in nodes)
    if feature < 0:
        values[tree, leaf] = value
        return leaf + 1
    behind = _lay_out(left, tree, leaf, nodes, conditions, values)
    out = (1 << behind) - (1 << leaf)
    conditions.append((feature, threshold, tree, ~out & (1 << tree_kernels.MOST_LEAVES) - 1))
    return _lay_out(right, tree, behind, nodes, conditions, values)
