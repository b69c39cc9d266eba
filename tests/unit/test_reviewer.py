"""Who judges mentions: the span model, unless another is better beyond noise, and then really so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, logit

from stages.common.checked import ModelError
from stages.featurize.collecting import collect_attributes
from stages.featurize.store import FeatureTable
from stages.train import judging, learning, reviewer
from stages.train.coverage import coverage_at_precision, gain_in_coverage, log_loss
from stages.train.extractor import Extractor
from stages.train.judging import judge_of
from stages.train.params import AcceptanceParams
from stages.train.reviewer import COLUMNS, NESTED, SPAN_MODEL, review_mentions
from stages.train.taggers.judged import OutOfFoldMentions
from stages.train.taggers.spans.evidence.evidence import NAMES
from stages.train.taggers.spans.mention_judge import MentionJudge, judge_table
from stages.train.taggers.spans.stacked import StackedTagger
from tests.unit.test_stacked import corpus, small

PARAMS = AcceptanceParams(precision=0.9, whole=0.9, risk=0.05, start=0.1, suggestion=0.2, models=["lr"], tunings=0)


def simulated(mentions: int = 800, *, overlooked: float = 3.0) -> tuple[OutOfFoldMentions, list[str]]:
    """Make mentions whose first column is what the span model goes by; the second it has overlooked."""
    generator = np.random.default_rng(1)
    evidence = generator.normal(size=(mentions, len(NAMES))).astype(np.float32)
    right = generator.random(mentions) < expit(evidence[:, 0] + overlooked * evidence[:, 1] + 1)
    confidence = expit(evidence[:, 0].astype(np.float64) + 1)
    labels, suggestions = np.full(mentions, "Disease"), np.empty(0, dtype=np.int32)
    found = OutOfFoldMentions(np.arange(mentions, dtype=np.int32), evidence, confidence, right, labels, suggestions)
    return found, [f"d{i // 3}" for i in range(mentions)]


# --- who judges -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["lr", "lightgbm"])
def test_a_model_that_sees_more_judges(model: str) -> None:
    mentions, documents = simulated()
    params = PARAMS.model_copy(update={"models": [model]})
    board, judge, confidence = review_mentions(mentions, documents, params, 1)
    assert list(board.columns) == COLUMNS
    coverage = board.set_index("model")["coverage"]
    assert set(coverage.index) == {model, f"{NESTED} (judges)", SPAN_MODEL}
    assert coverage[f"{NESTED} (judges)"] > coverage[SPAN_MODEL] + 0.1
    if model == "lr":
        assert board.equals(review_mentions(mentions, documents, params, 1).leaderboard)
    assert log_loss(mentions.right, confidence) < log_loss(mentions.right, mentions.confidence)
    assert judge is not None
    fitted = judge.confidence(mentions.evidence, mentions.confidence)
    assert log_loss(mentions.right, fitted) < log_loss(mentions.right, confidence)  # it has seen these


def test_the_span_model_judges_where_nothing_was_overlooked() -> None:
    mentions, documents = simulated(overlooked=0.0)
    board, judge, confidence = review_mentions(mentions, documents, PARAMS, 1)
    assert judge is None
    assert confidence is mentions.confidence
    assert set(board["model"]) == {"lr", f"{SPAN_MODEL} (judges)"}


def test_what_looks_better_by_chance_does_not_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The leaderboard says yes, the nested cross-validation is within noise."""
    mentions, documents = simulated()
    noise = np.random.default_rng(2).normal(scale=0.01, size=len(mentions.right))
    monkeypatch.setattr(reviewer, "nested_log_odds", lambda *_: logit(mentions.confidence) + noise)
    board, judge, confidence = review_mentions(mentions, documents, PARAMS, 1)
    assert judge is None
    assert confidence is mentions.confidence
    assert {f"{SPAN_MODEL} (judges)", NESTED} < set(board["model"])


def test_a_model_that_cannot_be_kept_is_compared_and_does_not_judge() -> None:
    mentions, documents = simulated()
    board, judge, _ = review_mentions(mentions, documents, PARAMS.model_copy(update={"models": ["et"]}), 1)
    assert judge is None
    assert board["model"].tolist() == ["et", f"{SPAN_MODEL} (judges)"]


