"""What becomes of labels that nobody asked for, of overlaps and of mentions in several parts."""

from __future__ import annotations

import json
import random
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.documents import Document, LeftOut, Mention
from stages.common.errors import AnnotationError
from stages.prepare.annotated import left_out_of, marks_in, told, with_labels
from stages.prepare.formats import read
from stages.prepare.formats.flat import Mark, flatten
from stages.prepare.formats.rules import DISCONTINUOUS, OVERLAPS, REFUSING, Rules, current_rules
from tests.labels import LABELS

MAPPING = {"D": "Disease", "Dx": "Disease", "T": "Treatment", "Age": ""}
LONGEST = Rules(MAPPING, "longest")
TEXT = "left and right lung cancer, aged 64, on aspirin"


@st.composite
def marks(draw: st.DrawFn) -> list[Mark]:
    spans = st.tuples(st.integers(0, 20), st.integers(1, 8), st.sampled_from(["D", "Dx", "T"]))
    return [Mark(start, start + length, label) for start, length, label in draw(st.lists(spans, max_size=12))]


def overlap(one: Mark, other: Mark) -> bool:
    return one.start < other.end and other.start < one.end


def plain_longest(given_marks: list[Mark]) -> set[tuple[int, int, str]]:
    """Say in the plainest way what is kept: by length, then start, then label."""
    rank = {"D": (0, "D"), "Dx": (0, "Dx"), "T": (1, "T")}
    kept: list[Mark] = []
    for mark in sorted(given_marks, key=lambda mark: (mark.start - mark.end, mark.start, rank[mark.label])):
        if not any(overlap(mark, other) for other in kept):
            kept.append(mark)
    return {mark[:3] for mark in kept}


@settings(max_examples=300, deadline=None)
@given(marks(), st.randoms(use_true_random=False))
def test_the_longest_are_kept(given_marks: list[Mark], order: random.Random) -> None:
    result = flatten(given_marks, LONGEST)
    kept = {mark[:3] for mark in result.kept}
    assert not result.refused
    assert kept == plain_longest(given_marks)
    flat = sorted(kept)
    assert all(one[1] <= other[0] for one, other in pairwise(flat))
    for mark in given_marks:  # each that is dropped overlaps one at least as long
        rivals = [other for other in result.kept if overlap(mark, other)]
        assert mark[:3] in kept or any(other.end - other.start >= mark.end - mark.start for other in rivals)
    assert len(kept) + len(result.left_out) == len({mark[:3] for mark in given_marks})
    shuffled = list(given_marks)
    order.shuffle(shuffled)
    again = flatten(shuffled, LONGEST)
    assert ([mark[:3] for mark in again.kept], sorted(again.left_out)) == (
        [mark[:3] for mark in result.kept],
        sorted(result.left_out),
    )


@pytest.mark.parametrize(
    ("given_marks", "kept"),
    [
        ([Mark(0, 4, "D"), Mark(2, 9, "T")], [(2, 9, "T")]),  # length
        ([Mark(3, 7, "D"), Mark(0, 4, "T")], [(0, 4, "T")]),  # then the earliest
        ([Mark(0, 4, "T"), Mark(0, 4, "D")], [(0, 4, "D")]),  # then the project's order of labels
        ([Mark(0, 4, "Dx"), Mark(0, 4, "D")], [(0, 4, "D")]),  # then the name in the source
        ([Mark(0, 4, "D"), Mark(4, 5, "T")], [(0, 4, "D"), (4, 5, "T")]),  # touching is not overlapping
    ],
)
def test_ties_are_decided(given_marks: list[Mark], kept: list[tuple[int, int, str]]) -> None:
    for order in (given_marks, given_marks[::-1]):
        assert [mark[:3] for mark in flatten(order, LONGEST).kept] == kept


@pytest.mark.parametrize("labels", [LABELS, LABELS[::-1]])
def test_of_the_same_place_the_label_that_the_project_names_first_is_kept(labels: tuple[str, ...]) -> None:
    rules = Rules(MAPPING, "longest", labels=labels)
    (kept,) = flatten([Mark(0, 4, "T"), Mark(0, 4, "D")], rules).kept
    assert MAPPING[kept.label] == labels[0]


def test_what_says_the_same_again_is_repeated_and_what_says_another_thing_overlapping() -> None:
    left_out = flatten([Mark(0, 4, "D"), Mark(0, 4, "Dx"), Mark(0, 4, "T"), Mark(2, 4, "D")], LONGEST).left_out
    assert [(item.label, item.reason) for item in sorted(left_out)] == [
        ("Dx", "repeated"),
        ("T", "overlapping"),
        ("D", "overlapping"),
    ]


