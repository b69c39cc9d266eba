"""Exports of annotation tools: what counts as an annotation, who made it, how long it took, and what is refused."""
# ruff: noqa: E501 (tables: a case a line)

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stages.common.documents import Mention
from stages.common.errors import AnnotationError
from stages.prepare.formats import READERS_BY_ANNOTATOR, read, read_by_annotator
from stages.prepare.formats.units import character_offset, unit_offsets

TEXT = "Ok 🎉🎉 e\u0301 gout now\r\nand asthma too."
GOUT, ASTHMA = (9, 13, "Disease"), (23, 29, "Disease")
SECRET = "Mallory"


def results(*spans: tuple[int, int, str], text: str = TEXT) -> list[dict[str, Any]]:
    return [
        {"type": "labels", "value": {"start": s, "end": e, "text": text[s:e], "labels": [label]}}
        for s, e, label in spans
    ]


def annotation(by: Any = 1, spans: Sequence[tuple[int, int, str]] = (GOUT,), **more: Any) -> dict[str, Any]:
    return {"completed_by": by, "was_cancelled": False, "ground_truth": False, "result": results(*spans), **more}


def task(*annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "data": {"text": TEXT, **data},
        "annotations": list(annotations),
        "predictions": [{"result": results(ASTHMA)}],
    }


def label_studio(tmp_path: Path, *tasks: Any) -> Path:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(list(tasks)), encoding="utf-8")
    return path


def lines(tmp_path: Path, *entries: Any, name: str = "export.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return path


# --- Label Studio -------------------------------------------------------------------------------


def test_label_studio_offsets_are_code_points(tmp_path: Path) -> None:
    """As its interface exported them: docs/decisions/0009-annotation-tools.md."""
    (document,) = read(label_studio(tmp_path, task(annotation(spans=[ASTHMA, GOUT]))), "label-studio")
    assert document.mentions == (Mention(*GOUT), Mention(*ASTHMA))
    assert [document.text[s:e] for s, e, _ in document.mentions] == ["gout", "asthma"]


def test_label_studio_names_documents_and_keeps_metadata(tmp_path: Path) -> None:
    path = label_studio(tmp_path, task(annotation()), task(annotation(), document="n1", sex="female", ward=3))
    assert [(d.id, d.metadata) for d in read(path, "label-studio")] == [("7", {}), ("n1", {"sex": "female"})]


def test_what_was_skipped_or_only_predicted_is_no_annotation(tmp_path: Path) -> None:
    path = label_studio(
        tmp_path,
        task(document="a"),
        task(annotation(was_cancelled=True), document="b"),
        task(annotation(was_cancelled=True), annotation(2, spans=[]), document="c"),
    )
    assert [(d.id, d.mentions) for d in read(path, "label-studio")] == [("c", ())]


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({"lead_time": 12.5}, 12.5),
        ({"lead_time": 12}, 12.0),
        ({"lead_time": None}, None),
        ({"lead_time": 0}, None),
        ({}, None),
        ({"lead_time": 12.5, "parent_prediction": 3}, None),
        ({"lead_time": 12.5, "parent_annotation": 3}, None),
        ({"lead_time": 12.5, "prediction": {"id": 3}, "parent_prediction": None}, 12.5),
    ],
)
def test_lead_time_is_measured_where_the_work_began_from_nothing(
    tmp_path: Path, more: dict[str, Any], seconds: float | None
) -> None:
    (document,) = read(label_studio(tmp_path, task(annotation(**more))), "label-studio")
    assert document.seconds == seconds


def test_the_ground_truth_stands_for_the_document(tmp_path: Path) -> None:
    path = label_studio(tmp_path, task(annotation(1), annotation(2, [ASTHMA], ground_truth=True), annotation(3)))
    (document,) = read(path, "label-studio")
    assert document.mentions == (Mention(*ASTHMA),)


