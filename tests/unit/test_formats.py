"""Readers of annotation formats: round trips, fuzzing, and the real corpora."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.writers import docbin
from stages.common.documents import METADATA, Document, Mention
from stages.common.errors import AnnotationError
from stages.common.tags import to_bioes, to_iob2
from stages.prepare.formats import READERS, read
from stages.prepare.formats.marks import Mark, parse_offset, place_mentions
from stages.prepare.formats.source import MAX_CHARACTERS, File, read_text

Files = dict[str, bytes]
SHARED = Path(__file__).parents[3] / "shared" / "data"
CORPORA = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared corpora are not beside this repository")
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read_files(files: Files, format: str) -> list[Document]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return read(Path(folder), format)


# --- round trips ------------------------------------------------------------------------------

# Everything but controls, surrogates and white space; U+FEFF would be a byte order mark.
words = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters="\ufeff"),
    min_size=1,
    max_size=6,
).filter(lambda word: not word.startswith("-DOCSTART-"))
labels = st.sampled_from(["Disease", "Treatment", "D-1", "T"])


@st.composite
def spans_over(draw: st.DrawFn, length: int, of: st.SearchStrategy[str] = labels) -> list[tuple[int, int, str]]:
    cuts = sorted(draw(st.lists(st.integers(0, length), unique=True, max_size=6)))
    pairs = [pair for pair in pairwise(cuts) if draw(st.booleans())]
    return [(first, last, draw(of)) for first, last in pairs]


@st.composite
def documents_of(draw: st.DrawFn, gaps: list[str], head: str = "") -> Document:
    """Words joined by any of `gaps`; mentions begin and end at words."""
    drawn = draw(st.lists(words, min_size=1, max_size=12))
    text, places = head, []
    for word in drawn:
        places.append((len(text), len(text) + len(word)))
        text += word + draw(st.sampled_from(gaps))
    spans = draw(spans_over(len(drawn)))
    mentions = tuple(Mention(places[first][0], places[last - 1][1], label) for first, last, label in spans)
    return Document(draw(st.from_regex(r"\A[A-Za-z0-9_-]{1,8}\Z")), text, mentions)


def distinct(documents: list[Document]) -> list[Document]:
    return [Document(f"{n}{d.id}", d.text, d.mentions, d.sentences, d.metadata) for n, d in enumerate(documents)]


def batches_of(document: st.SearchStrategy[Document]) -> st.SearchStrategy[list[Document]]:
    return st.lists(document, min_size=1, max_size=4).map(distinct)


@QUICK
@given(
    batches_of(documents_of([" ", "  ", "\n", "\r\n", "\t", "\u2028", "\u00a0"])),
    st.dictionaries(st.sampled_from(METADATA), st.just("2024-05")),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_jsonl_gives_back_what_was_written(
    documents: list[Document], metadata: dict[str, str], escaped: bool, end: str
) -> None:
    documents = [Document(d.id, d.text, d.mentions, None, metadata) for d in documents]
    lines = [
        json.dumps(
            {
                "id": d.id,
                "text": d.text,
                "mentions": [
                    {"start": m.start, "end": m.end, "label": m.label, "text": d.text[m.start : m.end]}
                    for m in reversed(d.mentions)
                ],
                "metadata": metadata,
            },
            ensure_ascii=escaped,
        )
        for d in documents
    ]
    assert read_files({"notes.jsonl": (end.join(lines) + end).encode()}, "jsonl") == documents


@QUICK
@given(batches_of(documents_of([" ", "\n", "\r\n", "\t", "\u2028"])), st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_brat_gives_back_what_was_written(documents: list[Document], mark: bytes) -> None:
    files = {}
    for d in documents:
        files[f"{d.id}.txt"] = mark + d.text.encode()
        files[f"{d.id}.ann"] = "".join(
            f"T{n}\t{m.label} {m.start} {m.end}\t{' '.join(d.text[m.start : m.end].split())}\n"
            f"N{n}\tReference T{n} X:1\n"
            for n, m in enumerate(d.mentions)
        ).encode()
    assert read_files(files, "brat") == sorted(documents, key=lambda d: d.id)


@QUICK
@given(batches_of(documents_of([" "], head="Title\n")), st.sampled_from(["\n", "\r\n"]))
def test_pubtator_gives_back_what_was_written(documents: list[Document], end: str) -> None:
    lines = []
    for d in documents:
        title, _, abstract = d.text.partition("\n")
        lines += [f"{d.id}|t|{title}", f"{d.id}|a|{abstract}"]
        lines += [f"{d.id}\t{m.start}\t{m.end}\t{d.text[m.start : m.end]}\t{m.label}\tD1" for m in d.mentions]
        lines += [f"{d.id}\tCID\tD1\tD2", ""]
    assert read_files({"corpus.txt": end.join(lines).encode()}, "pubtator") == documents


@st.composite
def sentences_of(draw: st.DrawFn, of: st.SearchStrategy[str] = labels) -> tuple[list[str], list[tuple[int, int, str]]]:
    tokens = draw(st.lists(words, min_size=1, max_size=8))
    return tokens, draw(spans_over(len(tokens), of))


def expected(id: str, sentences: list[tuple[list[str], list[tuple[int, int, str]]]], stream: bool) -> Document:
    text, bounds, mentions = "", [], []
    for tokens, spans in sentences:
        text += "\n" if text else ""
        at = len(text)
        places = [at + len(" ".join([*tokens[:n], ""])) for n in range(len(tokens))]
        mentions += [Mention(places[a], places[b - 1] + len(tokens[b - 1]), label) for a, b, label in spans]
        text += " ".join(tokens)
        bounds.append((at, len(text)))
    return Document(id, text, tuple(mentions), tuple(bounds), stream=stream)


@QUICK
@given(
    st.lists(st.lists(sentences_of(), min_size=1, max_size=3), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([to_iob2, to_bioes]),
    st.sampled_from(["\t", " ", "\tNN\t"]),
)
def test_iob_gives_back_what_was_written(parts, marked, encode, separator) -> None:  # type: ignore[no-untyped-def]
    lines = []
    for part in parts:
        lines += ["-DOCSTART- -X- O", ""] if marked else []
        for tokens, spans in part:
            lines += [f"{t}{separator}{tag}" for t, tag in zip(tokens, encode(len(tokens), spans), strict=True)] + [""]
    if marked:
        wanted = [expected(f"notes-{n}", part, stream=False) for n, part in enumerate(parts, 1)]
    else:
        wanted = [expected("notes", [sentence for part in parts for sentence in part], stream=True)]
    assert read_files({"notes.conll": "\n".join(lines).encode()}, "iob") == wanted


@QUICK
@given(st.lists(sentences_of(st.sampled_from(["D", "T"])), min_size=1, max_size=4))
def test_token_lines_give_back_what_was_written_but_for_merged_neighbours(sentences) -> None:  # type: ignore[no-untyped-def]
    merged = []
    for tokens, spans in sentences:
        kept: list[tuple[int, int, str]] = []
        for first, last, label in spans:
            joins = kept and kept[-1][1] == first and kept[-1][2] == label
            kept.append((kept.pop()[0] if joins else first, last, label))
        merged.append((tokens, kept))
    sent = "\n\n".join("\n".join(tokens) for tokens, _ in merged)
    tags = [["O"] * len(tokens) for tokens, _ in merged]
    for row, (_, spans) in zip(tags, merged, strict=True):
        for first, last, label in spans:
            row[first:last] = [label] * (last - first)
    files = {"notes_sent": sent.encode(), "notes_label": "\n\n".join("\n".join(row) for row in tags).encode()}
    assert read_files(files, "token-lines") == [expected("notes", merged, stream=True)]


def test_iob1_inside_tags_open_mentions() -> None:
    (document,) = read_files({"a.tsv": b"flu\tI-D\ncold\tB-D\nold\tO\ncough\tE-D\n"}, "iob")
    assert document.mentions == ((0, 3, "D"), (4, 8, "D"), (13, 18, "D"))


# --- fuzzing ----------------------------------------------------------------------------------

VALID: dict[str, Files] = {
    "token-lines": {"a_sent": "née\nflu\n\naspirin\n".encode(), "a_label": b"O\nD\n\nT\n"},
    "iob": {"a.tsv": "-DOCSTART-\tO\n\nnée\tO\nflu\tB-D\n\n-DOCSTART-\tO\nT\tB-T\nx\tI-T\n".encode()},
    "pubtator": {"a.txt": b"1|t|A flu.\n1|a|Or cold.\n1\t2\t5\tflu\tD\tX\n1\tCID\tX\tY\n\n2|t|T\n2|a|\n"},
    "brat": {"a.txt": "A née\r\nflu.".encode(), "a.ann": "T1\tD 2 5;7 10\tnée flu\nN1\tReference T1 X:1\n".encode()},
    "jsonl": {"a.jsonl": b'{"id": "1", "text": "A flu", "mentions": [{"start": 2, "end": 5, "label": "D"}]}\n'},
    "label-studio": {
        "a.json": b"""[{"id": 1, "data": {"text": "A flu", "sex": "female"}, "annotations": [{"completed_by": 1,
        "was_cancelled": false, "lead_time": 2.5, "result": [{"type": "labels", "value": {"start": 2, "end": 5,
        "text": "flu", "labels": ["D"]}}]}]}]"""
    },
    "doccano": {
        "a.jsonl": '{"id": 1, "text": "💊 flu", "label": [[3, 6, "D"]]}\n{"id": 2, "text": "A flu", "entities":'
        ' [{"id": 1, "start_offset": 2, "end_offset": 5, "label": "D"}], "relations": []}\n'.encode()
    },
    "prodigy": {
        "a.jsonl": b'{"text": "A flu", "_input_hash": 7, "spans": [{"start": 2, "end": 5, "label": "D"}],'
        b' "answer": "accept", "_annotator_id": "ann"}\n'
    },
    "huggingface": {
        "a.jsonl": b'{"document": "1", "tokens": ["A", "flu"], "ner_tags": ["O", "B-D"]}\n'
        b'{"document": "1", "tokens": ["x"], "ner_tags": [1]}\n',
        "dataset_info.json": b'{"features": {"ner_tags": {"feature": {"names": ["O", "B-D"]}}}}',
    },
    "bioc": {
        "a.xml": b"<collection><document><id>1</id><passage><offset>0</offset><text>A flu</text><annotation id='1'>"
        b"<infon key='type'>D</infon><location offset='2' length='3'/><text>flu</text></annotation></passage>"
        b"<passage><offset>6</offset><sentence><offset>6</offset><text>x</text></sentence></passage>"
        b"</document></collection>"
    },
    "spacy": {"a.spacy": docbin.encode([Document("1", "A flu", (Mention(2, 5, "D"),))], False, None)},
}
POISON = [
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\t",
    b" ",
    b";",
    b"|",
    b"-1",
    b"99",
    b"\xc2\x85",
]
POISON += [
    b"\xe2\x80\xa8",
    b"\xf0\x9f\x92\x8a",
    b'"',
    b"{",
    b"]",
    b"\\ud800",
    b"\\u0000",
    b"1e9",
    b"9" * 5000,
    b"[" * 3000,
]


def assert_invariants(documents: list[Document]) -> None:
    assert documents
    assert len({document.id for document in documents}) == len(documents)
    for document in documents:
        assert document.text.strip()
        document.text.encode("utf-8")
        at = 0
        for start, end, label in document.mentions:
            assert at <= start < end <= len(document.text)
            assert label
            assert document.text[start:end] == document.text[start:end].strip()
            at = end
        if document.sentences is not None:
            at = 0
            for start, end in document.sentences:
                assert at <= start < end <= len(document.text)
                at = end
        assert set(document.metadata) <= set(METADATA)


def read_or_refuse(files: Files, format: str) -> None:
    try:
        assert_invariants(read_files(files, format))
    except AnnotationError as error:
        assert error.problem
        assert error.remedy
        assert not error.problem.endswith(".")
        assert not error.remedy.endswith(".")


@pytest.mark.parametrize("format", READERS)
@QUICK
@given(st.data())
def test_arbitrary_bytes_are_read_right_or_refused(format: str, data: st.DataObject) -> None:
    read_or_refuse({name: data.draw(st.binary(max_size=60)) for name in VALID[format]}, format)


@pytest.mark.parametrize("format", READERS)
@settings(QUICK, max_examples=400)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 4))
def test_mutated_files_are_read_right_or_refused(format: str, seed: int, changes: int) -> None:
    generator = random.Random(seed)
    files = dict(VALID[format])
    for _ in range(changes):
        name = generator.choice(sorted(files))
        content = files[name]
        first, last = sorted(generator.choices(range(len(content) + 1), k=2))
        last = generator.choice([first, min(first + 1, len(content)), last])
        middle = generator.choice([b"", generator.choice(POISON), content[first:last] * 2])
        files[name] = content[:first] + middle + content[last:]
    read_or_refuse(files, format)


@pytest.mark.parametrize("format", READERS)
def test_the_files_that_are_mutated_are_valid(format: str) -> None:
    documents = read_files(VALID[format], format)
    assert_invariants(documents)
    assert any(document.mentions for document in documents)


# --- the ground they stand on -----------------------------------------------------------------


def test_one_file_reads_like_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"flu\tB-D\n")
    assert read(path, "iob") == read(tmp_path, "iob")


def test_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="token-lines, iob"):
        read(tmp_path, "xml")


def test_byte_order_mark_does_not_count_in_offsets(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(File("a.txt", path)) == "a\r\nb"


@pytest.mark.parametrize("escape", ["\\ud800", "\\u0000"])
def test_a_character_that_is_none_is_refused_behind_its_escape(tmp_path: Path, escape: str) -> None:
    path = tmp_path / "a.jsonl"
    lines = [f'{{"tokens": ["{token}"], "ner_tags": ["O"]}}' for token in ("flu", f"f{escape}u")]
    path.write_text("\n".join(lines))
    with pytest.raises(AnnotationError, match=r"a\.jsonl, line 2.*control character"):
        read(path, "huggingface")


@pytest.mark.parametrize("digits", ["1_0", "٣", "+1", " 1", "-1", "", "1" * 10, "²"])
def test_offsets_are_plain_digits(digits: str) -> None:
    assert parse_offset(digits) is None


def test_many_nested_marks_over_a_long_text_are_refused_at_once() -> None:
    text = "x" * MAX_CHARACTERS
    marks = [Mark(0, MAX_CHARACTERS - n, "D", "x") for n in range(50_000)]
    began = time.process_time()
    with pytest.raises(AnnotationError):
        place_mentions(text, marks, file="a", document="a")
    assert time.process_time() - began < 5


def test_reading_time_grows_with_size_not_with_its_square() -> None:
    def seconds(tokens: int) -> float:
        files = {"a.tsv": b"aspirin\tB-T\n" * tokens}
        began = time.process_time()  # other processes do not count
        (document,) = read_files(files, "iob")
        assert len(document.mentions) == tokens
        return time.process_time() - began

    short = max(min(seconds(10_000) for _ in range(3)), 0.005)
    assert min(seconds(160_000) for _ in range(3)) < 100 * short  # 16 times the size; the square would be 256


# --- real corpora -----------------------------------------------------------------------------


@CORPORA
@pytest.mark.corpora
@pytest.mark.parametrize(
    ("path", "format", "documents", "sentences", "labels"),
    [
        ("behealthy", "token-lines", 1, 2599, {"D": 1383, "T": 1023}),
        (
            "ncbi-disease/NCBItrainset_corpus.txt",
            "pubtator",
            593,
            0,
            {"SpecificDisease": 2972, "Modifier": 1289, "DiseaseClass": 769, "CompositeMention": 115},
        ),
        (
            "ncbi-disease/NCBIdevelopset_corpus.txt",
            "pubtator",
            100,
            0,
            {"SpecificDisease": 412, "Modifier": 214, "DiseaseClass": 126, "CompositeMention": 35},
        ),
        ("ncbi-disease/train.tsv", "iob", 1, 5424, {"Disease": 5134}),
        ("ncbi-disease/devel.tsv", "iob", 1, 923, {"Disease": 787}),
        (
            "ncbi-disease/brat-devel",
            "brat",
            40,
            0,
            {"SpecificDisease": 161, "Modifier": 93, "DiseaseClass": 37, "CompositeMention": 11},
        ),
        ("bc5cdr/train.tsv", "iob", 1, 4560, {"Chemical": 5203, "Disease": 4182}),
        ("bc5cdr/devel.tsv", "iob", 1, 4581, {"Chemical": 5347, "Disease": 4246}),
    ],
)
def test_corpora_load_completely(
    path: str, format: str, documents: int, sentences: int, labels: dict[str, int]
) -> None:
    found = read(SHARED / path, format)
    assert_invariants(found)
    assert len(found) == documents
    assert sum(len(document.sentences or ()) for document in found) == sentences
    assert Counter(mention.label for document in found for mention in document.mentions) == labels


@CORPORA
@pytest.mark.corpora
def test_the_repeated_abstract_of_ncbi_is_kept_under_a_second_name() -> None:
    found = {d.id: d for d in read(SHARED / "ncbi-disease/NCBItrainset_corpus.txt", "pubtator")}
    assert found["8528200"].text == found["8528200#2"].text
    assert found["8528200"].mentions == found["8528200#2"].mentions
