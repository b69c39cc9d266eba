"""Tags and spans: both encodings round trip, and faulty sequences are read as documented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from stages.common.tags import iob2_tags, is_valid_iob2, spans_of, to_bioes, to_iob2
from tests.labels import LABELS

BIOES_TAGS = ("O", *(f"{prefix}-{label}" for label in LABELS for prefix in "BIES"))


@st.composite
def sentences(draw):
    """Return the length of a sentence, and spans in it that do not overlap."""
    spans, position = [], 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.sampled_from(LABELS)), max_size=6)
    ):
        spans.append((position + gap, position + gap + length, label))
        position += gap + length
    return position + draw(st.integers(0, 3)), spans


@pytest.mark.parametrize("encode", [to_iob2, to_bioes])
@given(sentence=sentences())
def test_spans_survive_encoding(encode, sentence):
    length, spans = sentence
    tags = encode(length, spans)
    assert len(tags) == length
    assert spans_of(tags) == spans


@given(sentences())
def test_encoded_sentences_are_valid(sentence):
    assert is_valid_iob2(to_iob2(*sentence))


@given(st.lists(st.sampled_from(iob2_tags(LABELS)), max_size=12))
def test_any_iob2_sequence_is_read_as_seqeval_does_by_default(tags):
    assert spans_of(tags) == [(first, last + 1, label) for label, first, last in get_entities(tags)]


@given(st.lists(st.sampled_from(BIOES_TAGS), max_size=12))
def test_any_bioes_sequence_is_read_as_seqeval_does_by_default(tags):
    assert spans_of(tags) == [(first, last + 1, label) for label, first, last in get_entities(tags)]


@given(st.lists(st.sampled_from(iob2_tags(LABELS)), max_size=12))
def test_exactly_the_sequences_that_encode_their_own_spans_are_valid(tags):
    assert is_valid_iob2(tags) == (to_iob2(len(tags), spans_of(tags)) == tags)


def test_an_inside_tag_that_continues_nothing_opens_a_span():
    tags = ["I-Disease", "I-Disease", "I-Treatment", "O", "B-Treatment", "I-Disease"]
    assert not is_valid_iob2(tags)
    assert spans_of(tags) == [(0, 2, "Disease"), (2, 3, "Treatment"), (4, 5, "Treatment"), (5, 6, "Disease")]


@pytest.mark.parametrize(
    ("tags", "valid"),
    [
        ([], True),
        (["B-Disease", "B-Disease", "I-Disease"], True),
        (["B-Disease", "I-Treatment"], False),
        (["O", "I-Disease"], False),
        (["I-Disease"], False),
    ],
)
def test_validity(tags, valid):
    assert is_valid_iob2(tags) is valid