def test_annotators_are_told_apart(tmp_path: Path) -> None:
    ann, bob = {"id": 1, "email": "ann@example.org"}, {"id": 2}
    path = label_studio(
        tmp_path,
        task(annotation(bob, [ASTHMA]), annotation(ann), document="a"),
        task(annotation(ann), annotation(bob, was_cancelled=True), document="b"),
        task(annotation(None), document="c"),
    )
    found = read_by_annotator(path, "label-studio")
    assert {by: [d.id for d in documents] for by, documents in found.items()} == {
        "2": ["a"],
        "ann@example.org": ["a", "b"],
        "unknown": ["c"],
    }
    assert list(found) == sorted(found)


# --- doccano ------------------------------------------------------------------------------------


def test_doccano_offsets_are_utf16_units(tmp_path: Path) -> None:
    """As its interface exported them: docs/decisions/0009-annotation-tools.md."""
    entry = {"id": "n1", "text": TEXT, "note_type": "clinic", "ward": 3, "label": [[25, 31, "Disease"]], "Comments": []}
    (document,) = read(lines(tmp_path, entry), "doccano")
    assert (document.id, document.mentions) == ("n1", (Mention(*ASTHMA),))
    assert document.metadata == {"note_type": "clinic"}


def test_doccano_with_relations(tmp_path: Path) -> None:
    entity = {"id": 4, "label": "Disease", "start_offset": 25, "end_offset": 31}
    (document,) = read(lines(tmp_path, {"id": 3, "text": TEXT, "entities": [entity], "relations": []}), "doccano")
    assert (document.id, document.mentions) == ("3", (Mention(*ASTHMA),))


def test_doccano_has_a_file_or_a_name_for_each_annotator(tmp_path: Path) -> None:
    lines(tmp_path, {"id": 1, "text": "A flu", "label": [[2, 5, "D"]]}, name="ann.jsonl")
    lines(tmp_path, {"id": 1, "text": "A flu", "label": []}, name="bob.jsonl")
    found = read_by_annotator(tmp_path, "doccano")
    assert {by: [d.mentions for d in documents] for by, documents in found.items()} == {
        "ann": [((2, 5, "D"),)],
        "bob": [()],
    }
    named = [{"id": 1, "text": "A flu", "label": [], "annotator": by} for by in ("ann", "bob")]
    (tmp_path / "all").mkdir()
    assert list(read_by_annotator(lines(tmp_path / "all", *named), "doccano")) == ["ann", "bob"]


def test_units_and_characters() -> None:
    offsets = unit_offsets("a💊b")
    assert [character_offset(offsets, unit) for unit in range(-1, 7)] == [-1, 0, 1, None, 2, 3, 4, 5]
    assert [character_offset(unit_offsets("ab"), unit) for unit in range(-1, 4)] == [-1, 0, 1, 2, 3]
    assert list(unit_offsets("")) == [0]


# --- Prodigy, spaCy, Hugging Face, BioC ----------------------------------------------------------


def test_prodigy_takes_what_was_accepted(tmp_path: Path) -> None:
    def said(answer: str, key: int, **more: Any) -> dict[str, Any]:
        span = {"start": 9, "end": 13, "label": "Disease", "token_start": 3}
        return {"text": TEXT, "_input_hash": key, "spans": [span], "answer": answer, **more}

    path = lines(tmp_path, said("accept", 1), said("reject", 2), said("ignore", 3), said("accept", 4, id="n1"))
    assert [(d.id, d.mentions) for d in read(path, "prodigy")] == [
        ("1", (Mention(*GOUT),)),
        ("n1", (Mention(*GOUT),)),
    ]
    path = lines(tmp_path, *(said("accept", 1, _annotator_id=by) for by in ("notes-bob", "notes-ann")))
    assert list(read_by_annotator(path, "prodigy")) == ["notes-ann", "notes-bob"]


