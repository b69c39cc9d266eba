"""All the faults of an export at once, offsets that one rule would mend, and mentions that touch."""
# ruff: noqa: E501 (an export a line)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.add import main
from stages.common.command import DONE, REFUSED
from stages.common.documents import Document, Mention
from stages.common.errors import AnnotationError
from stages.prepare.formats import READERS, read
from stages.prepare.formats.marks import Mark, place_mentions
from stages.prepare.formats.offsets import explain
from tests.repository import ROOT
from tests.samples import samples

TEXT = "Gout. On colchicine."
SECRET = "colchicine"
Files = dict[str, bytes]


def export(folder: Path, files: Files) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def refusal(path: Path, format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    mapping = str(ROOT / "data/mapping/labels.csv")
    to = tmp_path / "batches"
    arguments = [str(path), "--format", format, "--name", "new", "--labels", mapping, "--to", str(to)]
    assert main(arguments) == REFUSED
    assert not to.exists()
    err = capsys.readouterr().err
    assert SECRET not in err
    return err


def jsonl(*entries: Any) -> Files:
    return {"a.jsonl": "".join(json.dumps(entry) + "\n" for entry in entries).encode()}


def note(id: str, *mentions: dict[str, Any], text: str = TEXT) -> dict[str, Any]:
    return {"id": id, "text": text, "mentions": list(mentions)}


def mention(start: int, end: int, label: str = "Disease", **more: str) -> dict[str, Any]:
    return {"start": start, "end": end, "label": label, **more}


# --- all faults -------------------------------------------------------------------------------


def test_every_fault_of_a_file_is_told_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = jsonl(
        note("n1", mention(5, 8), mention(0, 4), mention(2, 99)),
        {"id": "n2"},
        note("n3", mention(0, 4), mention(3, 8), {"start": "x"}),
        note("n1"),
    )
    files["a.jsonl"] += b"{broken\n"
    err = refusal(export(tmp_path / "export", files), "jsonl", tmp_path, capsys)
    first, *lines = err.splitlines()
    assert first == "refused: batch new: 7 faults:"
    wanted = [
        "line 1, document n1, offset 2: the mention 2-99 lies outside",
        "line 1, document n1, offset 5: the mention 5-8 begins or ends with a space",
        "line 2: has no text",
        "line 3, document n3: has a mention without whole-numbered",
        "line 3, document n3, offset 3: the mention 3-8 overlaps 0-4",
        "line 4, document n1: this identifier was used before",
        "line 5: is not valid JSON",
    ]
    assert len(lines) == len(wanted)
    for line, part in zip(lines, wanted, strict=True):
        assert line.startswith("  file a.jsonl, ")
        assert part in line.replace("file a.jsonl, offset", "line 1, document n1, offset")


def test_the_first_twenty_are_told_and_the_others_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"a.tsv": b"Gout\tX\n" * 23 + b"On\tO\n"}
    lines = refusal(export(tmp_path / "export", files), "iob", tmp_path, capsys).splitlines()
    assert lines[0] == "refused: batch new: 23 faults, the first 20:"
    assert [line.split(":")[0] for line in lines[1:21]] == [f"  file a.tsv, line {n}" for n in range(1, 21)]
    assert lines[21:] == ["  and 3 more."]


def test_all_labels_without_a_meaning_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = jsonl(note("n1", *(mention(n, n + 1, f"L{n}") for n in range(40)), text="x" * 40))
    lines = refusal(export(tmp_path / "export", files), "jsonl", tmp_path, capsys).splitlines()
    assert lines[0] == "refused: batch new: 40 faults:"
    for number, line in enumerate(lines[1:]):
        assert f"the label 'L{number}' is not mapped" in line
        assert "with nothing after the comma it is ignored" in line


@pytest.mark.parametrize("format", sorted(set(READERS) - {"spacy", "huggingface", "iob", "token-lines"}))
def test_two_wrong_labels_are_two_faults(format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        name: content.replace(b"Disease", b"Dx").replace(b"Treatment", b"Rx")
        for name, content in samples()[format].items()
    }
    err = refusal(export(tmp_path / "export", files), format, tmp_path, capsys)
    assert "batch new: 2 faults:" in err
    assert "document n1, offset 0: the label 'Dx' is not mapped" in err
    assert "document n1, offset 9: the label 'Rx' is not mapped" in err