@given(marks())
@settings(max_examples=100, deadline=None)
def test_what_an_export_marks_is_counted_the_same_whatever_the_mapping(given_marks: list[Mark]) -> None:
    text = "x" * 40
    counts = {
        marks_in([document_of(given_marks, text, Rules(mapping, "longest", "join"))])
        for mapping in (MAPPING, {**MAPPING, "Dx": ""}, {"D": "Treatment", "Dx": "Disease", "T": ""})
    }
    assert counts == {len({mark[:3] for mark in given_marks})}


def document_of(given_marks: list[Mark], text: str, rules: Rules) -> Document:
    from stages.prepare.formats.marks import make_document
    from stages.prepare.formats.rules import reading_by

    with reading_by(rules):
        return make_document(text, given_marks, id="n", file="n.ann")


def test_many_nested_marks_are_sorted_out_at_once() -> None:
    nested = [Mark(0, 1_000_000 - n, "D", "x") for n in range(50_000)]
    began = time.process_time()
    assert len(flatten(nested, LONGEST).kept) == 1
    assert len(flatten([Mark(n, n + 1, "D") for n in range(100_000)], LONGEST).kept) == 100_000
    assert time.process_time() - began < 5


# --- read from an export -----------------------------------------------------------------------


def brat(folder: Path, *lines: str, text: str = TEXT) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "n1.txt").write_text(text)
    (folder / "n1.ann").write_text("".join(f"T{number}\t{line}\n" for number, line in enumerate(lines, 1)))
    return folder


CANCER = "D 0 4;15 26\tleft lung cancer"
RIGHT = "D 9 26\tright lung cancer"
AGE = "Age 28 35\taged 64"


def test_an_ignored_label_cannot_stop_a_batch(tmp_path: Path) -> None:
    export = brat(
        tmp_path / "a",
        RIGHT,
        "Age 0 26\tleft and right lung cancer",  # overlaps
        "Age 0 4;9 14\tleft right",  # is in several parts
        "Age 27 28\t ",  # is blank
        "Age 90 95\tx",  # is in no text
        "Age 0 4\tanother text",
    )
    (document,) = read(export, "brat", Rules(MAPPING))
    assert document.mentions == (Mention(9, 26, "D"),)
    assert left_out_of([document]) == {"ignored": {"Age": 5}}
    with pytest.raises(AnnotationError, match="faults"):
        read(export, "brat")


def test_labels_of_one_meaning_are_one_mention(tmp_path: Path) -> None:
    export = brat(tmp_path / "a", RIGHT, "Dx 9 26\tright lung cancer")
    (document,) = read(export, "brat", Rules(MAPPING))
    assert document.mentions == (Mention(9, 26, "D"),)
    assert left_out_of([document]) == {"repeated": {"Dx": 1}}
    with pytest.raises(AnnotationError, match="9-26 overlaps 9-26"):
        read(export, "brat", Rules({**MAPPING, "Dx": "Treatment"}))


def test_kept_labels_that_overlap_are_refused_unless_the_longest_is_asked_for(tmp_path: Path) -> None:
    export = brat(tmp_path / "a", RIGHT, "T 15 19\tlung", AGE)
    with pytest.raises(AnnotationError, match=r"line 2, document n1, offset 15: the mention 15-19 overlaps 9-26"):
        read(export, "brat", Rules(MAPPING))
    (document,) = read(export, "brat", LONGEST)
    assert document.mentions == (Mention(9, 26, "D"),)
    assert document.left_out == (LeftOut(28, "Age", "ignored"), LeftOut(15, "T", "overlapping"))


@pytest.mark.parametrize("format", ["brat", "bioc"])
def test_a_mention_in_parts_is_refused_joined_or_left_out(format: str, tmp_path: Path) -> None:
    export = brat(tmp_path / "a", CANCER) if format == "brat" else bioc(tmp_path / "a.xml")
    with pytest.raises(AnnotationError, match="offset 0: marks a discontinuous mention"):
        read(export, format, Rules(MAPPING))
    (joined,) = read(export, format, Rules(MAPPING, discontinuous="join"))
    assert (joined.mentions, joined.left_out) == ((Mention(0, 26, "D"),), ())
    (left,) = read(export, format, Rules(MAPPING, discontinuous="leave-out"))
    assert (left.mentions, left_out_of([left])) == ((), {"discontinuous": {"D": 1}})