def test_spacy_without_our_user_data(tmp_path: Path) -> None:
    import spacy
    from spacy.tokens import DocBin, Span

    nlp = spacy.blank("en")
    docs = [nlp("He has gout."), nlp("Well.")]
    docs[0].ents = [Span(docs[0], 2, 3, label="D")]
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    assert [(d.id, d.text, d.mentions) for d in read(tmp_path, "spacy")] == [
        ("train-1", "He has gout.", ((7, 11, "D"),)),
        ("train-2", "Well.", ()),
    ]


def test_huggingface_names_of_numbers_and_streams(tmp_path: Path) -> None:
    lines(tmp_path, {"tokens": ["no", "gout"], "ner_tags": [0, 2]}, {"id": "1", "tokens": ["x"], "ner_tags": [0]})
    classes = {"features": {"ner_tags": {"feature": {"names": ["O", "I-D", "B-D"], "_type": "ClassLabel"}}}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(classes))
    (document,) = read(tmp_path, "huggingface")
    assert document.stream
    assert (document.id, document.text, document.mentions) == ("export", "no gout\nx", ((3, 7, "D"),))


def test_bioc_passages_stand_at_their_offsets(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        '<?xml version="1.0"?><!DOCTYPE collection SYSTEM "BioC.dtd"><collection><document><id>1</id>'
        "<infon key='sex'>female</infon><passage><offset>0</offset><text>A flu.</text></passage>"
        "<passage><offset>7</offset><sentence><offset>7</offset><text>Breast&#13;</text>"
        "<annotation id='1'><infon key='type'>D</infon><location offset='7' length='6'/>"
        "<location offset='15' length='6'/><text>Breast cancer</text></annotation></sentence>"
        "<sentence><offset>15</offset><text>cancer.</text></sentence></passage></document></collection>"
    )
    (document,) = read(tmp_path, "bioc")
    assert (document.id, document.metadata) == ("1", {"sex": "female"})
    assert document.text == "A flu.\nBreast\r\ncancer."
    assert document.mentions == ((7, 21, "D"),)


# --- refused ------------------------------------------------------------------------------------


def xml(inner: str, head: str = "") -> str:
    text = f"<offset>0</offset><text>{SECRET} has flu.</text>"
    return f"{head}<collection><document><id>1</id><passage>{text}{inner}</passage></document></collection>"


def located(places: str = "<location offset='12' length='3'/>", quote: str = "flu", infon: str = "type") -> str:
    return f"<annotation id='1'><infon key='{infon}'>D</infon>{places}<text>{quote}</text></annotation>"


def studio(*annotations: Any, **more: Any) -> str:
    given = {"id": 7, "data": {"text": f"{SECRET} has flu."}, "annotations": list(annotations), **more}
    return json.dumps([given])


def span(value: Any, kind: Any = "labels", **more: Any) -> dict[str, Any]:
    return {"completed_by": 1, "result": [{"type": kind, "value": value}], **more}


FLU = {"start": 12, "end": 15, "labels": ["D"]}
DOCCANO = {"id": 1, "text": f"{SECRET} 💊 flu"}
PRODIGY = {"id": 1, "text": f"{SECRET} has flu", "answer": "accept"}
ROW = {"document": "a", "tokens": [SECRET, "flu"], "ner_tags": ["O", "B-D"]}