@pytest.mark.parametrize("format", ["jsonl", "label-studio", "bioc", "brat", "pubtator"])
def test_two_wrong_quotes_are_two_faults(format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = samples()[format]
    for right, wrong in ((b'"text": "Gout"', b'"text": "Pain"'), (b'"text": "colchicine"', b'"text": "aspirin"')):
        files = {name: content.replace(right, wrong) for name, content in files.items()}
    for right, wrong in ((b"<text>Gout</", b"<text>Pain</"), (b"<text>colchicine</", b"<text>aspirin</")):
        files = {name: content.replace(right, wrong) for name, content in files.items()}
    for right, wrong in ((b"4\tGout", b"4\tPain"), (b"19\tcolchicine", b"19\taspirin")):
        files = {name: content.replace(right, wrong) for name, content in files.items()}
    err = refusal(export(tmp_path / "export", files), format, tmp_path, capsys)
    assert "batch new: 2 faults:" in err
    assert err.count("differs from the text that the export quotes") == 2


def test_a_label_that_may_be_a_word_of_the_note_is_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = jsonl(note("n1", mention(9, 19, label=SECRET)))
    err = refusal(export(tmp_path / "export", files), "jsonl", tmp_path, capsys)
    assert "offset 9: the label (a name of 10 characters, which is also a word of the note) is not mapped" in err


# --- offsets that one rule would mend -----------------------------------------------------------

PLAIN = "Fever.\nGout, on aspirin.\nGout chronic."
NOTE = "Fièvre 💊.\nGout, on aspirin.\nGout chronic."


def stated(text: str, shift: int = 0) -> list[tuple[int, int, str]]:
    words = ["Gout", "aspirin", "chronic"]
    return [(text.index(word) + shift, text.index(word) + len(word) + shift, word) for word in words]


def bytes_of(text: str) -> list[tuple[int, int, str]]:
    return [(len(text[:s].encode()), len(text[:e].encode()), word) for s, e, word in stated(text)]


def units_of(text: str) -> list[tuple[int, int, str]]:
    return [
        (len(text[:s].encode("utf-16-le")) // 2, len(text[:e].encode("utf-16-le")) // 2, word)
        for s, e, word in stated(text)
    ]


CRLF = NOTE.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("text", "quoted", "reason"),
    [
        (PLAIN, stated(PLAIN, 1), "shifted by +1 (counted from 1, or with a byte order mark?)"),
        (PLAIN, stated(PLAIN, -1), "shifted by -1"),
        (PLAIN, stated(PLAIN, 40), "shifted by +40"),
        (NOTE, bytes_of(NOTE), "in bytes of UTF-8"),
        (NOTE, units_of(NOTE), "in UTF-16 units"),
        (NOTE, stated(CRLF), "with CRLF line ends"),
        (CRLF, stated(NOTE), "line ends of one character, where the text has CRLF"),
        ("Ok. Gout.", [(5, 9, "Gout")], "shifted by +1"),
    ],
)
def test_a_rule_that_explains_all_offsets_is_named(text: str, quoted: list[tuple[int, int, str]], reason: str) -> None:
    assert reason in (explain(text, quoted) or "")
    with pytest.raises(AnnotationError) as refused:
        place_mentions(text, [Mark(s, e, "D", quote) for s, e, quote in quoted], file="a", document="a")
    message = str(refused.value)
    assert reason in message
    assert not [word for *_, word in quoted if word in message]


@pytest.mark.parametrize(
    "quoted",
    [
        stated(NOTE),
        [],
        [*stated(NOTE, 3), (0, 6, "Fièvre")],  # one of them holds as it is
        [(40, 44, "Gout")],  # of one alone, so far away: no rule
    ],
)
def test_what_no_rule_explains_is_not_guessed(quoted: list[tuple[int, int, str]]) -> None:
    assert explain(NOTE, quoted) is None


@given(st.text("ab é💊\n", min_size=3, max_size=30), st.integers(-5, 5).filter(bool))
def test_a_shift_is_explained_or_ambiguous(text: str, shift: int) -> None:
    quoted = [
        (start + shift, start + 1 + shift, character) for start, character in enumerate(text) if not character.isspace()
    ]
    if len(quoted) > 1 and len(set(text)) == len(text):
        assert explain(text, quoted)


def test_a_shift_is_one_fault_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = jsonl(note("n1", mention(1, 5, text="Gout"), mention(10, 20, text=SECRET)))
    err = refusal(export(tmp_path / "export", files), "jsonl", tmp_path, capsys)
    wanted = (
        "line 1, document n1, offset 1: the quoted text of all 2 mentions stands elsewhere: offsets look shifted by +1"
    )
    assert wanted in err.replace("file a.jsonl, document", "line 1, document")
    assert err.count("\n") == 1


# --- mentions that touch ------------------------------------------------------------------------

JOINED = "goutasthma"


def two(format: str, second: int) -> Files:
    """An export of two mentions of JOINED: the first ends at 4, the other begins at `second`."""
    spans = [(0, 4), (second, 10)]
    quotes = [JOINED[s:e] for s, e in spans]
    triples = [[s, e, "Disease"] for s, e in spans]
    objects = [{"start": s, "end": e, "label": "Disease"} for s, e in spans]
    entry = {"id": "n1", "text": JOINED}
    results = [{"type": "labels", "value": {"start": s, "end": e, "labels": ["Disease"]}} for s, e in spans]
    located = "".join(
        f"<annotation><infon key='type'>Disease</infon><location offset='{s}' length='{e - s}'/></annotation>"
        for s, e in spans
    )
    passage = f"<passage><offset>0</offset><text>{JOINED}</text>{located}</passage>"
    return {
        "jsonl": jsonl({**entry, "mentions": objects}),
        "doccano": jsonl({**entry, "label": triples}),
        "prodigy": jsonl({**entry, "spans": objects, "answer": "accept"}),
        "label-studio": {"a.json": json.dumps([{"id": 1, "data": {"text": JOINED}, "annotations": [{"result": results}]}]).encode()},
        "brat": {"n1.txt": JOINED.encode(), "n1.ann": "".join(f"T{n}\tDisease {s} {e}\t{q}\n" for n, ((s, e), q) in enumerate(zip(spans, quotes, strict=True))).encode()},
        "pubtator": {"a.txt": f"n1|t|{JOINED}\nn1|a|\n".encode() + "".join(f"n1\t{s}\t{e}\t{q}\tDisease\n" for (s, e), q in zip(spans, quotes, strict=True)).encode()},
        "bioc": {"a.xml": f"<collection><document><id>n1</id>{passage}</document></collection>".encode()},
    }[format]  # fmt: skip


RUNNING = ["jsonl", "doccano", "prodigy", "label-studio", "brat", "pubtator", "bioc"]


@pytest.mark.parametrize("format", RUNNING)
def test_mentions_may_touch(format: str, tmp_path: Path) -> None:
    (document,) = read(export(tmp_path / "export", two(format, 4)), format)
    assert [mention[:2] for mention in document.mentions] == [(0, 4), (4, 10)]
    arguments = [str(tmp_path / "export"), "--format", format, "--name", "new", "--to", str(tmp_path / "batches")]
    assert main([*arguments, "--labels", str(ROOT / "data/mapping/labels.csv")]) == DONE


@pytest.mark.parametrize("format", RUNNING)
def test_mentions_that_overlap_are_refused(format: str, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="the mention 3-10 overlaps 0-4"):
        read(export(tmp_path / "export", two(format, 3)), format)


@pytest.mark.parametrize(
    ("format", "files"),
    [
        ("iob", {"a.tsv": b"gout\tB-D\nasthma\tB-D\n"}),
        ("huggingface", {"a.jsonl": b'{"tokens": ["gout", "asthma"], "ner_tags": ["B-D", "B-D"]}\n'}),
    ],
)
def test_neighbours_in_formats_of_tokens_stay_two(format: str, files: Files, tmp_path: Path) -> None:
    (document,) = read(export(tmp_path / "export", files), format)
    assert [mention[:2] for mention in document.mentions] == [(0, 4), (5, 11)]


def test_entities_of_a_docbin_may_touch(tmp_path: Path) -> None:
    from annotation.writers import write

    given = Document("n1", JOINED, (Mention(0, 4, "Disease"), Mention(4, 10, "Disease")))
    write([given], tmp_path / "a.spacy", "spacy")
    assert read(tmp_path / "a.spacy", "spacy") == [given]