@pytest.mark.parametrize("case", ["no models", "all right", "few wrong", "few"])
def test_nothing_is_compared_where_nothing_can_be_learned(case: str) -> None:
    mentions, documents = simulated(800 if case != "few" else 99)
    params = PARAMS.model_copy(update={"models": []}) if case == "no models" else PARAMS
    if case in ("all right", "few wrong"):
        right = np.ones(len(mentions.right), dtype=bool)
        right[: 29 if case == "few wrong" else 0] = False
        mentions = dataclasses.replace(mentions, right=right)
    board, judge, confidence = review_mentions(mentions, documents, params, 1)
    assert board.empty
    assert list(board.columns) == COLUMNS
    assert judge is None
    assert confidence is mentions.confidence


def test_nobody_judges_mentions_that_it_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    mentions, documents = simulated(300)
    learned_from: list[set[str]] = []
    table = judge_table(mentions.evidence, mentions.confidence)

    class Blind:
        def log_odds(self, held: NDArray[np.float32]) -> NDArray[np.float64]:
            rows = {row.tobytes() for row in held}
            judged = {documents[i] for i, row in enumerate(table) if row.tobytes() in rows}
            assert judged.isdisjoint(learned_from[-1])
            return np.zeros(len(held))

    def noted(_: object, right: NDArray[np.bool_], of: list[str], *more: object) -> Blind:
        assert len(right) == len(of)
        learned_from.append(set(of))
        return Blind()

    monkeypatch.setattr(judging, "learn_judge", noted)
    judging.nested_log_odds(table, mentions.right, documents, PARAMS, 1)
    assert len(learned_from) == judging.FOLDS


@pytest.mark.parametrize("model", ["lr", "lda"])
def test_a_linear_judge_does_not_hang_on_how_sums_are_rounded(model: str) -> None:
    """Columns that nearly say the same, and one that always does, lead a solver astray that stops on the way."""
    mentions, documents = simulated()
    generator = np.random.default_rng(3)
    evidence = mentions.evidence
    evidence[:, 10:20] = evidence[:, :1] + generator.normal(scale=1e-3, size=(len(evidence), 10))
    evidence[:, 20] = 1.0
    table = judge_table(evidence, mentions.confidence)
    order = np.arange(len(table)).reshape(-1, 2)[:, ::-1].ravel()  # within documents of six, so that folds are the same
    documents = [f"d{i // 6}" for i in range(len(table))]
    params = PARAMS.model_copy(update={"models": [model]})
    one = judging.learn_judge(table, mentions.right, documents, params, 1).model
    other = judging.learn_judge(table[order], mentions.right[order], documents, params, 1).model
    assert isinstance(one, np.ndarray)
    assert isinstance(other, np.ndarray)
    assert one.tolist() == other.tolist()


# --- what is kept of a model ----------------------------------------------------------------------


def fitted(model: str) -> tuple[object, NDArray[np.float32]]:
    from lightgbm import LGBMClassifier
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    mentions, _ = simulated(400)
    table = judge_table(mentions.evidence, mentions.confidence) * np.float32(37)
    kinds = {
        "lr": LogisticRegression(max_iter=200),
        "lda": LinearDiscriminantAnalysis(),
        "lightgbm": LGBMClassifier(n_estimators=20, n_jobs=1, verbosity=-1),
    }
    return kinds[model].fit(table / judging._scale(table), mentions.right), table


