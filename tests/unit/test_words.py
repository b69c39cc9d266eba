"""Attributes of one word form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.featurize.attributes.words import OFFSETS, WordForm, analyse, flags_of, normalised, shape_of, stem_of

words = st.text(min_size=1, max_size=40)


def own(form: str, clusters: dict[str, tuple[str, ...]] | None = None) -> tuple[str, ...]:
    return analyse(form, clusters or {}).attributes[0]


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("Carcinomas", "carcinoma"),
        ("therapies", "therapy"),
        ("abscesses", "abscess"),
        ("virus", "virus"),
        ("arthritis", "arthritis"),
        ("loss", "loss"),
        ("gas", "gas"),
        ("ties", "ties"),
        ("HbA1c", "hba0c"),
        ("s", "s"),
    ],
)
def test_plurals_are_undone_and_nothing_else(word: str, stem: str) -> None:
    assert stem_of(word) == stem


@pytest.mark.parametrize(
    ("word", "flags"),
    [
        ("COPD", {"capitals", "acronym"}),
        ("Gout", {"capitalised"}),
        ("HbA1c", {"mixed", "has_digit"}),
        ("gout", set()),
        ("500", {"digits"}),
        ("5", {"mark", "digits"}),
        (",", {"mark", "punctuation,"}),
        ("a", {"letter"}),
        ("II", {"capitals", "acronym", "roman"}),
        ("beta", {"greek"}),
        ("TIAs", {"mixed", "acronyms"}),
        ("AMYLOIDOSIS", {"capitals"}),
    ],
)
def test_orthography(word: str, flags: set[str]) -> None:
    assert set(flags_of(word)) == {f"f={flag}" for flag in flags}


@pytest.mark.parametrize(
    ("word", "shape"), [("T2DM", "A0AA"), ("co-amoxiclav", "aa-aaaaaaaaa"), ("Sjögren", "Aaaaaaa")]
)
def test_shapes(word: str, shape: str) -> None:
    assert shape_of(word) == shape


def test_numbers_of_the_same_length_are_one_form() -> None:
    assert normalised("500") == normalised("250") != normalised("75")
    assert {a for a in own("500") if not a.startswith("W=")} == {a for a in own("250") if not a.startswith("W=")}


def test_affixes_and_grams_of_a_word() -> None:
    attributes = own("gout")
    assert {"w=gout", "W=gout", "st=gout", "p2=go", "p3=gou", "s1=t", "s3=out", "n=^go", "n=ut$", "n=gout"} <= set(
        attributes
    )
    assert not {"p4=gout", "s4=gout"} & set(attributes), "an affix is shorter than its word"


def test_very_long_words_have_few_attributes() -> None:
    attributes = own("x" * 10_000)
    assert len(attributes) < 30
    assert not any(name.startswith(("n=", "sh=")) for name in attributes)


def test_clusters_are_found_by_form_then_by_stem() -> None:
    clusters = {"gout": ("c64=1", "c256=2", "t300=3"), "tablet": ("c64=9",)}
    assert set(clusters["gout"]) <= set(own("Gout", clusters))
    assert "c64=9" in own("Tablets", clusters)
    assert "cl=unknown" in own("asthma", clusters)


def test_pairs_are_made_of_the_finer_cluster() -> None:
    assert analyse("gout", {"gout": ("c64=1", "c256=2")}).cluster == "c256=2"
    assert analyse("gout", {"gout": ("c64=1",)}).cluster == "c64=1"
    assert analyse("gout", {}).cluster == "cl=unknown"


def test_neighbours_are_marked_with_their_distance() -> None:
    form = analyse("gout", {})
    for offset, attributes in zip(OFFSETS, form.attributes, strict=True):
        if offset:
            assert all(name.startswith(f"{offset:+d}") for name in attributes)
    sizes = {abs(offset): len(attributes) for offset, attributes in zip(OFFSETS, form.attributes, strict=True)}
    assert sizes[0] > sizes[1] > sizes[2] > sizes[3] > 0


@given(words)
def test_any_word_has_distinct_attributes_at_every_offset(word: str) -> None:
    form = analyse(word, {})
    assert isinstance(form, WordForm)
    everything = [name for attributes in form.attributes for name in attributes]
    assert len(form.attributes) == len(OFFSETS)
    assert form.stem and form.cluster and form.shape
    assert f"W={word}" in form.attributes[0]
    assert len(everything) == len(set(everything))


@given(words)
def test_shapes_have_a_sign_per_character(word: str) -> None:
    assert len(shape_of(word)) == len(word)
    assert set(shape_of(word)) <= set("Aa0-")
