"""Abbreviations: the algorithm of Schwartz & Hearst on clinical text, and how long a definition holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.featurize.attributes.abbreviations import LOOK_BACK, AbbreviationReader, definitions
from stages.prepare.segmentation import tokenize


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in tokenize(text)]


def found(text: str) -> list[tuple[str, str]]:
    tokens = words(text)
    return [
        (" ".join(tokens[d.long_start : d.long_end]), "".join(tokens[d.short_start : d.short_end]))
        for d in definitions(tokens)
    ]


@pytest.mark.parametrize(
    ("text", "long", "short"),
    [
        ("atrial fibrillation (AF)", "atrial fibrillation", "AF"),
        ("known atrial fibrillation (AF) on apixaban", "atrial fibrillation", "AF"),
        ("chronic obstructive pulmonary disease (COPD)", "chronic obstructive pulmonary disease", "COPD"),
        (
            "heart failure with preserved ejection fraction (HFpEF)",
            "heart failure with preserved ejection fraction",
            "HFpEF",
        ),
        ("type 2 diabetes mellitus (T2DM)", "type 2 diabetes mellitus", "T2DM"),
        ("She has systemic lupus erythematosus (SLE).", "systemic lupus erythematosus", "SLE"),
        ("non-invasive ventilation (NIV)", "non - invasive ventilation", "NIV"),
        ("Deep vein thrombosis (DVT), left leg", "Deep vein thrombosis", "DVT"),
        ("tumour necrosis factor alpha (TNF-a) inhibitor", "tumour necrosis factor alpha", "TNF-a"),
        ("continuous positive airway pressure (CPAP; nightly)", "continuous positive airway pressure", "CPAP"),
    ],
)
def test_definitions_in_clinical_text(text: str, long: str, short: str) -> None:
    assert found(text) == [(long, short)]


@pytest.mark.parametrize(
    "text",
    [
        "mortality fell (n=3)",
        "raised CRP (42)",
        "asthma (a)",
        "seen today (see below for the plan)",
        "(AF) was found",
        "atrial fibrillation (AF",
        "salbutamol (PRN)",
        "atrial fibrillation ()",
        "asthma (abcdefghijklmn)",
        "gout (gout)",
    ],
)
def test_other_brackets_define_nothing(text: str) -> None:
    assert found(text) == []


def test_a_long_form_starts_near_its_short_form() -> None:
    filler = "word " * 8
    assert found(f"atrial {filler}fibrillation (AF)") == []


def test_two_definitions_in_one_sentence() -> None:
    text = "atrial fibrillation (AF) and chronic kidney disease (CKD)"
    assert found(text) == [("atrial fibrillation", "AF"), ("chronic kidney disease", "CKD")]


def names_at(reader: AbbreviationReader, text: str, word: str) -> set[str]:
    """Return the attributes of `word` in the next sentence."""
    tokens = words(text)
    return {name for position, name in reader.attributes(tokens) if tokens[position] == word}


def test_a_definition_marks_its_own_sentence() -> None:
    reader = AbbreviationReader()
    tokens = words("Has tuberous sclerosis complex (TSC).")
    assert set(reader.attributes(tokens)) >= {(1, "LF=B"), (2, "LF=I"), (3, "LF=E"), (5, "SFdef"), (5, "SF")}


def test_a_long_form_of_one_word_has_only_a_beginning() -> None:
    attributes = AbbreviationReader().attributes(words("Given hydroxychloroquine (HCQ)."))
    assert (1, "LF=B") in attributes
    assert not any(name.startswith("SFbg=") for _, name in attributes)


def test_a_short_form_takes_the_head_along() -> None:
    reader = AbbreviationReader()
    reader.attributes(words("Has tuberous sclerosis (TS)."))
    assert names_at(reader, "TS is stable.", "TS") == {
        "SF", "SFl=sclerosis", "SFs4=osis", "SFf=tuberous", "SFf4=rous", "SFbg=tuberous|sclerosis",
    }  # fmt: skip


def test_plural_short_forms_are_recalled() -> None:
    reader = AbbreviationReader()
    reader.attributes(words("A transient ischaemic attack (TIA)."))
    assert "SFl=attack" in names_at(reader, "Two TIAs since.", "TIAs")
    assert names_at(reader, "An s and TI.", "TI") == set()


def test_a_word_used_before_its_definition_is_not_recalled() -> None:
    reader = AbbreviationReader()
    assert names_at(reader, "TSC is suspected.", "TSC") == set()
    reader.attributes(words("Has tuberous sclerosis complex (TSC)."))
    assert "SF" in names_at(reader, "TSC again.", "TSC")


@pytest.mark.parametrize(("between", "recalled"), [(0, True), (LOOK_BACK - 1, True), (LOOK_BACK, False), (40, False)])
def test_a_definition_holds_for_so_many_sentences(between: int, recalled: bool) -> None:
    reader = AbbreviationReader()
    reader.attributes(words("Has tuberous sclerosis complex (TSC)."))
    for _ in range(between):
        reader.attributes(["Stable", "."])
    assert ("SF" in names_at(reader, "TSC again.", "TSC")) == recalled


def test_a_second_definition_takes_over() -> None:
    reader = AbbreviationReader()
    reader.attributes(words("mitral stenosis (MS)"))
    reader.attributes(words("multiple sclerosis (MS)"))
    assert "SFl=sclerosis" in names_at(reader, "MS clinic", "MS")


def test_readers_do_not_know_of_each_other() -> None:
    AbbreviationReader().attributes(words("tuberous sclerosis complex (TSC)"))
    assert names_at(AbbreviationReader(), "TSC again", "TSC") == set()


@given(st.lists(st.lists(st.sampled_from([*"()[];,aAb1-é", "ab", "AB", "ABs", "a b", "ﬁ"]), max_size=12), max_size=6))
def test_anything_can_be_read(sentences: list[list[str]]) -> None:
    reader = AbbreviationReader()
    for sentence in sentences:
        for position, name in reader.attributes(sentence):
            assert 0 <= position < len(sentence)
            assert name
        for definition in definitions(sentence):
            assert 0 <= definition.long_start < definition.long_end < definition.short_start < definition.short_end
            assert definition.short_end < len(sentence)
