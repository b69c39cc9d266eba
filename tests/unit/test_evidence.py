"""Every column of evidence against plain Python, on sentences made by hand and on any sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import typeof

from stages.featurize.attributes.hashing import hashes_of
from stages.featurize.attributes.kernels import CAPITALISED, CLOSES, HYPHEN, JOINS, OPENS
from stages.featurize.attributes.terminology import CATEGORIES
from stages.featurize.attributes.tokens import SparseTokens, Surface
from stages.featurize.collecting import collect_attributes
from stages.featurize.store import Context, read_features, write_features
from stages.train.taggers.chain.candidates import Candidates
from stages.train.taggers.spans.evidence.evidence import NAMES, gather_evidence
from stages.train.taggers.spans.evidence.evidence_kernels import fill_evidence
from stages.train.taggers.spans.key_kernels import count_occurrences, pair_keys, phrase_keys
from stages.train.taggers.spans.statistics import SpanStatistics
from tests.reference import evidence as reference
from tests.reference.evidence import CLOSING, JOINING, OPENING, Span, Text, Training

LABELS = ("Disease", "Treatment")
DISEASE, TREATMENT = range(2)

TRAINING = Training(
    sentences=[
        "Severe gout and heart failure .".split(),
        "heart failure ( HF ) treated with aspirin .".split(),
        "No gout , aspirin stopped ; gout again".split(),
        "aspirin - induced gout , low - dose aspirin".split(),
        "gout".split(),
        "acute heart failure".split(),
        "with insulin heart insulin".split(),
        "severe acute gout".split(),
    ],
    mentions=[
        [(1, 2, DISEASE), (3, 5, DISEASE)],
        [(0, 2, DISEASE), (3, 4, DISEASE), (7, 8, TREATMENT)],
        [(1, 2, DISEASE), (3, 4, TREATMENT)],
        [(0, 4, DISEASE), (5, 8, TREATMENT)],
        [(0, 1, TREATMENT)],
        [(0, 3, DISEASE)],
        [(1, 2, TREATMENT), (2, 4, TREATMENT)],
        [(1, 3, DISEASE)],
    ],
    labels=2,
)

SENTENCES = [
    "Severe heart failure ( HF ) and gout .".split(),
    "Gout , HF treated with low - dose aspirin".split(),
    "unheard acute heart failure ( HF ) , insulin".split(),
    "HF and acute gout - induced".split(),
    "gout".split(),
]


def every_span(sentences: list[list[str]], longest: int = 4) -> list[tuple[int, int, int, int]]:
    return [
        (s, first, end, label)
        for s, words in enumerate(sentences)
        for first in range(len(words))
        for end in range(first + 1, min(len(words), first + longest) + 1)
        for label in range(len(LABELS))
    ]


@pytest.fixture(scope="module")
def text() -> Text:
    """All spans of the sentences above, the last of another note; terms lie in every way to some of them."""
    generator = np.random.default_rng(3)
    places = [(s, t) for s, words in enumerate(SENTENCES) for t in range(len(words))]
    return Text(
        SENTENCES,
        contexts=[0, 0, 0, 0, 1],
        spans=[Span(*span, float(generator.uniform())) for span in every_span(SENTENCES)],
        outside=[generator.uniform(size=len(words)).tolist() for words in SENTENCES],
        long_forms={(0, 4): 3, (2, 5): 3},
        terms={
            (s, t): {category: n for k, category in enumerate(CATEGORIES) if (n := (s + t + 2 * k) % 5) + t < 6}
            for s, t in places
        },
    )


def flags_of(word: str) -> int:
    return (
        OPENS * (word in OPENING)
        | CLOSES * (word in CLOSING)
        | CAPITALISED * word[0].isupper()
        | JOINS * (word in JOINING)
        | HYPHEN * (word == "-")
    )


def tokens_of(sentences: list[list[str]], text: Text | None = None) -> SparseTokens:
    """Turn words into tokens as the span model sees them, which has no attributes of its own."""
    words = [word for sentence in sentences for word in sentence]
    starts = np.cumsum([0, *map(len, sentences)]).astype(np.int64)
    long_forms = np.zeros(len(words), dtype=np.int16)
    terms = np.zeros((len(words), len(CATEGORIES)), dtype=np.int8)
    for (s, t), distance in text.long_forms.items() if text else ():
        long_forms[starts[s] + t] = distance
    for (s, t), lengths in text.terms.items() if text else ():
        terms[starts[s] + t] = [lengths.get(category, 0) for category in CATEGORIES]
    surface = Surface(
        hashes_of(words),
        hashes_of([reference.stem_of(word) for word in words]),
        np.array([len(word) for word in words], dtype=np.int16),
        np.array([flags_of(word) for word in words], dtype=np.int8),
        long_forms,
        terms,
        np.array(text.contexts if text else [0] * len(sentences), dtype=np.int32),
    )
    return SparseTokens(np.zeros(len(words) + 1, dtype=np.int64), np.empty(0, dtype=np.int32), starts, surface)


def compiled(text: Text, training: Training) -> np.ndarray:
    named = [[(a, b, LABELS[label]) for a, b, label in mentions] for mentions in training.mentions]
    statistics = SpanStatistics.learn(tokens_of(training.sentences), named, LABELS)
    tokens = tokens_of(text.sentences, text)
    offsets = tokens.sentence_starts.tolist()
    rows = [(s, offsets[s] + first, offsets[s] + end, label) for s, first, end, label, _ in text.spans]
    candidates = Candidates(
        np.array(rows, dtype=np.int32).reshape(-1, 4),
        np.array([span.p for span in text.spans], dtype=np.float64),
        np.array([p for sentence in text.outside for p in sentence], dtype=np.float64),
    )
    return gather_evidence(candidates, tokens, statistics)


def plain(text: Text, training: Training) -> list[dict[str, float]]:
    rows = (reference.evidence(text, training, span) for span in text.spans)
    return [{name: float(value) for name, value in row.items()} for row in rows]


@pytest.fixture(scope="module")
def both(text: Text) -> tuple[np.ndarray, list[dict[str, float]]]:
    return compiled(text, TRAINING), plain(text, TRAINING)


@pytest.mark.parametrize("name", NAMES)
def test_a_column_is_what_it_is_named(name: str, both: tuple[np.ndarray, list[dict[str, float]]]) -> None:
    table, rows = both
    expected = [row[name] for row in rows]
    assert len(set(expected)) > 1, "the sentences show nothing of this column"
    np.testing.assert_allclose(table[:, NAMES.index(name)], expected, rtol=1e-6, atol=1e-7)


def test_every_column_has_a_plain_definition(both: tuple[np.ndarray, list[dict[str, float]]]) -> None:
    table, rows = both
    assert list(rows[0]) == list(NAMES)
    assert table.shape == (len(rows), len(NAMES))


def test_no_two_columns_say_the_same(both: tuple[np.ndarray, list[dict[str, float]]]) -> None:
    """So that no column can stand for another unnoticed."""
    table, _ = both
    assert len(np.unique(table.round(5), axis=1).T) == len(NAMES)


WORDS = st.sampled_from(["gout", "Gout", "HF", "acute", "(", ")", "-", "and", "."])
SENTENCE_LISTS = st.lists(st.lists(WORDS, min_size=1, max_size=7), min_size=1, max_size=4)


@st.composite
def trainings(draw: st.DrawFn) -> Training:
    """Any mentions that do not overlap."""
    sentences = draw(SENTENCE_LISTS)
    mentions: list[list[tuple[int, int, int]]] = [[] for _ in sentences]
    for s, first, end, label in draw(st.lists(st.sampled_from(every_span(sentences)), max_size=8)):
        if all(end <= a or b <= first for a, b, _ in mentions[s]):
            mentions[s].append((first, end, label))
    return Training(sentences, mentions, len(LABELS))


@st.composite
def texts(draw: st.DrawFn) -> Text:
    sentences = draw(SENTENCE_LISTS)
    places = [(s, t) for s, words in enumerate(sentences) for t in range(len(words))]
    probability = st.floats(0, 1, width=32)
    spans = sorted(set(draw(st.lists(st.sampled_from(every_span(sentences)), min_size=1, max_size=12))))
    shorts = [(s, t) for s, t in places if t >= 2]  # a long form, a bracket, and then the short form
    terms = {
        (s, t): {category: draw(st.integers(0, min(3, len(sentences[s]) - t))) for category in CATEGORIES}
        for s, t in draw(st.lists(st.sampled_from(places), max_size=3))
    }
    return Text(
        sentences,
        contexts=sorted(draw(st.integers(0, 1)) for _ in sentences),
        spans=[Span(*span, draw(probability)) for span in spans],
        outside=[[draw(probability) for _ in words] for words in sentences],
        long_forms={(s, t): draw(st.integers(2, t)) for s, t in draw(st.lists(st.sampled_from(shorts), max_size=2))}
        if shorts
        else {},
        terms=terms,
    )


@settings(max_examples=60, deadline=None)
@given(texts(), trainings())
def test_evidence_of_any_text_is_that_of_plain_python(text: Text, training: Training) -> None:
    table = compiled(text, training)
    for row, expected in zip(table.tolist(), plain(text, training), strict=True):
        assert dict(zip(NAMES, row, strict=True)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("distance", "count"), [(reference.LOOK_BACK, 1), (reference.LOOK_BACK + 1, 0)], ids=["within", "beyond"]
)
def test_what_is_nearby_ends_at_a_distance(distance: int, count: int) -> None:
    sentences = [["gout"], *[["."]] * (distance - 1), ["gout"]]
    spans = [Span(0, 0, 1, DISEASE, 0.4), Span(distance, 0, 1, DISEASE, 0.6)]
    text = Text(sentences, [0] * len(sentences), spans, [[0.5] for _ in sentences])
    assert compiled(text, TRAINING)[:, NAMES.index("same phrase nearby, count")].tolist() == [count, count]


def test_a_text_without_candidates_has_no_evidence() -> None:
    text = Text([["gout"]], [0], [], [[0.5]])
    assert compiled(text, TRAINING).shape == (0, len(NAMES))


def test_one_type_of_each_array_is_seen(tmp_path: Path) -> None:
    """A kernel is compiled once for tokens from the disk and from text: a second time costs a process seconds."""
    sentences = TRAINING.sentences
    attributes = collect_attributes([sentences], {})
    outside = [["O"] * len(words) for words in sentences]
    context = Context(["d"] * len(sentences), list(range(len(sentences))), sentences, outside)
    write_features(tmp_path / "train.parquet", [context], attributes)
    fresh, stored = attributes.transform(sentences).surface, read_features(tmp_path / "train.parquet").tokens.surface
    assert fresh is not None and stored is not None
    for name, array in vars(fresh).items():
        assert typeof(array) == typeof(getattr(stored, name)), name
    text = Text(SENTENCES, [0] * 5, [Span(0, 0, 1, DISEASE, 0.5)], [[0.5] * len(words) for words in SENTENCES])
    compiled(text, TRAINING)
    kernels = (fill_evidence, phrase_keys, pair_keys, count_occurrences)
    assert {kernel.__name__: len(kernel.signatures) for kernel in kernels} == {k.__name__: 1 for k in kernels}
