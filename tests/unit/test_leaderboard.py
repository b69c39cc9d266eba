"""PyCaret's leaderboard: honest folds, no silent zeros, the same every time, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

from stages.train.leaderboard import compare_classifiers
from stages.train.params import TrainParams
from stages.train.taggers.comparing import Comparison, Metric
from stages.train.taggers.judged import LEADERBOARD_COLUMNS as COLUMNS
from stages.train.taggers.tokens import automl as token_automl
from stages.train.taggers.tokens.automl import TokenAutoml
from tests.unit.test_families import REAL, ROWS, corpus

ROOT = Path(__file__).parents[2]
AUC = Metric(roc_auc_score, "pred_proba")


def table(rows: int = 240, seed: int = 0) -> pd.DataFrame:
    """Imbalanced, two classes, one column that tells and two that do not."""
    generator = np.random.default_rng(seed)
    columns = generator.normal(size=(rows, 3))
    right = columns[:, 0] + 0.5 * generator.normal(size=rows) > 0.8
    return pd.DataFrame(columns, columns=["a", "b", "c"]).assign(right=right.astype(int))


def compared(frame: pd.DataFrame, **options: object) -> Comparison:
    settings: dict = {
        "include": ["lr", "nb", "ridge"],
        "sort_metric": "auc",
        "folds": 3,
        "seed": 1,
        "metric_functions": {"f1": f1_score, "auc": AUC},
    }
    return compare_classifiers(frame, "right", **(settings | options))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """One comparison for several tests, run in a folder that must stay empty."""
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        comparison = compared(table(), tunings=2)
    assert not list(folder.iterdir()), "PyCaret left something behind"
    return comparison


def test_pycaret_is_loaded_without_mlflow_which_stays_for_others(tmp_path: Path) -> None:
    code = (
        "import sys; from stages.train.leaderboard import _quiet_thread\n"
        "with _quiet_thread(): assert 'pycaret.classification' in sys.modules\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'mlflow'], 'loaded'\n"
        "import mlflow\n"
        "assert mlflow.__version__"
    )
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert not list(tmp_path.iterdir())


def test_the_leaderboard_is_sorted_rounded_and_has_no_clock(found: Comparison) -> None:
    board, name, estimator = found
    assert board.columns.tolist() == ["model", "f1", "auc"]
    assert set(board["model"]) == {"lr", "nb", "ridge", f"{name} tuned"}
    assert board["auc"].dropna().is_monotonic_decreasing
    assert board.equals(board.round(4))
    assert name == board["model"].iloc[0].removesuffix(" tuned")
    unseen = table(seed=9)
    assert roc_auc_score(unseen["right"], estimator.predict_proba(unseen[["a", "b", "c"]])[:, 1]) > 0.8


def test_a_model_without_probabilities_has_no_metric_of_them(found: Comparison) -> None:
    board = found.leaderboard.set_index("model")
    assert np.isnan(board.loc["ridge", "auc"])
    assert board.loc["ridge", "f1"] > 0


def test_the_same_table_gives_the_same_leaderboard(found: Comparison) -> None:
    again = compared(table(), tunings=2)
    pd.testing.assert_frame_equal(again.leaderboard, found.leaderboard)
    assert str(again.best_estimator) == str(found.best_estimator)


def test_less_is_better_where_the_metric_says_so() -> None:
    loss = Metric(log_loss, "pred_proba", greater_is_better=False)
    board, name, _ = compared(table(), include=["lr", "dt"], sort_metric="loss", metric_functions={"loss": loss})
    assert name == "lr"
    assert board["loss"].is_monotonic_increasing
    assert (board["loss"] > 0).all()


def test_groups_stay_in_one_fold_and_are_no_attribute() -> None:
    """A column that names the group tells the class only where the group has been seen."""
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 5)
    frame = pd.DataFrame({"where": group + 0.01 * generator.normal(size=300), "group": group})
    frame["right"] = generator.integers(2, size=60)[group]
    options: dict = {"include": ["dt"], "sort_metric": "accuracy", "metric_functions": {"accuracy": accuracy_score}}
    apart = compared(frame, groups="group", **options)
    together = compared(frame.drop(columns="group"), **options)
    assert together.leaderboard["accuracy"].item() > 0.95
    assert apart.leaderboard["accuracy"].item() < 0.7
    assert apart.best_estimator.n_features_in_ == 1


def test_a_model_that_finds_nothing_stays_on_the_leaderboard() -> None:
    """PyCaret alone takes it for one that failed."""
    rare = table().assign(right=lambda frame: (frame["a"] > 2.1).astype(int))
    board = compared(rare, include=["ridge", "dt"], sort_metric="f1", metric_functions={"f1": f1_score}).leaderboard
    assert board["model"].tolist() == ["dt", "ridge"]
    assert board["f1"].tolist()[1] == 0


def test_only_what_can_be_deployed_is_chosen() -> None:
    board, name, estimator = compared(table(), include=["lr", "nb"], deployable=["nb"])
    assert name == "nb"
    assert type(estimator).__name__ == "GaussianNB"
    assert set(board["model"]) == {"lr", "nb"}


def test_a_metric_that_is_zero_everywhere_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 for every model: nothing"):
        compared(table(), metric_functions={"auc": AUC, "nothing": lambda truth, said: 0.0})


def test_a_metric_that_fails_is_an_error_and_no_zero() -> None:
    def broken(truth: np.ndarray, said: np.ndarray) -> float:
        raise RuntimeError("the metric is broken")

    with pytest.raises(RuntimeError, match="the metric is broken"):
        compared(table(), include=["lr"], metric_functions={"auc": AUC, "broken": broken})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"right": 1}, "at least two classes"),
        ({"right": [1, 3] * 120}, "without gaps"),
        ({"d": "text"}, "numeric"),
    ],
)
def test_a_table_that_pycaret_would_misread_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compared(table().assign(**change))


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="kappa is not among"):
        compared(table(), sort_metric="kappa")


def test_what_only_pycaret_s_log_would_name_is_not_imported() -> None:
    """Evidently alone takes as long as five models."""
    code = (
        "import sys; from tests.unit.test_leaderboard import compared, table; compared(table(), include=['lr']); "
        "sys.exit('evidently' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# --- the family ---------------------------------------------------------------------------------


def small() -> TrainParams:
    settings = {"components": 8, "attributes": 12, "tokens": 150, "folds": 2, "tunings": 1}
    return REAL.model_copy(update={"token_automl": REAL.token_automl.model_copy(update=settings)})


def test_the_best_linear_model_becomes_a_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_automl, "INCLUDED", ("dt", "lda", "lr"))
    tokens, spans, documents = corpus(1)
    taggers = [
        TokenAutoml.fit(tokens, spans, documents=documents, n_rows=ROWS, params=small(), compare=compare_classifiers)
        for _ in range(2)
    ]
    assert taggers[0].weights.tobytes() == taggers[1].weights.tobytes()
    board = taggers[0].leaderboard()
    assert board.columns.tolist() == COLUMNS
    assert {"dt", "lda", "lr"} < set(board["model"])
    assert (board[COLUMNS[1:]].to_numpy() > 0).all()
    assert taggers[0].calibrated(tokens, spans).leaderboard() is board
    unseen, gold, _ = corpus(2)
    right = sum(a == b for a, b in zip(taggers[0].spans(unseen), gold, strict=True))
    assert right > 0.9 * len(gold)


def test_the_weights_are_the_classifier_of_the_table() -> None:
    """Folding back through the decomposition and the intercept changes nothing."""
    from sklearn.linear_model import LogisticRegression

    tokens, spans, _ = corpus(3)
    gold = token_automl.tag_numbers(tokens, spans, token_automl.tag_set_of(spans))
    made = token_automl._table(tokens, gold, ROWS, small().token_automl, 1)
    model = LogisticRegression(max_iter=500).fit(made.columns, gold)
    weights = token_automl._with_intercept(made.back @ model.coef_.T, model.intercept_, tokens)
    np.testing.assert_allclose(
        token_automl.sparse_matrix(tokens, ROWS) @ weights, model.decision_function(made.columns), atol=1e-6
    )


def test_the_sample_has_mentions_first() -> None:
    gold = np.array([0] * 90 + [1] * 10)
    few = token_automl._sample(gold, 12, 1)
    assert len(few) == 12
    assert (gold[few] > 0).sum() == 8
    assert (gold[token_automl._sample(gold, 50, 1)] > 0).sum() == 10
    assert len(token_automl._sample(gold, 500, 1)) == 100


def test_an_intercept_needs_a_place() -> None:
    tokens, _, _ = corpus(4)
    weights = np.zeros((ROWS, 9))
    without = token_automl.SparseTokens(tokens.starts, np.maximum(tokens.rows, 1), tokens.sentence_starts)
    with pytest.raises(ValueError, match="no attribute is on every token"):
        token_automl._with_intercept(weights, np.ones(9), without)
