"""Each annotation check goes red for its own planted fault, and for nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.documents import Document, Mention
from stages.validate.annotations import Finding, check_documents
from stages.validate.consistency import left_unlabelled
from stages.validate.leakage import fingerprint
from tests.steps import steps

ROOT = Path(__file__).parents[2]


def document(identifier: str, marked: str) -> Document:
    """Build a document from a text in which mentions stand as [D term] or [T term]."""
    text, mentions, last = "", [], 0
    for match in re.finditer(r"\[(\w) ([^]]*)\]", marked):
        text += marked[last : match.start()]
        label = {"D": "Disease", "T": "Treatment"}[match[1]]
        mentions.append(Mention(len(text), len(text) + len(match[2]), label))
        text += match[2]
        last = match.end()
    return Document(identifier, text + marked[last:], tuple(mentions))


@pytest.mark.parametrize(
    ("marked", "once", "twice"),
    [
        ("A [D gou]t.", "1 mention with a boundary inside a word.", "2 mentions with a boundary inside a word."),
        ("[D a b c d e f g h i j k l m n o p q r s t u v w]", "1 mention with more than", "2 mentions with more than"),
        (" ", "1 document without text.", "2 documents without text."),
        ("No [D gout] <b>", "1 trace of markup", "2 traces of markup"),
    ],
)
def test_one_fault_is_said_in_the_singular(marked: str, once: str, twice: str) -> None:
    odd = [document(f"o{number}", marked) for number in range(2)]
    for number, said in ((1, once), (2, twice)):
        assert said in " ".join(entry.message for entry in check_documents([*CLEAN, *odd[:number]]))


CLEAN = [
    document("n1", "Known [D asthma], on [T salbutamol]. Sleeps well."),
    document("n2", "[D Gout] of the left toe; [T colchicine] started. SÃO Paulo, café, 5 < 6 & 7 > 3, β-blocker."),
    document("n3", "No complaints today."),
]

LONG = " ".join(["word"] * 21)

FAULTS = {
    "labelled_two_ways": [document("x1", "Off [T Asthma] again.")],
    "left_unlabelled": [document("x1", "She has ASTHMA too.")],
    "conflicting_documents": [
        document("x1", "Plain [D fever] since Monday"),
        document("x2", "plain  fever since [D Monday]"),
    ],
    "conflicting_sentences": [
        document("x1", "Here is [D flu] again. One thing."),
        document("x2", "Another thing. Here is flu [D again]."),
    ],
    "long_mention": [document("x1", f"He has [D {LONG}].")],
    "mid_word": [document("x1", "A [D gastr]itis.")],
    "mojibake": [document("x1", "An anti-mÃ1/4llerian factor.")],
    "markup": [document("x1", "Took capsules_Hlk427554600 today.")],
    "empty_text": [document("x1", " \n")],
    "mention_outside_text": [Document("x1", "Short", (Mention(2, 99, "Disease"),))],
}


def names(documents: list[Document]) -> list[str]:
    return [finding.check for finding in check_documents(documents)]


def test_clean_documents_have_nothing_to_say() -> None:
    assert check_documents(CLEAN) == []


@pytest.mark.parametrize("check", sorted(set(FAULTS) - {"conflicting_documents", "conflicting_sentences"}))
def test_a_planted_fault_is_found_and_nothing_else(check: str) -> None:
    findings = check_documents([*CLEAN, *FAULTS[check]])
    assert [finding.check for finding in findings] == [check]
    assert findings[0].count == 1
    assert "x1" in findings[0].message
    assert "x1" not in findings[0].summary
    assert findings[0].severity == ("error" if check == "mention_outside_text" else "warning")


@pytest.mark.parametrize("check", ["conflicting_documents", "conflicting_sentences"])
def test_conflicting_annotations_are_found(check: str) -> None:
    # What is marked in one copy is unmarked in the other, so that the strings are left unlabelled, too.
    findings = check_documents([*CLEAN, *FAULTS[check]])
    assert [finding.check for finding in findings] == ["left_unlabelled", check]
    assert findings[1].count == 1
    assert "x1, x2" in findings[1].message


def test_a_conflict_of_labels_alone_is_found_in_both_ways() -> None:
    both = [document("x1", "Plain [D fever] since Monday"), document("x2", "Plain [T fever] since Monday")]
    assert names(both) == ["labelled_two_ways", "conflicting_documents"]


def test_the_same_annotation_twice_is_no_conflict() -> None:
    assert names([*CLEAN, replace(CLEAN[0], id="again")]) == []


def test_a_batch_without_any_mention_is_an_error() -> None:
    findings = check_documents([replace(entry, mentions=()) for entry in CLEAN])
    assert [(finding.check, finding.severity) for finding in findings] == [("no_mention", "error")]
    assert names([]) == ["no_mention"]


@pytest.mark.parametrize(
    "text", ["SchÃ¶nlein", "SociÃ", "donâ€™t", "37 Â°C", "Î²-blocker", "na\ufffdve", "ï¿½", "ï»¿Note", "it\x92s"]
)
def test_mojibake(text: str) -> None:
    assert names([*CLEAN, document("x", text)]) == ["mojibake"]


@pytest.mark.parametrize(
    "text", ["SÃO JOÃO", "IRMÃ", "Ângela", "naïve", "ÎLE", "µg/m²", "27 °C", "“quoted”, so…", "Ärztin"]
)
def test_letters_that_are_meant_are_no_mojibake(text: str) -> None:
    assert names([*CLEAN, document("x", text)]) == []


@pytest.mark.parametrize(
    "text",
    [
        "<b>bold",
        "so</b>",
        "a<br/>b",
        '<span class="x">',
        "fish &amp; chips",
        "&#233;",
        "TO_SEE",
        "\uf0b7 item",
        "\u200b",
    ],
)
def test_markup(text: str) -> None:
    assert names([*CLEAN, document("x", f"It is {text} here.")]) == ["markup"]


@pytest.mark.parametrize("text", ["p<0.05 and b>3", "R&D; AT&T;", "a_b", "<5 mg", "x < b > y", "[**name**]"])
def test_what_only_looks_like_markup(text: str) -> None:
    assert names([*CLEAN, document("x", f"It is {text} here.")]) == []


def test_parts_of_words_and_of_longer_mentions_are_not_left_unlabelled() -> None:
    documents = [document("1", "[D pain] of [D chest pain] and painful"), document("2", "[D back pain], unpainted")]
    assert names(documents) == []


def test_the_share_of_unlabelled_occurrences_is_said() -> None:
    finding = left_unlabelled([document("1", "[D gout] [D gout] [D gout] gout"), document("2", "[D ulcer]")])
    assert finding is not None
    assert (finding.count, "1 of 4" in finding.message, "25.0%" in finding.message) == (1, True, True)


def test_few_unlabelled_occurrences_are_tolerated() -> None:
    assert left_unlabelled([document("1", "[D gout] " * 30 + "gout")]) is None


def test_messages_name_few_documents_and_no_text() -> None:
    many = [document(f"note{number}", "Off [T Asthma] since, mÃ1/4llerian.") for number in range(9)]
    findings = check_documents([CLEAN[0], *many])
    assert any("and 4 more" in finding.message for finding in findings)
    for finding in findings:
        assert not re.search("asthma|llerian|since", finding.message, re.IGNORECASE)


def test_a_finding_is_a_value() -> None:
    assert Finding("a", "error", 1, "m") == Finding("a", "error", 1, "m")
    with pytest.raises(AttributeError):
        Finding("a", "error", 1, "m").count = 2  # type: ignore[misc]


def test_great_expectations_is_not_imported() -> None:
    code = "import sys, stages.validate.annotations; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


_words = st.lists(st.sampled_from(["gout", "Gout", "flu", "x", ".", "-", "chest pain"]), max_size=15).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(_words, min_size=1, max_size=4), st.integers(0, 6))
def test_unlabelled_occurrences_agree_with_a_regular_expression(texts: list[str], marks: int) -> None:
    """Mark the first `marks` occurrences of one word; the rest are left unlabelled."""
    documents, left = [], 0
    for number, text in enumerate(texts):
        places = [match.span() for match in re.finditer(r"\bgout\b", text, re.IGNORECASE)]
        mentions = tuple(Mention(*span, "Disease") for span in places[:marks])
        marks, left = marks - len(mentions), left + len(places) - len(mentions)
        documents.append(Document(str(number), text, mentions))
    finding = left_unlabelled(documents)
    marked = any(entry.mentions for entry in documents)
    assert (finding.count if finding else 0) == (left if marked else 0)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.data())
def test_any_text_and_any_mentions_are_checked_without_a_crash(text: str, data: st.DataObject) -> None:
    ends = st.integers(-2, len(text) + 2)
    mentions = data.draw(st.lists(st.builds(Mention, ends, ends, st.sampled_from(["A", "B"])), max_size=4))
    one = check_documents([Document("1", text, tuple(mentions)), CLEAN[0]])
    assert one == check_documents([Document("1", text, tuple(mentions)), CLEAN[0]])
    assert [finding.severity for finding in one] == sorted(finding.severity for finding in one)


@given(st.text(max_size=40))
def test_the_fingerprint_ignores_spacing(text: str) -> None:
    assert fingerprint(f"  {text}\n") == fingerprint(text)


def test_time_is_linear_in_the_mentions() -> None:
    documents = [document(str(n), " ".join(f"[D term{n}x{i} of kind] in note" for i in range(100))) for n in range(100)]
    started = time.process_time()
    check_documents(documents)
    assert time.process_time() - started < 5


def test_the_longest_string_counts_wherever_it_begins() -> None:
    """A string may begin inside of one that comes to nothing, and end inside of one that begins later."""
    marks = "[D b] . [D c d] . [D b c d e] . [D a b c x]"
    for text, found in [("a b c y", 1), ("b c d", 2), ("a b c d e", 1), ("b c d e", 1), ("a c", 0), ("c c d d", 1)]:
        finding = left_unlabelled([document("1", marks), document("2", text)])
        assert (finding.count if finding else 0) == found, text


_forms = st.lists(st.sampled_from("ab"), min_size=1, max_size=5).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(_forms, min_size=1, max_size=6), st.lists(st.sampled_from("abc"), max_size=20))
def test_occurrences_agree_with_trying_every_length(known: list[str], words: list[str]) -> None:
    documents = [document(str(number), f"[D {forms}]") for number, forms in enumerate(known)]
    place, left = 0, 0
    while place < len(words):
        lengths = [n for n in range(1, len(words) - place + 1) if " ".join(words[place : place + n]) in known]
        left += bool(lengths)
        place += max(lengths, default=1)
    finding = left_unlabelled([*documents, document("text", " ".join(words))])
    share = left / (left + len(known))
    assert (finding.count if finding else 0) == (left if share >= 0.05 else 0)


NESTED: dict[str, Callable[[int], list[Document]]] = {
    "each mention a prefix of the next": lambda size: [
        document(str(n), f"[D {' '.join(f'w{place}' for place in range(n + 1))}]") for n in range(size)
    ],
    "one word again and again": lambda size: [document("1", f"[D {'a ' * size}b] . {'a ' * 9 * size}")],
}


@pytest.mark.parametrize("documents", NESTED.values(), ids=NESTED)
def test_nested_mentions_take_time_in_proportion_to_the_text(documents: Callable[[int], list[Document]]) -> None:
    def size_of(found: list[Document]) -> int:
        return sum(len(entry.text.split()) for entry in found)

    small, large = documents(40), documents(80)
    count = [steps(lambda found=found: left_unlabelled(found)) / size_of(found) for found in (small, large)]
    assert count[1] < 1.2 * count[0]


@pytest.mark.parametrize("copies", [1, 2])
def test_one_is_said_as_one(copies: int) -> None:
    documents = [Document(f"n{n}", "Gout&nbsp;attack. Goutx.", (Mention(0, 3, "Disease"),)) for n in range(copies)]
    said = {entry.check: entry.summary for entry in check_documents([*documents, Document("empty", "", ())])}
    assert said["mid_word"].startswith("1 mention with" if copies == 1 else "2 mentions with")
    assert said["markup"].startswith("1 trace of" if copies == 1 else "2 traces of")
    assert said["empty_text"].startswith("1 document without")
