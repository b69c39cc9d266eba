"""Whatever an export is like, a command ends with 0, 1 or 2, one sentence a fault, no traceback, no word of a note."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation import add, convert, inbox
from annotation.agreement import __main__ as agreement
from annotation.queue import __main__ as queue
from annotation.writers import SUFFIXES, WRITERS
from stages.prepare.formats import READERS
from stages.validate import __main__ as validate
from tests.damage import Files, damaged
from tests.repository import ROOT
from tests.samples import samples
from tests.unit.test_extractor import train

SECRETS = {b"Gout": b"Quix", b"colchicine": b"zorblamine", b"On ": b"Yv "}
"""Of the same length; none of them is part of a word that a message may use."""

WORDS = re.compile("quix|zorblamine", re.IGNORECASE)
FUZZ = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
SEEDS = st.integers(0, 2**32)


def hidden(files: Files) -> Files:
    """Give the note words that no message could hold by chance."""
    for word, secret in SECRETS.items():
        files = {name: content.replace(word, secret) for name, content in files.items()}
    return files


SAMPLES = {format: hidden(files) for format, files in samples().items() if format != "spacy"}


@pytest.fixture(scope="module", autouse=True)
def binary(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("docbin")
    (folder / "notes.jsonl").write_bytes(SAMPLES["jsonl"]["notes.jsonl"])
    convert.main([str(folder / "notes.jsonl"), "--from", "jsonl", "--to", "spacy", str(folder / "notes.spacy")])
    SAMPLES["spacy"] = {"notes.spacy": (folder / "notes.spacy").read_bytes()}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    train().save(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as commands expect it, with the mapping and the parameters of the project."""
    monkeypatch.chdir(tmp_path)
    for name in ("data/mapping/labels.csv", "params.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def export(home: Path, files: Files, name: str = "export") -> Path:
    for old in ("export", "other", "batches", "out", "inbox"):
        shutil.rmtree(home / old, ignore_errors=True)
    folder = home / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return folder


def check(status: int, capsys: pytest.CaptureFixture[str], allowed: tuple[int, ...] = (0, 1, 2)) -> None:
    captured = capsys.readouterr()
    assert status in allowed, captured
    said = captured.out + captured.err
    assert "Traceback" not in said
    assert "unforeseen" not in said, said
    assert not WORDS.search(said), said
    assert bool(captured.err.strip()) or status == 0
    for line in captured.err.splitlines():
        assert len(line) < 1000, line


def damage(format: str, seed: int) -> Files:
    return damaged(SAMPLES[format], random.Random(seed))


@pytest.mark.parametrize("format", READERS)
@FUZZ
@given(seed=SEEDS)
def test_add(format: str, seed: int, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = export(home, damage(format, seed))
    status = add.main([str(folder), "--format", format, "--name", "new", "--to", "batches"])
    check(status, capsys)
    batches = home / "batches"
    assert (batches / "new" / "batch.yaml").is_file() == (status == 0)
    assert sorted(path.name for path in batches.glob("*")) == (["new"] if status == 0 else [])


@pytest.mark.parametrize("format", READERS)
@FUZZ
@given(seed=SEEDS, to=st.sampled_from(sorted(WRITERS)))
def test_convert(format: str, seed: int, to: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = export(home, damage(format, seed))
    target = home / "out" / ("notes" + SUFFIXES.get(to, ("",))[0])
    status = convert.main([str(folder), "--from", format, "--to", to, str(target)])
    check(status, capsys)
    assert target.exists() == (status == 0)


@FUZZ
@given(seed=SEEDS, format=st.sampled_from(sorted(READERS)))
def test_inbox(seed: int, format: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(home, damage(format, seed), f"inbox/{format}/ward")
    check(inbox.main([str(home / "inbox"), "--to", str(home / "batches")]), capsys)


@FUZZ
@given(seed=SEEDS, format=st.sampled_from(sorted(READERS)))
def test_agreement(seed: int, format: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = export(home, damage(format, seed))
    shutil.copytree(folder, home / "other")
    check(agreement.main([str(folder), str(home / "other"), "--format", format, "--show", "3"]), capsys)


@settings(FUZZ, max_examples=20)
@given(seed=SEEDS)
def test_queue(seed: int, home: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = {"notes.jsonl": b'{"id": "n1", "text": "Quix. Yv zorblamine."}\n{"id": "n2", "text": "No quix today."}\n'}
    folder = export(home, damaged(notes, random.Random(seed)))
    to = home / "out" / "tasks.jsonl"
    arguments = [str(folder), "--models", str(models), "--count", "2", "--to", str(to), "--annotations", "none"]
    check(queue.main(arguments), capsys)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave Great Expectations out, which takes a second each time and sees only what has been read."""
    from stages.validate import incoming
    from stages.validate.project import Outcome

    monkeypatch.setattr(incoming, "check_schemas", lambda *_: Outcome())
    monkeypatch.setattr(incoming, "SPLITLESS_SUITES", ())
    monkeypatch.setattr(incoming, "Project", lambda **_: None)
    yield


@FUZZ
@given(seed=SEEDS, format=st.sampled_from(sorted(READERS)))
def test_validate(seed: int, format: str, home: Path, gate: None, capsys: pytest.CaptureFixture[str]) -> None:
    folder = export(home, damage(format, seed))
    status = validate.main([str(folder), "--format", format])
    captured = capsys.readouterr()
    assert not WORDS.search(captured.out + captured.err)
    assert status in (0, 1) or "unforeseen" not in captured.err, captured.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--format", "jsonl", "--name", "new", "--to", "params.yaml"], 2),
        (["--format", "jsonl", "--name", "new", "--to", "params.yaml/batches"], 2),
        (["--format", "jsonl", "--name", "new", "--labels", "none.csv"], 2),
        (["--format", "jsonl", "--name", "new", "--labels", "params.yaml"], 1),
        (["--format", "brat", "--name", "new"], 1),
    ],
)
def test_add_where_it_cannot(arguments: list[str], code: int, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = export(home, SAMPLES["jsonl"])
    assert add.main([str(folder), *arguments]) == code
    said = capsys.readouterr().err
    assert "unforeseen" not in said
    assert said.count("\n") == 1
