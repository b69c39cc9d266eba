"""A batch that looked for some labels only says nothing of the others, wherever its silence would count."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from stages.common.annotated import labels_of, read_annotated, write_annotated
from stages.common.documents import Document, Mention
from stages.evaluate.matching import match_documents
from stages.train.silence import warnings_of_silence
from stages.validate.annotations import check_documents
from stages.validate.consistency import conflicting_documents, conflicting_sentences, left_unlabelled

DISEASES = ("Disease",)
BOTH = ("Disease", "Treatment")


def test_the_labels_of_batches_are_kept_beside_the_tables(tmp_path: Path) -> None:
    assert read_annotated(tmp_path) == {}  # tables from before there was a list
    write_annotated(tmp_path, {"ncbi": DISEASES, "ward": BOTH})
    annotated = read_annotated(tmp_path)
    assert annotated == {"ncbi": ["Disease"], "ward": ["Disease", "Treatment"]}
    assert [list(labels_of(name, annotated, BOTH)) for name in ("ncbi/1", "ward/a/b", "other/1")] == [
        ["Disease"],
        ["Disease", "Treatment"],
        ["Disease", "Treatment"],
    ]


# --- consistency -------------------------------------------------------------------------------


def note(id: str, text: str, *marked: str, labels: tuple[str, ...] | None = BOTH) -> Document:
    mentions = []
    for item in marked:
        phrase, label = item.split("/")
        start = text.index(phrase)
        mentions.append(Mention(start, start + len(phrase), {"D": "Disease", "T": "Treatment"}[label]))
    return Document(id, text, tuple(sorted(mentions)), labels=labels)


WARD = note("ward/1", "Gout, on colchicine today.", "Gout/D", "colchicine/T")


def test_what_was_not_looked_for_is_not_left_unlabelled() -> None:
    silent = note("ncbi/1", "Gout and colchicine.", "Gout/D", labels=DISEASES)
    assert left_unlabelled([WARD, silent]) is None
    missed = left_unlabelled([WARD, note("ncbi/1", "Gout and colchicine.", "Gout/D")])
    assert missed is not None and missed.count == 1
    forgotten = left_unlabelled([WARD, note("ncbi/1", "Gout and colchicine.", labels=DISEASES)])
    assert forgotten is not None and forgotten.count == 1  # gout was looked for


def test_a_longer_string_that_was_not_looked_for_hides_no_shorter_one() -> None:
    ward = note("ward/1", "iron deficiency. iron deficiency infusion.", "iron deficiency/D")
    infusion = Mention(17, 41, "Treatment")
    ward = Document(ward.id, ward.text, (*ward.mentions, infusion), labels=BOTH)
    found = left_unlabelled([ward, note("ncbi/1", "iron deficiency infusion", labels=DISEASES)])
    assert found is not None and found.count == 1


@pytest.mark.parametrize("check", [conflicting_documents, conflicting_sentences])
@pytest.mark.parametrize(
    ("marked", "labels", "torn"),
    [
        (("Gout/D",), DISEASES, False),
        (("Gout/D",), BOTH, True),
        ((), DISEASES, True),  # the disease was looked for, and is not marked
    ],
)
def test_texts_conflict_in_the_labels_that_both_looked_for(
    check: object, marked: tuple[str, ...], labels: tuple[str, ...], torn: bool
) -> None:
    more = "" if check is conflicting_documents else " More."
    other = note("ncbi/1", WARD.text + more, *marked, labels=labels)
    found = check([WARD, other])  # type: ignore[operator]
    assert (found is not None) == torn


def test_labels_do_not_matter_where_all_looked_for_all() -> None:
    documents = [WARD, note("ward/2", "Gout and colchicine.", "Gout/D")]
    unsaid = [Document(item.id, item.text, item.mentions) for item in documents]
    assert check_documents(documents) == check_documents(unsaid)


# --- scores ------------------------------------------------------------------------------------


def test_a_prediction_that_nobody_looked_for_is_neither_right_nor_wrong() -> None:
    documents = pd.DataFrame({"document": ["ncbi/1", "ward/1"], "text": ["x" * 9] * 2, "note_type": [None] * 2})
    columns = ["document", "start", "end", "label"]
    mentions = pd.DataFrame([("ncbi/1", 0, 2, "Disease"), ("ward/1", 0, 2, "Disease")], columns=columns)
    rows = [(name, *span, 0.9) for name in ("ncbi/1", "ward/1") for span in ((0, 2, "Disease"), (4, 6, "Treatment"))]
    predicted = pd.DataFrame(rows, columns=[*columns, "confidence"])
    ncbi, ward = match_documents(documents, mentions, predicted, predicted, annotated={"ncbi": DISEASES})
    assert (list(ncbi.predicted), ncbi.suggested) == ([(0, 2, "Disease")], ((0, 2, "Disease"),))
    assert list(ward.predicted) == list(ward.suggested) == [(0, 2, "Disease"), (4, 6, "Treatment")]
    assert len(match_documents(documents, mentions, predicted)[0].predicted) == 2


# --- training ----------------------------------------------------------------------------------


def test_training_says_whose_silence_was_learned() -> None:
    documents = ["ncbi/1", "ncbi/1", "ncbi/2", "ward/1"]
    assert warnings_of_silence(documents, {"ncbi": DISEASES, "ward": BOTH, "unused": DISEASES}, BOTH) == [
        "batch ncbi annotates Disease only: what its 2 documents leave unmarked was learned as no Treatment either"
        " (tag O)"
    ]
    assert warnings_of_silence(documents, {}, BOTH) == []
    assert warnings_of_silence(["odd/1"], {"odd": ()}, BOTH) == [
        "batch odd annotates no label of the project: what its 1 document leaves unmarked was learned as no Disease"
        " and no Treatment either (tag O)"
    ]
