"""Malformed and odd exports: each is read exactly right, or refused with place and remedy and nothing changed."""
# ruff: noqa: E501 (tables: a case a line)

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from annotation.add import main
from stages.common.command import DONE, REFUSED
from stages.prepare.batches import load_batch, read_batch

Files = dict[str, bytes]
Spans = list[tuple[int, int, str]]

SECRET = "Mallory"
"""Stands in the notes below; no message may repeat it."""


class Case(NamedTuple):
    """An export, and either the documents it holds or a pattern of the refusal."""

    name: str
    format: str
    files: Files | Callable[[], Files]
    documents: list[tuple[str, str, Spans]] | None = None
    refusal: str = ""


def tokens(sent: bytes, label: bytes) -> Files:
    return {"a_sent": sent, "a_label": label}


def iob(content: bytes) -> Files:
    return {"a.tsv": content}


def pubtator(*annotations: str, text: str = "1|t|Mallory has flu.\n1|a|Took aspirin.\n") -> Files:
    return {"a.txt": (text + "".join(f"{line}\n" for line in annotations)).encode()}


def brat(text: bytes, *lines: str) -> Files:
    return {"a.txt": text, "a.ann": "".join(f"{line}\n" for line in lines).encode()}


def jsonl(mentions: str = "[]", text: str = "Mallory has flu.", rest: str = "") -> Files:
    return {"a.jsonl": f'{{"id": "1", "text": "{text}", "mentions": {mentions}{rest}}}\n'.encode()}


def mention(start: object, end: object, label: str = "Disease", rest: str = "") -> str:
    return f'{{"start": {start}, "end": {end}, "label": "{label}"{rest}}}'


FLU = mention(12, 15)
QUOTED = mention(12, 15, rest=', "text": "Mallory"')
TITLE = "Mallory has flu.\nTook aspirin."

