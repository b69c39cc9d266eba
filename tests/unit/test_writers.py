"""Writers: a round trip through each format loses nothing that the format can hold."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from annotation import convert
from annotation.writers import SUFFIXES, WRITERS, write
from annotation.writers.pieces import pieces_of
from stages.common.documents import METADATA, Document, Mention
from stages.common.errors import AnnotationError
from stages.prepare.formats import READERS, read

QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])

# What running text is held with, and beside it the text and its mentions.
RUNNING = {
    "jsonl": {"metadata", "seconds"},
    "label-studio": {"metadata", "seconds"},
    "prodigy": {"metadata", "seconds"},
    "spacy": {"metadata", "seconds"},
    "bioc": {"metadata", "seconds"},
    "doccano": {"metadata"},
    "brat": set(),
}
OF_TOKENS = ("iob", "huggingface")

words = st.one_of(
    st.text(
        st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff"),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(
        ["gout", "500mg", "🎉", "👩‍⚕️", "e\u0301", "🇩🇪", "COPD/asthma", "ﬁ", "ع", "<b>", "&amp;", '"', "\\", "|"]
    ),
)
gaps = st.sampled_from(["", " ", "  ", "\n", "\r\n", "\r\n\r\n", "\t", ". ", ".\n\n", "\u00a0", "\u2028", "\u0085"])
labels = st.sampled_from(["Disease", "Treatment"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw words with any gaps; mentions begin and end at words, may touch, and may cross sentences."""
    text, places = draw(st.sampled_from(["", " ", "\r\n", "\ufeff"])), []
    for _ in range(draw(st.integers(1, 9))):
        word = draw(words)
        places.append((len(text), len(text) + len(word)))
        text += word + draw(gaps)
    cuts = sorted(draw(st.lists(st.integers(0, len(places)), unique=True, max_size=6)))
    mentions = tuple(
        Mention(places[a][0], places[b - 1][1], draw(labels)) for a, b in pairwise(cuts) if draw(st.booleans())
    )
    metadata = draw(st.dictionaries(st.sampled_from(METADATA), st.sampled_from(["x", "2024-05", "früh 🎉"])))
    seconds = draw(st.none() | st.floats(0.001, 1e6))
    return Document("x", text, mentions, metadata=metadata, seconds=seconds)


def batches(document: st.SearchStrategy[Document] = documents()) -> st.SearchStrategy[list[Document]]:  # noqa: B008
    names = st.lists(st.from_regex(r"\A[A-Za-z0-9_#-]{1,8}\Z"), unique_by=str.casefold, min_size=1, max_size=3)
    return names.flatmap(
        lambda ids: st.tuples(*(document for _ in ids)).map(
            lambda drawn: [replace(one, id=id) for one, id in zip(drawn, ids, strict=True)]
        )
    )


def there_and_back(given: list[Document], format: str, **how: object) -> list[Document]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "notes" + SUFFIXES.get(format, ("",))[0])
        write(given, path, format, **how)  # type: ignore[arg-type]
        return read(path, format)


def held(document: Document, fields: set[str]) -> Document:
    return replace(
        document,
        metadata=document.metadata if "metadata" in fields else {},
        seconds=document.seconds if "seconds" in fields else None,
    )


@pytest.mark.parametrize("format", RUNNING)
@QUICK
@given(given=batches())
@example(
    given=[Document("a", "Ok 🎉🎉 e\u0301 gout\r\nasthma", (Mention(9, 13, "Disease"), Mention(15, 21, "Disease")))]
)
@example(given=[Document("b", "goutasthma", (Mention(0, 4, "Disease"), Mention(4, 10, "Disease")))])
@example(given=[Document("c", "No gout.\r\n\r\nAsthma", (Mention(3, 18, "Disease"),))])
@example(given=[Document("d", "Well.")])
def test_running_text_comes_back_as_it_was(format: str, given: list[Document]) -> None:
    wanted = [held(document, RUNNING[format]) for document in given]
    found = there_and_back(given, format)
    assert found == (sorted(wanted, key=lambda document: document.id + ".txt") if format == "brat" else wanted)


@QUICK
@given(batches())
def test_pubtator_holds_two_lines(given: list[Document]) -> None:
    fits = all(document.text.count("\n") < 2 and "\r" not in document.text for document in given)
    if not fits:
        with pytest.raises(AnnotationError, match="Write another format"):
            there_and_back(given, "pubtator")
        return
    found = there_and_back(given, "pubtator")
    assert [document.text for document in found] == [
        document.text if "\n" in document.text else document.text + "\n" for document in given
    ]
    assert [document.mentions for document in found] == [document.mentions for document in given]
    assert [document.id for document in found] == [document.id for document in given]


def inked(document: Document) -> list[tuple[str, str]]:
    """Return label and characters of each mention, white space aside."""
    return [("".join(document.text[start:end].split()), label) for start, end, label in document.mentions]


