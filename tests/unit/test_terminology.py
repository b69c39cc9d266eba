"""The terminology: the terms found are the longest there are, and what is said of them is what a person would say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation import terminology as command
from stages.common.errors import AnnotationError
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.hashing import hashes_of
from stages.featurize.attributes.terminology import CATEGORIES, LONGEST, NOTHING, Terminology
from stages.featurize.attributes.terminology_kernels import FIRST, INSIDE, LAST, OUTSIDE, SINGLE, places
from stages.featurize.attributes.words import stem_of
from stages.featurize.collecting import collect_attributes
from stages.train.taggers.spans.evidence import term_kernels
from stages.train.taggers.spans.evidence.term_kernels import TERM_NAMES
from tests.callers import called
from tests.reference.evidence import Span, Text, terms_of_category
from tests.reference.terminology import longest_term

term_evidence = called(term_kernels.term_evidence)

TERMS = [
    ("Carcinoma", "disease"),
    ("Carcinoma, Non-Small Cell Lung", "disease"),
    ("Non-Small Cell Lung Carcinomas", "disease"),
    ("Lung", "other"),
    ("Aspirin", "chemical"),
    ("Insulin", "protein"),
    ("Insulin", "chemical"),
]
DISEASE = CATEGORIES.index("disease")

words = st.sampled_from(["a", "b", "c", "-", ","])
sentences = st.lists(st.lists(words, min_size=1, max_size=8), max_size=4)
terms = st.lists(
    st.tuples(st.lists(words, min_size=1, max_size=4).map(" ".join), st.sampled_from(CATEGORIES)), max_size=8
)


def lengths_in(terminology: Terminology, text: list[list[str]]) -> np.ndarray:
    stems = hashes_of([stem_of(word) for sentence in text for word in sentence])
    starts = np.concatenate([[0], np.cumsum([len(sentence) for sentence in text], dtype=np.int64)]).astype(np.int64)
    return terminology.longest(stems, starts)


@given(terms, sentences)
def test_the_longest_term_of_each_category_is_found(known: list[tuple[str, str]], text: list[list[str]]) -> None:
    expected = [
        [longest_term(known, sentence, first, category) for category in CATEGORIES]
        for sentence in text
        for first in range(len(sentence))
    ]
    found = lengths_in(Terminology.of(known), text)
    assert found.tolist() == expected


def test_spelling_that_means_nothing_is_passed_over() -> None:
    text = ["Two", "NON", "-", "small", "cell", "lung", "carcinomas", "on", "aspirin", "."]
    found = lengths_in(Terminology.of(TERMS), [text])
    assert found[1, DISEASE] == 6
    assert found[6, DISEASE] == 1
    assert found[8, CATEGORIES.index("chemical")] == 1
    assert found.sum() == 6 + 1 + 1 + 1  # and the lung


def test_a_term_may_be_of_two_categories() -> None:
    found = lengths_in(Terminology.of(TERMS), [["insulin"]])
    assert [CATEGORIES[c] for c in np.flatnonzero(found[0])] == ["chemical", "protein"]


def test_terms_that_no_doctor_writes_out_are_left_out() -> None:
    assert len(Terminology.of([(" ".join("w" * (LONGEST + 1)), "disease"), (" ".join("w" * LONGEST), "disease")])) == 1
    assert len(Terminology.of([("-", "disease")])) == 0


@given(terms)
def test_order_does_not_matter(known: list[tuple[str, str]]) -> None:
    one, other = Terminology.of(known), Terminology.of(known[::-1])
    np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.members, other.members)


@given(terms, sentences)
def test_places_follow_the_terms_without_overlap(known: list[tuple[str, str]], text: list[list[str]]) -> None:
    lengths = lengths_in(Terminology.of(known), text)
    found = places(lengths)
    for category in range(len(CATEGORIES)):
        expected = np.zeros(len(lengths), dtype=int)
        t = 0
        while t < len(lengths):
            length = int(lengths[t, category])
            if length == 1:
                expected[t] = SINGLE
            elif length:
                expected[t : t + length] = [FIRST, *[INSIDE] * (length - 2), LAST]
            t += max(length, 1)
        assert found[:, category].tolist() == expected.tolist()
    assert OUTSIDE == 0


def test_a_tagger_sees_the_terms_at_a_token_and_beside_it() -> None:
    text = [["Had", "aspirin", "today", "."]]
    plain = collect_attributes([text], {})
    looking = collect_attributes([text], {}, Terminology.of(TERMS))
    names = looking.row_names()
    tokens, without = looking.transform(text), plain.transform(text)
    seen = [{names[row] for row in tokens.rows[a:b]} for a, b in zip(tokens.starts, tokens.starts[1:], strict=False)]
    assert [{name for name in token if "term=" in name} for token in seen] == [
        {"+1term=S-chemical"},
        {"term=S-chemical"},
        {"-1term=S-chemical"},
        set(),
    ]
    assert len(tokens.rows) == len(without.rows) + 3
    assert not any("term=" in name for name in plain.row_names())


def test_an_extractor_keeps_its_terminology(tmp_path: Path) -> None:
    text = [["Had", "aspirin", "."]]
    looking = collect_attributes([text], {}, Terminology.of(TERMS))
    looking.save(tmp_path)
    again = AttributeExtractor.load(tmp_path)
    np.testing.assert_array_equal(again.transform(text).rows, looking.transform(text).rows)
    pruned = looking.pruned(np.array(["term=S" not in name for name in looking.row_names()]))
    assert not any("term=S" in name for name in pruned.row_names())
    assert len(pruned.transform(text).rows) == len(looking.transform(text).rows) - 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"file terms\.tsv: cannot be read"),
        (b"", r"file terms\.tsv, line 1: has another header"),
        (b"term,category\n", "line 1: has another header"),
        (b"term\tcategory\ngout\tdisease\ngout\n", "line 3: is not a term with its category"),
        (b"term\tcategory\ngout\tillness\n", "line 2: is not a term with its category. Write a term, a tab and one of"),
        (b"term\tcategory\nM\xfcnchmeyer\tdisease\n", r"cannot be read: .* or set featurize\.terminology to null"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "terms.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AnnotationError, match=message):
        Terminology.read(path)


def test_windows_line_ends_are_no_part_of_a_category(tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_bytes(b"term\tcategory\r\ngout\tdisease\r\n")
    assert len(Terminology.read(tmp_path / "terms.tsv")) == 1


@given(terms, st.lists(words, min_size=1, max_size=10), st.data())
def test_evidence_says_how_a_span_lies_to_the_terms(
    known: list[tuple[str, str]], sentence: list[str], data: st.DataObject
) -> None:
    lengths = lengths_in(Terminology.of(known), [sentence])
    first = data.draw(st.integers(0, len(sentence) - 1))
    end = data.draw(st.integers(first + 1, len(sentence)))
    out = np.full((1, len(TERM_NAMES)), 7, dtype=np.float32)
    spans = np.array([[0, first, end, 0]], dtype=np.int32)
    term_evidence(spans, lengths, np.array([0, len(sentence)], dtype=np.int64), out, 0)
    found = {(0, t): dict(zip(CATEGORIES, row, strict=True)) for t, row in enumerate(lengths.tolist())}
    text = Text([sentence], [0], [], [], terms=found)
    for number, category in enumerate(CATEGORIES):
        expected = terms_of_category(text, Span(0, first, end, 0, 0.5), category)
        assert out[0, number :: len(CATEGORIES)].tolist() == pytest.approx(expected)


def test_a_term_of_the_sentence_before_says_nothing() -> None:
    lengths = lengths_in(Terminology.of(TERMS), [["carcinoma"], ["aspirin"]])
    out = np.empty((1, len(TERM_NAMES)), dtype=np.float32)
    term_evidence(np.array([[1, 1, 2, 0]], dtype=np.int32), lengths, np.array([0, 1, 2], dtype=np.int64), out, 0)
    said = {name for name, value in zip(TERM_NAMES, out[0], strict=True) if value}
    assert said == {
        "is a term: chemical",
        "longest term inside: chemical, share",
        "ends with a term: chemical, share",
    }


MESH = (
    "D1\tCarcinoma\tCarcinomas|Malignant Epithelioma\tC04.557.470\t\n"
    "D2\tAspirin\tAcetylsalicylic Acid\tD02.455|D02.241\t\n"
    "D3\tInsulin\t\tD06.472|D12.644\t\n"
    "D4\tMale\t\t\t\n"
)


def test_the_table_is_made_from_medical_subject_headings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "mesh.tsv", tmp_path / "out.tsv"
    source.write_text(MESH, encoding="utf-8")
    assert command.main([str(source), str(target)]) == 0
    assert "6 terms" in capsys.readouterr().out
    assert target.read_text(encoding="utf-8").splitlines() == [
        "term\tcategory",
        "Acetylsalicylic Acid\tchemical",
        "Aspirin\tchemical",
        "Carcinoma\tdisease",
        "Insulin\tchemical",
        "Insulin\tprotein",
        "Malignant Epithelioma\tdisease",
    ]
    assert len(Terminology.read(target)) == 5


def test_another_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "mesh.tsv", tmp_path / "out.tsv"
    source.write_text(MESH + "D5\tGout\n", encoding="utf-8")
    assert command.main([str(source), str(target)]) == 1
    assert "file mesh.tsv, line 5: has 2 columns instead of 4" in capsys.readouterr().err
    assert not target.exists()


def test_nothing_is_found_with_no_terminology() -> None:
    assert not lengths_in(NOTHING, [["aspirin"]]).any()
    assert lengths_in(NOTHING, []).shape == (0, len(CATEGORIES))