BAD: list[tuple[str, str, Any, str]] = [
    ("label-studio", "json that is cut off", studio(span(FLU))[:-9], r"line 1: is not valid JSON from column \d+"),
    ("label-studio", "an object", "{}", "is not a list of tasks.*Export from Label Studio as JSON"),
    ("label-studio", "the short form", json.dumps([{"id": 1, "text": SECRET, "label": []}]), "JSON-MIN"),
    ("label-studio", "no text", json.dumps([{"id": 1, "data": {"note": SECRET}, "annotations": []}]), "has no text"),
    ("label-studio", "nobody annotated", studio(), "holds no annotated document"),
    ("label-studio", "two annotations", studio(span(FLU), span(FLU, completed_by=2)), r"document 7: is annotated 2 times\. Adjudicate first, with python -m annotation\.agreement"),
    ("label-studio", "two truths", studio(span(FLU, ground_truth=True), span(FLU, ground_truth=True)), "annotated 2 times"),
    ("label-studio", "spans of html", studio(span({"startOffset": 1}, "hypertextlabels")), "type hypertextlabels.*config.xml"),
    ("label-studio", "no label", studio(span({"start": 12, "end": 15})), "document 7: has a labelled span without a label"),
    ("label-studio", "two labels", studio(span({**FLU, "labels": ["D", "T"]})), "overlaps 12-15"),
    ("label-studio", "another text", studio(span({**FLU, "text": "cold"})), "document 7, offset 12: .* differs from the text"),
    ("label-studio", "a type that is a list", studio(span(FLU, kind=["labels"])), 'document 7: has "type" that is not a string'),
    ("label-studio", "no type", studio({"completed_by": 1, "result": [{"value": FLU}]}), "document 7: has a result without a type"),
    ("label-studio", "a truth that is a word", studio(span(FLU, ground_truth="false")), "neither true nor false"),
    ("label-studio", "an offset of many digits", studio(span({**FLU, "end": 10**30})), "offsets are in no text"),
    ("label-studio", "offsets in fractions", studio(span({**FLU, "start": 1.5})), "whole-numbered"),
    ("label-studio", "a negative lead time", studio(span(FLU, lead_time=-1)), "document 7: has a measured time"),
    ("label-studio", "an infinite lead time", studio(span(FLU, lead_time=float("inf"))), "has a measured time"),
    ("label-studio", "an annotator who is true", studio(span(FLU, completed_by=True)), "completed_by is no user"),
    ("label-studio", "results that are no list", studio({"result": None}), '"result" that is not a list'),
    ("doccano", "inside an emoji", [{**DOCCANO, "label": [[9, 14, "D"]]}], "line 1, document 1: has a mention 9-14 that begins or ends inside a character.*UTF-16"),
    ("doccano", "past the end", [{**DOCCANO, "label": [[11, 15, "D"]]}], "document 1, offset 10: the mention 10-14 lies outside"),
    ("doccano", "code points", [{**DOCCANO, "label": [[10, 13, "D"]]}], "begins or ends with a space"),
    ("doccano", "no annotations", [DOCCANO], 'none or both of "label" and "entities"'),
    ("doccano", "labels of a classification", [{**DOCCANO, "label": ["D"]}], "not a list of three"),
    ("doccano", "two annotations", [{**DOCCANO, "label": []}] * 2, "line 2, document 1: is annotated 2 times"),
    ("doccano", "one identifier, two texts", [{**DOCCANO, "label": []}, {"id": 1, "text": "x", "label": []}], "line 2, document 1: a second document with another text"),
    ("doccano", "an annotator who is a number", [{**DOCCANO, "label": [], "annotator": 3}], "annotator who is not a string"),
    ("prodigy", "no answer", [{"id": 1, "text": SECRET, "spans": []}], "line 1: has no answer"),
    ("prodigy", "no spans", [PRODIGY], 'has no "spans"'),
    ("prodigy", "a span without a label", [{**PRODIGY, "spans": [{"start": 0, "end": 7}]}], "span without a label"),
    ("prodigy", "no identifier", [{"text": SECRET, "spans": [], "answer": "accept"}], "has no _input_hash"),
    ("prodigy", "two annotations", [{**PRODIGY, "spans": []}] * 2, "line 2, document 1: is annotated 2 times"),
    ("huggingface", "numbers without names", [{**ROW, "ner_tags": [0, 1]}], "document a: has tags that are numbers without names.*dataset_info.json"),
    ("huggingface", "a long identifier", [{**ROW, "document": "x" * 250}], "longer than 200"),
    ("huggingface", "an identifier with blanks", [{**ROW, "document": " a "}], "has blanks at its ends"),
    ("huggingface", "an identifier that is a phrase of the text", [{**ROW, "document": f"{SECRET} has", "tokens": [SECRET, "has"]}], "looks like its text"),
    ("huggingface", "an unknown tag", [{**ROW, "ner_tags": ["O", "D"]}], "unknown tag"),
    ("huggingface", "fewer tags than tokens", [{**ROW, "ner_tags": ["O"]}], "2 tokens and 1 tag"),
    ("huggingface", "a token with a space", [{**ROW, "tokens": [SECRET, "a b"]}], "white space inside"),
    ("huggingface", "half of the lines named", [ROW, {**ROW, "document": None}], 'line 2: has no "document"'),
    ("huggingface", "a document in two places", [ROW, {**ROW, "document": "b"}, ROW], "document a: a second document has this identifier"),
    ("bioc", "no xml", "Mallory", "line 1: is not valid XML"),
    ("bioc", "another element", "<html/>", "is not a BioC collection"),
    ("bioc", "no documents", "<collection/>", "holds no document"),
    ("bioc", "entities", xml("&x;", "<!DOCTYPE c [<!ENTITY x 'x'>]>"), "defines entities"),
    ("bioc", "a file drawn in", xml("&x;", "<!DOCTYPE c [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"), "defines entities"),
    ("bioc", "another text", xml(located(quote="cold")), "document 1, offset 12: .* differs from the text"),
    ("bioc", "no type", xml(located(infon="kind")), "without an infon of key type"),
    ("bioc", "no location", xml(located("")), "without a location"),
    ("bioc", "discontinuous", xml(located("<location offset='0' length='7'/><location offset='12' length='3'/>")), "offset 0: marks a discontinuous"),
    ("bioc", "an offset with a sign", xml(located("<location offset='-1' length='3'/>")), "whole number"),
    ("bioc", "passages over one another", xml("</passage><passage><offset>3</offset><text>x</text>"), "at offset 3 where the one before it ends at 16"),
    ("bioc", "an identifier that is a phrase of the text", xml("").replace("<id>1<", f"<id>{SECRET} has<"), "looks like its text"),
    ("spacy", "a small bomb", zlib.compress(b"\x81\xa3abc\xdd" + (9 << 20).to_bytes(4, "big") + b"\x80" * (9 << 20)), "is not a DocBin"),
    ("spacy", "other bytes", b"Mallory", "is not a DocBin"),
    ("spacy", "a bomb", zlib.compress(bytes((1 << 30) + 1), 1), "is not a DocBin"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("format", "content", "problem"),
    [(f, c, p) for f, _, c, p in BAD],
    ids=[f"{f}-{n}".replace(" ", "-") for f, n, _, _ in BAD],
)
def test_refused_with_place_and_remedy_and_no_text(tmp_path: Path, format: str, content: Any, problem: str) -> None:
    suffix = {"label-studio": "json", "bioc": "xml", "spacy": "spacy"}.get(format, "jsonl")
    path = tmp_path / f"export.{suffix}"
    if isinstance(content, list):
        content = "".join(json.dumps(entry) + "\n" for entry in content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AnnotationError, match=problem) as refused:
        read(path, format)
    assert "export." in str(refused.value)
    assert SECRET not in str(refused.value)


def test_one_annotator_cannot_annotate_twice(tmp_path: Path) -> None:
    for format, path in (
        ("label-studio", label_studio(tmp_path, task(annotation(), annotation()))),
        ("doccano", lines(tmp_path, *[{"id": 1, "text": "A flu", "label": []}] * 2)),
    ):
        with pytest.raises(AnnotationError, match="second time by the same annotator"):
            read_by_annotator(path, format)


def test_formats_without_annotators_say_so(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="does not say who annotated"):
        read_by_annotator(tmp_path, "brat")
    assert set(READERS_BY_ANNOTATOR) == {"label-studio", "doccano", "prodigy"}
