"""Model families behind one protocol: token classifiers become chains, and chains decode legally."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stages.common.tags import TokenSpan, spans_of, to_bioes
from stages.featurize.attributes.tokens import SparseTokens
from stages.params import load_params
from stages.train.params import TrainParams
from stages.train.taggers.chain.crf import CrfTagger, TagSet
from stages.train.taggers.judged import LEADERBOARD_COLUMNS as COLUMNS
from stages.train.taggers.tagger import FAMILIES, Tagger, family, name_of
from stages.train.taggers.tokens.automl import KEPT, TokenAutoml
from stages.train.taggers.tokens.logistic import (
    TokenLogistic,
    sparse_matrix,
    tag_numbers,
    tag_weights,
    transition_scores,
)

REAL = load_params().train
ROWS = 40
Sentence = list[list[int]]


def params(**settings: float) -> TrainParams:
    return REAL.model_copy(update={"token_logistic": REAL.token_logistic.model_copy(update=settings)})


def corpus(seed: int, sentences: int = 60) -> tuple[SparseTokens, list[list[TokenSpan]], list[str]]:
    """Make sentences whose tags follow from the attributes: 0 is on every token, 1 to 9 tell the tag."""
    generator = np.random.default_rng(seed)
    tags = TagSet(("Disease", "Treatment")).tags
    rows, spans = [], []
    for _ in range(sentences):
        first, length = int(generator.integers(0, 4)), int(generator.integers(1, 4))
        marked = [(first, first + length, str(generator.choice(["Disease", "Treatment"])))]
        noise = generator.integers(10, ROWS, size=(first + length + 2, 3))
        telling = [1 + tags.index(tag) for tag in to_bioes(len(noise), marked)]
        rows.append([[0, row, *sorted(set(more.tolist()))] for row, more in zip(telling, noise, strict=True)])
        spans.append(marked)
    return sparse(rows), spans, [f"document {s // 4}" for s in range(sentences)]


def sparse(rows: list[Sentence]) -> SparseTokens:
    flat = [token for sentence in rows for token in sentence]
    return SparseTokens(
        np.cumsum([0, *map(len, flat)], dtype=np.int64),
        np.array([row for token in flat for row in token], dtype=np.int32),
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
    )


def emissions(tagger: CrfTagger, tokens: SparseTokens) -> NDArray[np.float64]:
    return np.asarray(sparse_matrix(tokens, ROWS) @ tagger.weights.astype(np.float64))


# --- the registry -------------------------------------------------------------------------------


def test_parameters_allow_exactly_the_registered_families() -> None:
    assert set(get_args(TrainParams.model_fields["family"].annotation)) == FAMILIES.keys()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_found_by_name_and_names_itself(name: str) -> None:
    kind = family(name)
    assert not [name for name in vars(Tagger) if not name.startswith("_") and not hasattr(kind, name)]
    assert name_of(object.__new__(kind)) == name


def test_only_one_module_imports_pycaret() -> None:
    stages = Path(__file__).parents[2] / "stages"
    importing = [path.name for path in stages.rglob("*.py") if "from pycaret" in path.read_text()]
    assert importing == ["leaderboard.py"]


# --- token-logistic -----------------------------------------------------------------------------


def test_it_learns_what_attributes_tell() -> None:
    tokens, spans, documents = corpus(1)
    tagger = TokenLogistic.fit(tokens, spans, documents=documents, n_rows=ROWS, params=REAL)
    unseen, gold, _ = corpus(2)
    assert tagger.spans(unseen) == gold
    assert all(span.confidence > 0.5 for sentence in tagger.tag(unseen) for span in sentence)


def test_weights_are_the_coefficients_of_the_regression() -> None:
    """Against scikit-learn's own decision values, up to what it adds to all classes of a token."""
    from sklearn.linear_model import LogisticRegression

    tokens, spans, _ = corpus(3)
    gold = tag_numbers(tokens, spans, TagSet(("Disease", "Treatment")))
    matrix = sparse_matrix(tokens, ROWS)
    model = LogisticRegression(C=0.3, fit_intercept=False, max_iter=300).fit(matrix, gold)
    tagger = TokenLogistic.fit(tokens, spans, n_rows=ROWS, params=params(c=0.3, iterations=300))
    ours, theirs = emissions(tagger, tokens)[:, model.classes_], model.decision_function(matrix)
    np.testing.assert_allclose(ours - ours[:, :1], theirs - theirs[:, :1], atol=0.2)