@pytest.mark.parametrize("model", ["lr", "lda", "lightgbm"])
def test_what_is_kept_says_what_the_model_says(model: str, tmp_path: Path) -> None:
    estimator, table = fitted(model)
    scale = judging._scale(table)
    judge = judge_of(estimator, scale).scaled((0.5, -0.25))
    theirs = estimator.predict_proba(table / scale)[:, 1]  # type: ignore[attr-defined]
    np.testing.assert_allclose(expit(judge.log_odds(table)), theirs, rtol=1e-5, atol=1e-7)
    judge.save(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {".json", ".npy"}
    back = MentionJudge.load(tmp_path, len(NAMES))
    np.testing.assert_array_equal(back.log_odds(table), judge.log_odds(table))
    assert back.scaling == (0.5, -0.25)
    with pytest.raises(ModelError):
        MentionJudge.load(tmp_path, len(NAMES) - 40)


def test_a_mention_is_judged_alone_as_among_others() -> None:
    estimator, table = fitted("lr")
    judge = judge_of(estimator, judging._scale(table))
    alone = [judge.log_odds(table[i : i + 1])[0] for i in range(50)]
    np.testing.assert_array_equal(judge.log_odds(table[:50]), alone)


# --- end to end -----------------------------------------------------------------------------------


def test_the_model_that_judges_is_used_wherever_mentions_are_accepted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whether a phrase is a mention is a coin toss for the span model; the length of the phrase tells a judge."""
    sentences, spans, documents = corpus(6)
    attributes = collect_attributes([sentences], {})
    table = FeatureTable(attributes.transform(sentences), spans, documents)
    params = small().train
    # Trees: what was counted without a fold is less than what all folds have, and a linear judge goes on beyond it.
    acceptance = PARAMS.model_copy(update={"precision": 0.8, "models": ["lightgbm"]})
    params = params.model_copy(update={"acceptance": acceptance})
    length = NAMES.index("tokens")

    def doubtful(tagger: StackedTagger) -> StackedTagger:
        found = tagger.out_of_fold
        assert found is not None
        right = (found.evidence[:, length] > 1) | (np.random.default_rng(4).random(len(found.right)) < 0.3)
        confidence = np.full(len(right), 0.65)
        return dataclasses.replace(tagger, out_of_fold=dataclasses.replace(found, right=right, confidence=confidence))

    tagger = doubtful(learning.fit(table, attributes.n_rows, params))  # type: ignore[arg-type]
    monkeypatch.setattr(learning, "fit", lambda *_: tagger)
    extractor, board = learning.learn_extractor(table, table, table, attributes, params)
    assert f"{NESTED} (judges)" in board["model"].tolist()
    extractor.save(tmp_path)
    loaded = Extractor.load(tmp_path)

    text = "Known acute gout , now on aspirin ."
    found = {text[m.start : m.end]: m for m in loaded.extract(text).mentions}
    assert found["acute gout"].accepted
    assert not found["aspirin"].accepted
    assert found["acute gout"].confidence > 0.9
    assert found["aspirin"].confidence < 0.6
    assert loaded.extract(text) == extractor.extract(text)
    bare = Extractor(attributes, tagger, extractor.acceptance).extract(text)
    assert [m[:3] for m in bare.mentions] == [m[:3] for m in loaded.extract(text).mentions]
    assert [m.confidence for m in bare.mentions] != [m.confidence for m in loaded.extract(text).mentions]
    judged = loaded.tagger.judge(loaded.read([text.split()]))
    assert judged.confidence[judged.mentions].tolist() == [m.confidence for m in loaded.extract(text).mentions]


def test_a_model_without_a_judge_has_no_file_of_one(tmp_path: Path) -> None:
    sentences, spans, documents = corpus(1)
    attributes = collect_attributes([sentences], {})
    tagger = StackedTagger.fit(
        attributes.transform(sentences), spans, documents=documents, n_rows=attributes.n_rows, params=small().train
    )
    tagger.save(tmp_path)
    assert not (tmp_path / "judge").exists()
    assert "judge" not in (tmp_path / "spans.json").read_text()


# --- the measures ---------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.5, 0.9])), min_size=1, max_size=12))
def test_coverage_is_the_best_of_all_thresholds(drawn: list[tuple[bool, float]]) -> None:
    right, confidence = np.array([r for r, _ in drawn]), np.array([c for _, c in drawn])
    best = 0.0
    for threshold in (0.1, 0.5, 0.9):
        taken = confidence >= threshold
        if taken.any() and right[taken].mean() >= 0.75:
            best = max(best, taken.mean())
    assert coverage_at_precision(right, confidence, 0.75) == pytest.approx(best)


def test_the_gain_is_that_of_copied_documents() -> None:
    """Against drawing the documents one by one."""
    generator = np.random.default_rng(3)
    documents = np.repeat(np.arange(20), 4)
    right = generator.random(80) < 0.8
    own, other = generator.random(80).round(1), generator.random(80)
    draws = np.random.default_rng(5)
    gains = []
    for _ in range(1000):
        rows = np.concatenate([np.flatnonzero(documents == d) for d in draws.integers(0, 20, 20)])
        pair = [coverage_at_precision(right[rows], score[rows], 0.8) for score in (other, own)]
        gains.append(pair[0] - pair[1])
    expected = np.percentile(gains, [2.5, 97.5])
    measured = gain_in_coverage(right, own, other, documents, precision=0.8, seed=5)
    np.testing.assert_allclose(measured, expected, atol=1e-12)


def test_no_gain_over_oneself() -> None:
    generator = np.random.default_rng(4)
    right, own = generator.random(60) < 0.8, generator.random(60)
    assert gain_in_coverage(right, own, own, np.arange(60), precision=0.8, seed=1) == (0.0, 0.0)


def test_log_loss_of_certainty() -> None:
    assert log_loss(np.array([True, False]), np.array([1.0, 0.0])) == pytest.approx(0, abs=1e-5)
    assert log_loss(np.array([True]), np.array([0.5])) == pytest.approx(np.log(2))