RIGHT = [
    Case("a byte order mark", "iob", iob(b"\xef\xbb\xbfflu\tB-D\n"), [("a", "flu", [(0, 3, "D")])]),
    Case("a byte order mark in brat", "brat", brat(b"\xef\xbb\xbfflu", "T1\tD 0 3\tflu"), [("a", "flu", [(0, 3, "D")])]),
    Case("CRLF tokens", "token-lines", tokens(b"flu\r\n\r\nx\r\n", b"D\r\n\r\nO\r\n"), [("a", "flu\nx", [(0, 3, "D")])]),
    Case("CRLF iob", "iob", iob(b"flu\tB-D\r\n\r\nx\tO\r\n"), [("a", "flu\nx", [(0, 3, "D")])]),
    Case(
        "CRLF pubtator",
        "pubtator",
        {"a.txt": b"1|t|A flu\r\n1|a|\r\n1\t2\t5\tflu\tD\tX\r\n"},
        [("1", "A flu\n", [(2, 5, "D")])],
    ),
    Case("CRLF jsonl", "jsonl", {"a.jsonl": jsonl(f"[{FLU}]")["a.jsonl"].replace(b"\n", b"\r\n")}, [("1", "Mallory has flu.", [(12, 15, "Disease")])]),
    Case("CRLF in brat text counts", "brat", brat(b"x\r\nflu", "T1\tD 3 6\tflu"), [("a", "x\r\nflu", [(3, 6, "D")])]),
    Case(
        "a brat mention over a line end",
        "brat",
        brat(b"breast\r\ncancer", "T1\tD 0 6;8 14\tbreast cancer"),
        [("a", "breast\r\ncancer", [(0, 14, "D")])],
    ),
    Case("a brat text without mentions", "brat", {**brat(b"Well."), "b.txt": b"flu", "b.ann": b"T1\tD 0 3\tflu\n"}, [("a", "Well.", []), ("b", "flu", [(0, 3, "D")])]),
    Case("no line end at the end", "token-lines", tokens(b"flu", b"D\n\n"), [("a", "flu", [(0, 3, "D")])]),
    Case("several blank lines", "iob", iob(b"\n\nx\tO\n \n\nflu\tB-D\n\n"), [("a", "x\nflu", [(2, 5, "D")])]),
    Case("an inside tag that continues nothing", "iob", iob(b"flu\tI-D\nx\tI-T\n"), [("a", "flu x", [(0, 3, "D"), (4, 5, "T")])]),
    Case("neighbours of one label", "token-lines", tokens(b"flu\ncold\n", b"D\nD\n"), [("a", "flu cold", [(0, 8, "D")])]),
    Case("a mention does not cross a sentence", "token-lines", tokens(b"a\n\nb\n", b"D\n\nD\n"), [("a", "a\nb", [(0, 1, "D"), (2, 3, "D")])]),
    Case("a line separator inside a text", "jsonl", jsonl(f"[{mention(2, 5)}]", text="x\u2028flu"), [("1", "x\u2028flu", [(2, 5, "Disease")])]),
    Case("offsets count code points", "jsonl", jsonl(f"[{mention(2, 5)}]", text="💊 flu"), [("1", "💊 flu", [(2, 5, "Disease")])]),
    Case("escaped astral characters", "jsonl", jsonl(f"[{mention(2, 5)}]", text="\\ud83d\\udc8a flu"), [("1", "💊 flu", [(2, 5, "Disease")])]),
    Case("unsorted mentions", "jsonl", jsonl(f"[{FLU}, {mention(0, 7)}]"), [("1", "Mallory has flu.", [(0, 7, "Disease"), (12, 15, "Disease")])]),
    Case("the same mention twice", "jsonl", jsonl(f"[{FLU}, {FLU}]"), [("1", "Mallory has flu.", [(12, 15, "Disease")])]),
    Case("doccano", "doccano", {"a.jsonl": b'{"id": 7, "text": "A flu", "label": [[2, 5, "D"]]}'}, [("7", "A flu", [(2, 5, "D")])]),
    Case("a quote with padding", "pubtator", pubtator("1\t12\t15\tflu  \tDisease\tD1"), [("1", TITLE, [(12, 15, "Disease")])]),
    Case("a relation", "pubtator", pubtator("1\t12\t15\tflu\tD", "1\tCID\tD1\tD2"), [("1", TITLE, [(12, 15, "D")])]),
    Case(
        "the same document twice",
        "pubtator",
        {"a.txt": b"1|t|A\n1|a|flu\n1\t2\t5\tflu\tD\n\n1|t|A\n1|a|flu\n1\t2\t5\tflu\tD\n"},
        [("1", "A\nflu", [(2, 5, "D")]), ("1#2", "A\nflu", [(2, 5, "D")])],
    ),
    Case("a licence beside the data", "iob", {"a.tsv": b"flu\tB-D\n", "LICENSE": b"free", "README.txt": b"x"}, [("a", "flu", [(0, 3, "D")])]),
    Case("a hidden file beside the data", "brat", {**brat(b"flu", "T1\tD 0 3\tflu"), ".DS_Store": b"\x00"}, [("a", "flu", [(0, 3, "D")])]),
    Case("documents in iob", "iob", iob(b"-DOCSTART- -X- O\n\na\tO\n-DOCSTART-\nb\tB-D\n"), [("a-1", "a", []), ("a-2", "b", [(0, 1, "D")])]),
]  # fmt: skip