@pytest.mark.parametrize("format", OF_TOKENS)
@QUICK
@given(batches())
@example([Document("a", "No gout.\r\n\r\nAsthma", (Mention(3, 18, "Disease"),))])
@example([Document("b", "goutasthma", (Mention(0, 4, "Disease"), Mention(4, 10, "Disease")))])
def test_tokens_come_back_and_then_stay_the_same(format: str, given: list[Document]) -> None:
    given = [replace(d, text=d.text.replace("-DOCSTART-", "-")) for d in given]
    once = there_and_back(given, format)
    assert [inked(document) for document in once] == [inked(document) for document in given]
    assert ["".join(d.text.split()) for d in once] == ["".join(d.text.split()) for d in given]
    if format == "huggingface":
        assert [document.id for document in once] == [document.id for document in given]
    assert there_and_back(once, format) == [
        replace(document, id=f"notes-{number}") if format == "iob" else document
        for number, document in enumerate(once, 1)
    ]


@pytest.mark.parametrize("format", OF_TOKENS)
def test_a_stream_stays_a_stream(format: str) -> None:
    stream = Document("notes", "no gout .\nold asthma", (Mention(3, 7, "D"),), ((0, 9), (10, 20)), stream=True)
    assert there_and_back([stream], format) == [stream]


@QUICK
@given(documents())
def test_pieces_give_the_text_again(document: Document) -> None:
    pieces = pieces_of(document)
    assert "".join(document.text[s:e] + " " * space for (s, e), space in pieces) == document.text
    assert all(e > s for (s, e), _ in pieces)


# --- what tools expect --------------------------------------------------------------------------

NOTE = Document("n1", "🎉 Gout on colchicine.", (Mention(2, 6, "Disease"), Mention(10, 20, "Treatment")))


def written(tmp_path: Path, format: str, **how: object) -> str:
    path = tmp_path / f"out{SUFFIXES[format][0]}"
    write([NOTE], path, format, **how)  # type: ignore[arg-type]
    return path.read_text(encoding="utf-8")


def test_label_studio_takes_predictions_with_their_scores(tmp_path: Path) -> None:
    (task,) = json.loads(written(tmp_path, "label-studio", predictions=True, confidences=[[0.9, 0.4]]))
    assert "annotations" not in task
    (prediction,) = task["predictions"]
    assert prediction["score"] == 0.4
    assert [result["score"] for result in prediction["result"]] == [0.9, 0.4]
    assert prediction["result"][0]["value"] == {"start": 2, "end": 6, "text": "Gout", "labels": ["Disease"]}
    with pytest.raises(AnnotationError, match="without data or annotations"):
        read(tmp_path / "out.json", "label-studio")


def test_prodigy_takes_predictions_that_nobody_has_answered(tmp_path: Path) -> None:
    example = json.loads(written(tmp_path, "prodigy", predictions=True, confidences=[[0.9, 0.4]]))
    assert "answer" not in example
    assert [span["score"] for span in example["spans"]] == [0.9, 0.4]
    for span in example["spans"]:
        first, last = example["tokens"][span["token_start"]], example["tokens"][span["token_end"]]
        assert (first["start"], last["end"]) == (span["start"], span["end"])
    with pytest.raises(AnnotationError, match="nobody has annotated"):
        read(tmp_path / "out.jsonl", "prodigy")


def test_doccano_gets_ascii_since_it_guesses_the_encoding(tmp_path: Path) -> None:
    assert written(tmp_path, "doccano").isascii()


def test_doccano_counts_units(tmp_path: Path) -> None:
    assert json.loads(written(tmp_path, "doccano"))["label"] == [[3, 7, "Disease"], [11, 21, "Treatment"]]


def test_bioc_keeps_confidences(tmp_path: Path) -> None:
    assert '<infon key="confidence">0.4</infon>' in written(
        tmp_path, "bioc", predictions=True, confidences=[[0.9, 0.4]]
    )


def test_the_same_documents_are_the_same_bytes(tmp_path: Path) -> None:
    for format in WRITERS:
        assert WRITERS[format]([NOTE], False, None) == WRITERS[format]([NOTE], False, None), format