def test_sequences_are_legal_when_tokens_are_misled() -> None:
    tokens, spans, _ = corpus(4)
    tagger = TokenLogistic.fit(tokens, spans, n_rows=ROWS, params=params(transitions=0.0))
    inside, end = (1 + tagger.tag_set.tags.index(tag) for tag in ("I-Disease", "E-Treatment"))
    for sentence in tagger.spans(sparse([[[0, inside]] * 3, [[0, end], [0, inside], [0, end]]])):
        assert spans_of(to_bioes(3, sentence)) == sentence


def test_without_mentions_nothing_is_found() -> None:
    tokens, _, _ = corpus(5)
    tagger = TokenLogistic.fit(tokens, [[] for _ in range(tokens.sentences)], n_rows=ROWS, params=REAL)
    assert not any(tagger.spans(tokens))


def test_a_tag_that_training_never_saw_never_wins() -> None:
    class Fitted:
        classes_ = np.array([0, 2, 3])

    weights = np.random.default_rng(0).normal(size=(7, 3))
    ordered = tag_weights(Fitted(), weights, 5)
    assert (ordered[:, [1, 4]] <= ordered[:, [0, 2, 3]].min(axis=1, keepdims=True)).all()
    np.testing.assert_allclose(ordered[:, [0, 2, 3]], weights, rtol=1e-6)


def test_two_classes_have_one_column_of_coefficients() -> None:
    class Fitted:
        classes_ = np.array([0, 4])

    np.testing.assert_array_equal(tag_weights(Fitted(), np.array([[2.0]]), 5), [[0, 0, 0, 0, 2]])


def test_transitions_prefer_what_follows_often() -> None:
    tokens, spans, _ = corpus(6)
    tag_set = TagSet(("Disease", "Treatment"))
    gold = tag_numbers(tokens, spans, tag_set)
    scores = transition_scores(tokens, gold, tag_set, 1.0)
    begin, inside, end = (tag_set.tags.index(f"{prefix}-Disease") for prefix in "BIE")
    assert scores[begin, end] > 0 > scores[begin, 0]
    assert scores[inside, end] > 0 > scores[end, end]
    np.testing.assert_allclose(transition_scores(tokens, gold, tag_set, 0.5), scores / 2, rtol=1e-5)
    assert not transition_scores(tokens, gold, tag_set, 0.0).any()


def test_transitions_do_not_reach_over_the_end_of_a_sentence() -> None:
    """Single mentions only, one a sentence: nothing ever follows S."""
    tag_set = TagSet(("Disease",))
    tokens = sparse([[[0]], [[0]], [[0]]])
    gold = np.array([4, 4, 4])
    np.testing.assert_allclose(np.ptp(transition_scores(tokens, gold, tag_set, 1.0) * 1.0, axis=0), 0, atol=1e-6)


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    tokens, spans, _ = corpus(7)
    weights = []
    for threads in (1, 4):
        with threadpool_limits(threads):
            weights.append(TokenLogistic.fit(tokens, spans, n_rows=ROWS, params=REAL).weights.tobytes())
    assert weights[0] == weights[1]


def test_what_is_saved_comes_back_without_pickle(tmp_path: Path) -> None:
    tokens, spans, _ = corpus(8)
    tagger = TokenLogistic.fit(tokens, spans, n_rows=ROWS, params=REAL).calibrated(tokens, spans)
    tagger.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npy"}
    back = family("token-logistic").load(tmp_path)
    assert isinstance(back, TokenLogistic)
    assert back.tag(tokens) == tagger.tag(tokens)


# --- token-automl, as far as it needs no PyCaret ------------------------------------------------


def test_families_without_a_leaderboard_have_an_empty_one() -> None:
    tokens, spans, _ = corpus(9)
    board = TokenLogistic.fit(tokens, spans, n_rows=ROWS, params=REAL).leaderboard()
    assert board.columns.tolist() == COLUMNS
    assert board.empty


def test_a_loaded_model_of_the_leaderboard_tags(tmp_path: Path) -> None:
    tokens, spans, _ = corpus(10)
    chain = TokenLogistic.fit(tokens, spans, n_rows=ROWS, params=REAL)
    TokenAutoml(chain.tag_set, chain.weights, chain.transitions).save(tmp_path)
    assert TokenAutoml.load(tmp_path).spans(tokens) == chain.spans(tokens)
    assert set(KEPT) == {"lr", "lda"}