def bioc(path: Path) -> Path:
    parts = "<location offset='0' length='4'/><location offset='15' length='11'/><text>left lung cancer</text>"
    path.write_text(
        f"<collection><document><id>n1</id><passage><offset>0</offset><text>{TEXT}</text>"
        f"<annotation id='1'><infon key='type'>D</infon>{parts}</annotation></passage></document></collection>"
    )
    return path


def test_joined_parts_may_overlap_what_lies_between_them(tmp_path: Path) -> None:
    export = brat(tmp_path / "a", CANCER, RIGHT)
    with pytest.raises(AnnotationError, match="9-26 overlaps 0-26"):
        read(export, "brat", Rules(MAPPING, discontinuous="join"))
    (document,) = read(export, "brat", Rules(MAPPING, "longest", "join"))
    assert document.mentions == (Mention(0, 26, "D"),)
    assert left_out_of([document]) == {"overlapping": {"D": 1}}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("D 0 4;15 26\tleft lung tumour", "differs from the text that the export quotes"),
        ("D 4 0;15 26\tleft lung cancer", "marks a discontinuous mention"),
        ("D 0 4;15 99\tleft lung cancer", "lies outside the text"),
    ],
)
def test_joined_parts_are_checked_like_others(line: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=problem):
        read(brat(tmp_path / "a", line), "brat", Rules(MAPPING, discontinuous="join"))


def test_unknown_labels_are_told_before_their_overlaps(tmp_path: Path) -> None:
    export = brat(tmp_path / "a", RIGHT, "Site 15 19\tlung", "Site 0 4;15 19\tleft lung", "Side 26 27\t,x")
    (document,) = read(export, "brat", Rules(MAPPING))
    assert {mention.label for mention in document.mentions} == {"D", "Site", "Side"}


@pytest.mark.parametrize("overlaps", OVERLAPS)
@pytest.mark.parametrize("discontinuous", DISCONTINUOUS)
def test_sound_exports_are_read_the_same_by_all_rules(overlaps: str, discontinuous: str, tmp_path: Path) -> None:
    line = {"id": "n1", "text": TEXT, "mentions": [{"start": 9, "end": 26, "label": "D"}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(line))
    rules = Rules(MAPPING, overlaps, discontinuous)  # type: ignore[arg-type]
    assert read(tmp_path / "a.jsonl", "jsonl", rules) == read(tmp_path / "a.jsonl", "jsonl")


def test_labels_of_tokens_are_ignored_too(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("lung\tB-D\ncancer\tI-D\nat\tO\n64\tB-Age\n")
    (document,) = read(tmp_path / "a.tsv", "iob", Rules(MAPPING))
    assert document.mentions == (Mention(0, 11, "D"),)
    assert document.left_out == (LeftOut(15, "Age", "ignored"),)


def test_rules_end_with_the_reading(tmp_path: Path) -> None:
    export = brat(tmp_path / "a", CANCER, RIGHT)
    read(export, "brat", Rules(MAPPING, "longest", "join"))
    assert current_rules() == REFUSING
    with pytest.raises(AnnotationError, match="discontinuous"):
        read(export, "brat")


# --- what a batch annotates --------------------------------------------------------------------


def note(*labels: str, id: str = "n1") -> Document:
    return Document(id, "x" * 50, tuple(Mention(place, place + 1, label) for place, label in enumerate(labels)))


@pytest.mark.parametrize(
    ("documents", "labels", "annotated"),
    [
        ([note("D"), note("T")], None, ("Disease", "Treatment")),
        ([note("D"), note("Dx"), note()], None, ("Disease",)),
        ([note()], None, ("Disease", "Treatment")),  # without any mention it would say nothing at all
        ([note("D")], ["Treatment", "Disease"], ("Disease", "Treatment")),
        ([note("D")], ["Disease", "Symptom"], ("Disease",)),  # a label that the project has no more
    ],
)
def test_a_batch_annotates_what_it_says_or_else_what_it_has(
    documents: list[Document], labels: list[str] | None, annotated: tuple[str, ...]
) -> None:
    assert {document.labels for document in with_labels(documents, MAPPING, labels, LABELS)} == {annotated}


def test_a_batch_cannot_mark_what_it_does_not_annotate() -> None:
    with pytest.raises(AnnotationError, match="document b, offset 1: marks Treatment, which is not among"):
        with_labels([note("D", id="a"), note("D", "T", id="b")], MAPPING, ["Disease"], LABELS)


def test_what_is_left_out_is_told_by_label() -> None:
    document = Document("n", "x", left_out=(LeftOut(0, "Sex", "ignored"), LeftOut(3, "Age", "ignored")))
    assert told(left_out_of([document, document])) == ["4 ignored (Age 2, Sex 2)"]