# --- what cannot be written ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "document", "problem"),
    [
        ("pubtator", Document("a", "one\ntwo\nthree"), "more than a title"),
        ("pubtator", Document("a|b", "one"), "has | in"),
        ("brat", Document("../a", "one"), "name of a file"),
        ("brat", Document(".a", "one"), "name of a file"),
        ("brat", Document("readme", "one"), "name of a file"),
        ("brat", Document("a", "one", (Mention(0, 3, "A B"),)), "label with white space"),
        ("iob", Document("a", "one", (Mention(0, 3, "A B"),)), "label with white space"),
        ("huggingface", Document("a", "one", (Mention(0, 3, "A B"),)), "label with white space"),
        ("iob", Document("a", "-DOCSTART-", sentences=((0, 10),)), "begins a document"),
        ("bioc", Document("a", "one\uffff"), "XML does not allow"),
        ("jsonl", Document("a", " \n"), "no text"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_nothing_written(
    tmp_path: Path, format: str, document: Document, problem: str
) -> None:
    path = tmp_path / f"out{SUFFIXES.get(format, ('',))[0]}"
    with pytest.raises(AnnotationError, match=problem.replace("|", r"\|")) as refused:
        write([document], path, format)
    assert refused.value.document == document.id
    assert not list(tmp_path.iterdir())


def test_requests_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for documents, name, format, problem in (
        ([NOTE], "a.jsonl", "xml", "cannot be written"),
        ([NOTE], "a.txt", "jsonl", "End the name in .jsonl"),
        ([], "a.jsonl", "jsonl", "no document"),
        ([NOTE, NOTE], "a.jsonl", "jsonl", "two documents"),
    ):
        with pytest.raises(AnnotationError, match=problem):
            write(documents, tmp_path / name, format)
    for how in ({"confidences": [[1.0, 1.0]]}, {"predictions": True, "confidences": [[1.0]]}):
        with pytest.raises(ValueError, match="confidences"):
            write([NOTE], tmp_path / "a.jsonl", "jsonl", **how)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_folder_is_never_mixed_with_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write([NOTE], tmp_path / "out", "brat")
    with pytest.raises(AnnotationError, match="is there already"):
        write([replace(NOTE, id="n2")], tmp_path / "out", "brat")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["n1.ann", "n1.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", WRITERS)
def test_any_format_converts_into_any_other(tmp_path: Path, format: str) -> None:
    note = replace(NOTE, text=NOTE.text + " ")  # one line: pubtator holds it, too
    first = tmp_path / f"first{SUFFIXES.get(format, ('',))[0]}"
    write([note], first, format)
    for other in WRITERS:
        second = tmp_path / f"{other}{SUFFIXES.get(other, ('',))[0]}"
        assert convert.main([str(first), str(second), "--from", format, "--to", other]) == 0
        assert [inked(document) for document in read(second, other)] == [inked(note)]


def test_a_conversion_makes_the_same_choices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spans = ((0, 4, "Dx"), (0, 11, "Dx"), (15, 17, "Age"))
    mentions = [{"start": start, "end": end, "label": label} for start, end, label in spans]
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "1", "text": "Gout attack at 64.", "mentions": mentions}))
    (tmp_path / "labels.csv").write_text("source_label,label\nDx,Disease\nAge,\n")
    command = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl"), "--from", "jsonl", "--to", "jsonl"]
    assert convert.main(command) == 1
    assert convert.main([*command, "--labels", str(tmp_path / "labels.csv"), "--overlaps", "longest"]) == 0
    assert capsys.readouterr().out.endswith("left out 1 ignored (Age 1)\nconvert: left out 1 overlapping (Dx 1)\n")
    (document,) = read(tmp_path / "b.jsonl", "jsonl")
    assert document.mentions == (Mention(0, 11, "Dx"),)  # labels stay as in the source


def test_the_command_refuses_with_place_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "text": "Mallory"}\n')
    command = [sys.executable, "-m", "annotation.convert", "--from", "jsonl", "--to", "bioc"]
    done = subprocess.run(
        [*command, tmp_path / "a.jsonl", tmp_path / "b.xml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        'convert: file a.jsonl, line 1, document 1: has no "mentions". '
        'Give "mentions", an empty list where there are none.\n'
    )
    assert not (tmp_path / "b.xml").exists()


@pytest.mark.parametrize("name", ["a.jsonl", "b.jsonl"])
def test_the_command_replaces_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    for path in (first := tmp_path / "a.jsonl", tmp_path / "b.jsonl"):
        write([NOTE], path, "jsonl")
    before = (tmp_path / name).read_bytes()
    assert convert.main([str(first), str(tmp_path / name), "--from", "jsonl", "--to", "jsonl"]) == 2
    assert f"{name} exists" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before


def test_the_command_ends_without_a_traceback_where_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write([NOTE], tmp_path / "a.jsonl", "jsonl")
    target = tmp_path / "a.jsonl" / "out.jsonl"  # a folder that can never be
    assert convert.main([str(tmp_path / "a.jsonl"), str(target), "--from", "jsonl", "--to", "jsonl"]) == 2
    assert capsys.readouterr().err.startswith("convert: ")


def test_every_reader_but_the_one_that_merges_neighbours_has_a_writer() -> None:
    assert set(READERS) - set(WRITERS) == {"token-lines"}


def test_writing_takes_time_by_size_not_by_its_square() -> None:
    def seconds(count: int) -> float:
        generator = random.Random(1)
        sentences = [f"case {generator.random()} of gout ." for _ in range(count)]
        text, bounds, mentions, at = "\n".join(sentences), [], [], 0
        for sentence in sentences:
            bounds.append((at, at + len(sentence)))
            mentions.append(Mention(at + len(sentence) - 6, at + len(sentence) - 2, "D"))
            at += len(sentence) + 1
        stream = Document("a", text, tuple(mentions), tuple(bounds), stream=True)
        began = time.process_time()
        WRITERS["iob"]([stream], False, None)
        return time.process_time() - began

    short = max(min(seconds(2_000) for _ in range(3)), 0.005)
    assert min(seconds(32_000) for _ in range(2)) < 100 * short  # 16 times the size; the square would be 256