REFUSED_CASES = [
    # encoding
    Case("Latin-1", "brat", brat("Mallory a la fièvre".encode("latin-1")), refusal=r"file a\.txt, line 1, offset 15: is not UTF-8.*iconv"),
    Case("UTF-16", "iob", iob("flu\tB-D\n".encode("utf-16")), refusal=r"file a\.tsv, line 1, offset 0: is not UTF-8.*Convert"),
    Case("a cut-off character", "jsonl", {"a.jsonl": jsonl()["a.jsonl"].rstrip() + b"\xc3"}, refusal=r"file a\.jsonl, line 1.*not UTF-8"),
    Case("a NUL byte", "iob", iob(b"x\tO\nMall\x00ory\tO\n"), refusal=r"file a\.tsv, line 2, offset 8: has the control character U\+0000.*Remove"),
    Case("an escape character", "brat", brat(b"Mallory\x1b[0m"), refusal=r"file a\.txt, line 1, offset 7.*U\+001B"),
    Case("an escaped NUL", "jsonl", jsonl(text="Mallory\\u0000"), refusal=r"file a\.jsonl, line 1, document 1, offset 7.*U\+0000"),
    Case("a lone surrogate", "jsonl", jsonl(text="Mallory\\ud800"), refusal=r"line 1, document 1, offset 7.*U\+D800"),
    Case("a lone carriage return", "iob", iob(b"a\tO\rMallory\tO\n"), refusal=r"file a\.tsv, line 1, offset 3.*LF or CRLF"),
    # nothing there
    Case("an empty file", "iob", iob(b""), refusal=r"file a\.tsv, document a: there is no sentence\. Check"),
    Case("empty token files", "token-lines", tokens(b"\n\n", b"\n"), refusal=r"file a_sent.*no sentence"),
    Case("an empty jsonl", "jsonl", {"a.jsonl": b"\n\n"}, refusal=r"file a\.jsonl: holds no document"),
    Case("an empty pubtator", "pubtator", {"a.txt": b"\n"}, refusal=r"file a\.txt: holds no document"),
    Case("a blank text", "jsonl", jsonl(text=" \\n "), refusal=r"line 1, document 1: the document has no text\. Take it out"),
    Case("an empty brat text", "brat", brat(b""), refusal=r"file a\.txt, document a: the document has no text"),
    Case("a document without sentences", "iob", iob(b"-DOCSTART-\n\n-DOCSTART-\nb\tO\n"), refusal=r"line 1, document a-1: the document has no sentence"),
    Case("a folder without annotations", "iob", {"README": b"x"}, refusal=r"file export: holds no annotation files\. Give.*\.tsv"),
    # files
    Case("a text without annotations", "brat", {"a.txt": b"Mallory"}, refusal=r"file a\.txt: has no \.ann file.*Add a\.ann"),
    Case("annotations without a text", "brat", {"a.ann": b"", "b.txt": b"x", "b.ann": b""}, refusal=r"file a\.ann: has no \.txt file"),
    Case("a foreign file", "jsonl", {**jsonl(), "a.xml": b"<x/>"}, refusal=r"file a\.xml: has a suffix.*Take it out"),
    Case("two token files", "token-lines", {**tokens(b"x\n", b"O\n"), "b_sent": b"x\n", "b_label": b"O\n"}, refusal=r"not a folder of exactly one.*batches of their own"),
    Case("token files of two names", "token-lines", {"a_sent": b"x\n", "b_label": b"O\n"}, refusal=r"not a folder of exactly one"),
    # alignment of token files
    Case("a label missing at the end", "token-lines", tokens(b"a\nMallory\n", b"O\n"), refusal=r"file a_label, line 2: the labels end before line 2.*together"),
    Case("a blank line in another place", "token-lines", tokens(b"a\n\nb\n", b"O\nO\n\n"), refusal=r"file a_label, line 2: has a label where no token is"),
    Case("a blank label", "token-lines", tokens(b"a\nb\nc\n", b"O\n\nO\n"), refusal=r"file a_label, line 2: has no label where a token is"),
    Case("files exchanged", "token-lines", tokens(b"O\nD\n", b"has\nMallory\n"), refusal=r"file a_label, line 1: has an unknown label\. Use O, D or T"),
    Case("a token of two words", "token-lines", tokens(b"Mallory X\n", b"O\n"), refusal=r"file a_sent, line 1: the token.*line of its own"),
    # iob
    Case("an unknown tag", "iob", iob(b"a\tO\nb\tMallory\n"), refusal=r"file a\.tsv, line 2: has an unknown tag\. Use O, or B-"),
    Case("a tag without a label", "iob", iob(b"a\tB\n"), refusal=r"line 1: has an unknown tag"),
    Case("one column", "iob", iob(b"Mallory\n"), refusal=r"line 1: has 1 column\(s\) instead of at least 2.*tab"),
    Case("ragged columns", "iob", iob(b"a\tNN\tO\nb\tO\n"), refusal=r"line 2: has 2 column\(s\) instead of 3"),
    Case("an empty token", "iob", iob(b"a\tO\n\tO\n"), refusal=r"line 2: the token is empty"),
    # json
    Case("truncated JSON", "jsonl", {"a.jsonl": jsonl()["a.jsonl"] + b'{"id": "2", "text": "Mall'}, refusal=r"file a\.jsonl, line 2: is not valid JSON from character \d+.*made again"),
    Case("a JSON list", "jsonl", {"a.jsonl": b'["Mallory"]'}, refusal=r"line 1: is not a JSON object"),
    Case("deep nesting", "jsonl", {"a.jsonl": b"[" * 200_000}, refusal=r"line 1: is JSON that cannot be a document"),
    Case("a key twice", "jsonl", jsonl(rest=', "id": "2"'), refusal=r"line 1: has an object with the same key twice"),
    Case("an unknown key", "jsonl", jsonl(rest=', "labels": []'), refusal=r"line 1: has the unknown key 'labels'.*known are"),
    Case("an unknown key that is text", "jsonl", jsonl(rest=', "Mallory was ill": 1'), refusal=r"unknown key \(a name of 15 characters\)"),
    Case("unknown metadata", "jsonl", jsonl(rest=', "metadata": {"name": "Mallory"}'), refusal=r"unknown key 'name'.*age_band"),
    Case("metadata that is a number", "jsonl", jsonl(rest=', "metadata": {"sex": 1}'), refusal=r"document 1: has metadata sex"),
    Case("no mentions key", "jsonl", {"a.jsonl": b'{"id": "1", "text": "Mallory"}'}, refusal=r'has no "mentions"\. Give "mentions"'),
    Case("an export of doccano", "jsonl", {"a.jsonl": b'{"id": 1, "text": "Mallory", "label": []}'}, refusal=r"line 1: looks like an export of doccano\. Read it with the format doccano"),
    Case("a time that is no number", "jsonl", jsonl(rest=', "seconds": "4 min"'), refusal=r"document 1: has a measured time that is no number"),
    Case("a negative time", "jsonl", jsonl(rest=', "seconds": -1'), refusal=r"document 1: has a measured time that is no number"),
    Case("an endless time", "jsonl", jsonl(rest=', "seconds": 1e999'), refusal=r"document 1: has a measured time that is no number"),
    Case("no identifier", "jsonl", {"a.jsonl": b'{"text": "Mallory", "mentions": []}'}, refusal=r'has no id.*Add "id"'),
    Case("an empty identifier", "jsonl", {"a.jsonl": b'{"id": "", "text": "Mallory", "mentions": []}'}, refusal=r"identifier is empty"),
    Case("a second document of one identifier", "jsonl", {"a.jsonl": jsonl()["a.jsonl"] * 2}, refusal=r"line 2, document 1: this identifier was used before, in a\.jsonl line 1"),
    Case("an offset of a fraction", "jsonl", jsonl(f"[{mention(1.5, 3)}]"), refusal=r"without whole-numbered start"),
    Case("an offset that is true", "jsonl", jsonl(f"[{mention('true', 3)}]"), refusal=r"without whole-numbered start"),
    Case("an offset of 5000 digits", "jsonl", jsonl(f"[{mention('9' * 5000, 3)}]"), refusal=r"JSON that cannot be a document"),
    # mentions
    Case("overlap", "jsonl", jsonl(f"[{mention(0, 11)}, {mention(8, 15)}]"), refusal=r"line 1, document 1, offset 8: the mention 8-15 overlaps 0-11\. Keep one"),
    Case("nesting", "jsonl", jsonl(f"[{mention(0, 15)}, {FLU}]"), refusal=r"12-15 overlaps 0-15"),
    Case("one span, two labels", "jsonl", jsonl(f"[{FLU}, {mention(12, 15, 'Treatment')}]"), refusal=r"12-15 overlaps 12-15"),
    Case("an empty mention", "jsonl", jsonl(f"[{mention(3, 3)}]"), refusal=r"3-3 is empty\. Remove"),
    Case("reversed offsets", "jsonl", jsonl(f"[{mention(15, 12)}]"), refusal=r"15-12 ends before it starts"),
    Case("a negative offset", "jsonl", jsonl(f"[{mention(-4, 3)}]"), refusal=r"-4-3 lies outside"),
    Case("past the end", "jsonl", jsonl(f"[{mention(12, 99)}]"), refusal=r"12-99 lies outside the text of 16 characters.*not bytes"),
    Case("a space at an end", "jsonl", jsonl(f"[{mention(7, 11)}]"), refusal=r"7-11 begins or ends with a space\. Mark 8-11"),
    Case("only a space", "jsonl", jsonl(f"[{mention(7, 8)}]"), refusal=r"7-8 begins or ends with a space\. Remove it"),
    Case("another text", "jsonl", jsonl(f"[{QUOTED}]"), refusal=r"12-15 of label 'Disease' differs.*line ends or accents"),
    Case("a label that is not mapped", "jsonl", jsonl(f"[{mention(12, 15, 'Finding')}]"), refusal=r"document 1, offset 12: the label 'Finding' is not mapped.*--labels"),
    Case("byte offsets", "pubtator", pubtator("1\t8\t11\tflu\tD\tX", text="1|t|fièvre flu\n1|a|\n"), refusal=r"file a\.txt, line 3, document 1, offset 8"),
    # pubtator
    Case("a mention cut short", "pubtator", pubtator("1\t12\t15\tflu"), refusal=r"line 3, document 1: has 4 columns"),
    Case("offsets that are words", "pubtator", pubtator("1\ta\tb\tflu\tD"), refusal=r"line 3, document 1: has offsets that are not whole numbers"),
    Case("an annotation of another document", "pubtator", pubtator("2\t12\t15\tflu\tD\tX"), refusal=r"line 3, document 1: belongs to another document"),
    Case("no abstract", "pubtator", pubtator(text="1|t|Mallory\n"), refusal=r"line 2, document 1: the title is not followed by its abstract.*\|a\|"),
    Case("no title", "pubtator", pubtator(text="1|a|Mallory\n"), refusal=r"line 1: is not the title line"),
    Case("one identifier, two texts", "pubtator", {"a.txt": b"1|t|A\n1|a|B\n\n1|t|Mallory\n1|a|B\n"}, refusal=r"line 4, document 1: a second document with another text"),
    Case("a name that a repeat takes", "pubtator", {"a.txt": b"1|t|A\n1|a|B\n\n1|t|A\n1|a|B\n\n1#2|t|C\n1#2|a|D\n"}, refusal=r"document 1#2: two documents end up"),
    # brat
    Case("a discontinuous mention", "brat", brat(b"breast Mallory cancer", "T1\tD 0 6;15 21\tbreast cancer"), refusal=r"file a\.ann, line 1, document a, offset 0: marks a discontinuous mention.*unbroken"),
    Case("parts in the wrong order", "brat", brat(b"breast cancer", "T1\tD 7 13;0 6\tcancer breast"), refusal=r"discontinuous"),
    Case("spaces in place of tabs", "brat", brat(b"Mallory", "T1 D 0 7 Mallory"), refusal=r"file a\.ann, line 1, document a: is not a line of three"),
    Case("a line of unknown kind", "brat", brat(b"Mallory", "X1\tD 0 7\tMallory"), refusal=r"file a\.ann, line 1.*is not a line of three"),
    Case("an annotation identifier twice", "brat", brat(b"a b", "T1\tD 0 1\ta", "T1\tD 2 3\tb"), refusal=r"line 2, document a: uses an annotation identifier a second time"),
    Case("line ends that were converted", "brat", brat(b"Mallory\nflu x", "T1\tD 9 12\tflu"), refusal=r"line 1, document a, offset 9"),
    # size
    Case("a line of 50 MB", "jsonl", lambda: jsonl(text="Mallory " * 6_250_000), refusal=r"line 1: the line is longer than 5,000,000.*Split"),
    Case("a text of 50 MB", "brat", lambda: brat(b"Mallory " * 6_250_000), refusal=r"file a\.txt, document a: the document is longer than 5,000,000"),
    Case("a token of 50 MB", "iob", lambda: iob(b"Mallory" * 7_000_000), refusal=r"line 1: the line is longer than 5,000,000"),
]  # fmt: skip


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of batches that holds one already, and a mapping of labels."""
    monkeypatch.chdir(tmp_path)
    mapping = tmp_path / "data" / "mapping" / "labels.csv"
    mapping.parent.mkdir(parents=True)
    mapping.write_text("source_label,label\nD,Disease\nDisease,Disease\nT,Treatment\nTreatment,Treatment\n")
    (tmp_path / "params.yaml").write_text("labels: [Disease, Treatment]\n")
    (tmp_path / "old.tsv").write_text("gout\tB-D\n\nrest\tB-T\n")
    assert main(["old.tsv", "--format", "iob", "--name", "old"]) == DONE
    return tmp_path


def write(folder: Path, case: Case) -> None:
    files = case.files() if callable(case.files) else case.files
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize("case", REFUSED_CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_refused_with_place_and_remedy_and_nothing_changed(
    case: Case, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home / "export", case)
    before = tree(home)
    began = time.process_time()
    assert main(["export", "--format", case.format, "--name", "new"]) == REFUSED
    assert time.process_time() - began < 10
    message = capsys.readouterr().err
    assert message.startswith("refused: batch new")
    assert re.search(case.refusal, message), message
    assert SECRET not in message
    assert tree(home) == before


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name.replace(" ", "-"))
def test_read_right_through_the_whole_way_in(case: Case, home: Path) -> None:
    write(home / "export", case)
    assert main(["export", "--format", case.format, "--name", "new"]) == DONE
    documents = read_batch(load_batch(home / "data" / "annotations" / "new"))
    assert [(d.id, d.text, [tuple(m) for m in d.mentions]) for d in documents] == case.documents
