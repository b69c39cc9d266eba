"""Segmentation: offsets that lose nothing, and the layouts that clinical text comes in."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sentencex
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.prepare import segmentation
from stages.prepare.segmentation import split_sentences, tokenize

CLINICAL = [
    "Seen by the team. ", "Plan:", "- stop aspirin", "• start 2.5 mg b.d.", "1. ", "2) review", "(n=3)", "COPD/asthma",
    "HbA1c 68 mmol/mol", "T2DM", "Dr. ", "e.g. ", "?PE", "K+ 5.9", "10.5.2025", "½", "µg", "naïve", "β-blocker", "…",
    "\n", "\n\n", "\r\n", "\t", " ", "\u00a0", "\u2028", "\x0b", "\x1c", "\u200b", "e\u0301", "🙂", "_", "٣", "\r",
    "who went on with the tablets for as long as they lasted and then", "\n  and", "\n(", "\nNext", "!", '."', "'s",
]  # fmt: skip
"""Pieces that clinical layout is made of, and characters that trip segmenters."""

texts = st.one_of(st.text(max_size=120), st.lists(st.sampled_from(CLINICAL), max_size=30).map("".join))


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in tokenize(text)]


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def assert_covers(text: str, spans: Sequence[tuple[int, int]]) -> None:
    """Spans are in order, do not overlap, begin and end in print, and leave only white space out."""
    place = 0
    for start, end in spans:
        assert place <= start < end <= len(text)
        assert text[place:start].strip() == ""
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        place = end
    assert text[place:].strip() == ""


@given(texts)
def test_tokens_cover_the_text(text: str) -> None:
    tokens = tokenize(text)
    assert_covers(text, tokens)
    assert not any(character.isspace() for start, end in tokens for character in text[start:end])


@given(texts)
def test_sentences_cover_the_text(text: str) -> None:
    assert_covers(text, split_sentences(text))


@given(texts)
def test_no_token_lies_across_sentences(text: str) -> None:
    inside = [token for start, end in split_sentences(text) for token in tokenize(text, start, end)]
    assert_covers(text, inside)


@given(texts, st.integers(0, 130), st.integers(0, 130))
def test_tokens_of_a_part_have_offsets_of_the_whole(text: str, start: int, end: int) -> None:
    for token in tokenize(text, start, end):
        assert start <= token.start < token.end <= min(end, len(text))
    assert [text[s:e] for s, e in tokenize(text, start, end)] == words(text[start:end] if start <= end else "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500mg", "500 mg"),
        ("2.5mg/h", "2.5 mg / h"),
        ("1,000 units", "1,000 units"),
        ("10units", "10 units"),
        ("COPD/asthma", "COPD / asthma"),
        ("co-amoxiclav", "co - amoxiclav"),
        ("non-Hodgkin", "non - Hodgkin"),
        ("(n=3)", "( n = 3 )"),
        ("T2DM", "T2DM"),
        ("HbA1c", "HbA1c"),
        ("b.d.", "b . d ."),
        ("K+ 5.9", "K + 5.9"),
        ("?PE", "? PE"),
        ("5.", "5 ."),
        ("3.5.2025", "3.5.2025"),
        ("Crohn's", "Crohn ' s"),
        ("Sjögren", "Sjögren"),
        ("β-blocker", "β - blocker"),
        ("a_b", "a _ b"),
        ("IgG4", "IgG4"),
        ("\t\n", ""),
        ("", ""),
    ],
)
def test_what_is_glued_comes_apart_and_names_stay_whole(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t\r\n ", []),
        ("Stable.", ["Stable."]),
        ("  Stable. Home today. ", ["Stable.", "Home today."]),
        ("PMH:\nasthma\ngout", ["PMH:", "asthma", "gout"]),
        ("- aspirin\n- ramipril\n* statin", ["- aspirin", "- ramipril", "* statin"]),
        ("1) aspirin\n2) ramipril", ["1) aspirin", "2) ramipril"]),
        ("A line\n\nanother", ["A line", "another"]),
        ("Stable\r\nHome", ["Stable", "Home"]),
        ("Stable\rHome", ["Stable", "Home"]),
        ("Aspirin\t75mg", ["Aspirin\t75mg"]),
        ("Given 2.5 mg today. Home.", ["Given 2.5 mg today.", "Home."]),
        ("Wears an FFP3 mask. Sjögren's syndrome likely.", ["Wears an FFP3 mask.", "Sjögren's syndrome likely."]),
    ],
)
def test_sentences_of_clinical_layouts(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_the_number_of_a_list_item_stays_with_it() -> None:
    assert sentences("1. aspirin\n2. ramipril") == ["1. aspirin", "2. ramipril"]


WRAPPED = "He was brought in by ambulance after an hour of crushing\ncentral chest pain and was given aspirin"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_hard_wrapped_lines_are_one_sentence(newline: str) -> None:
    text = WRAPPED.replace("\n", newline)
    assert sentences(text) == [text]


@pytest.mark.parametrize("start", ["- ", "• ", "* ", "12) ", "Central "])
def test_a_bullet_or_a_capital_ends_the_sentence_before_it(start: str) -> None:
    text = WRAPPED.replace("\ncentral ", "\n" + start)
    assert len(sentences(text)) == 2


@pytest.mark.parametrize("before", ["short line", "He was brought in by ambulance after an hour of crushing pain:"])
def test_short_lines_and_headings_do_not_go_on(before: str) -> None:
    assert sentences(f"{before}\ncentral chest pain") == [before, "central chest pain"]


@pytest.mark.parametrize("gap", ["\n\n", "\r\n\r\n", "\n \t\n", "\n\n\n"])
def test_an_empty_line_ends_the_sentence_before_it(gap: str) -> None:
    assert len(sentences(WRAPPED.replace("\n", gap))) == 2


def test_an_indented_continuation_goes_on() -> None:
    text = WRAPPED.replace("\n", "\n    ")
    assert sentences(text) == [text]


def test_segmenting_takes_time_in_proportion() -> None:
    text = "Asthma is stable on salbutamol. " * 20_000
    assert len(split_sentences(text)) == 20_000


def blocks_by_searching_back(text: str) -> list[tuple[int, int]]:
    """Find the last line's beginning by a search from the block's beginning: plain, and quadratic."""
    blocks: list[tuple[int, int]] = []
    for match in segmentation._LINE.finditer(text):
        line, (start, end) = match.group(), blocks[-1] if blocks else (-1, -1)
        width = end - max(start, text.rfind("\n", 0, max(end, 0)) + 1)
        if line.strip() and blocks and segmentation._continues(text, end, match.start(), line, width):
            blocks[-1] = start, match.end()
        elif line.strip():
            blocks.append(match.span())
    return blocks


def sentences_by_stripping_again(text: str) -> list[tuple[int, int]]:
    """Strip the rest of the block for every piece: plain, and quadratic."""
    found = []
    for start, end in blocks_by_searching_back(text):
        block = segmentation._WIDE_BLANK.sub(" ", segmentation._SURROGATE.sub("\ufffd", text[start:end]))
        place, opened = 0, -1
        for piece in [*sentencex.segment("en", block), None]:
            sentence = (block[place:] if piece is None else piece).strip()
            left = block.find(sentence, place) if sentence else -1
            if left < 0:
                continue
            place = left + len(sentence)
            first, opened = (left if opened < 0 else opened), -1
            if segmentation._NUMBER.fullmatch(block[first:place]) and block[place:].strip():
                opened = first
                continue
            found.append((start + first, start + place))
    return found


WIDE = "who went on with the tablets for as long as they lasted and then"
numbered = st.lists(
    st.sampled_from(
        ["Seen. ", "1. ", "a) ", "Dr. ", WIDE, "and then", "\r", "\n", "\r\n", " ", "\u2028", "\x1c", "x.", "\ud800"]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(texts, numbered))
def test_sentences_are_those_of_the_plain_way(text: str) -> None:
    assert split_sentences(text) == sentences_by_stripping_again(text)


class Read(str):
    """A text that counts the characters that are copied or searched."""

    copied = 0

    def __getitem__(self, key: object) -> str:
        part = super().__getitem__(key)  # type: ignore[index]
        Read.copied += len(part)
        return part

    def rfind(self, sub: str, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        Read.copied += (len(self) if end is None else end) - max(start, super().rfind(sub, start, end) + 1, 0)
        return super().rfind(sub, start, end)


@pytest.mark.parametrize("piece", ["Seen. 1. ", "1. ", f"{WIDE}\r", f"{WIDE}\n", "Seen.\r", "a\n"])
def test_no_character_is_read_again_and_again(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Whole:
        """In the place of the pattern of surrogates: the block goes on counting."""

        def sub(self, stand_in: str, text: str) -> str:
            return Read(text)

    monkeypatch.setattr(segmentation, "_SURROGATE", Whole())
    counts = []
    for size in (200, 400):
        Read.copied = 0
        assert split_sentences(Read(piece * size))
        counts.append(Read.copied)
    assert counts[1] <= 2.4 * counts[0]


@pytest.mark.parametrize("blank", ["\x85", "\u00a0", "\u2003", "\u2009", "\u202f", "\u3000"])
def test_an_initial_before_a_wide_blank_ends_no_process(blank: str) -> None:
    text = f"Seen by A{blank}. Smith.{blank}No change."
    assert [text[start:end] for start, end in split_sentences(text)] == [f"Seen by A{blank}. Smith.", "No change."]
    assert split_sentences(f"A{blank}.") == [(0, 3)]
