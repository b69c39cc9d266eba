"""Writing: all or nothing, and the same bytes for the same content."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from annotation.writers.files import write_folder
from stages.common.files import (
    read_json,
    read_table,
    replacing,
    rounded,
    save_arrays,
    write_csv,
    write_json,
    write_table,
    write_text,
)
from stages.common.tables import MENTIONS, PREDICTIONS

MENTION = {
    "document": ["b/1"],
    "start": [0],
    "end": [4],
    "text": ["gout"],
    "label": ["Disease"],
    "source_label": ["D"],
    "aligned": [True],
}


@dataclass(frozen=True)
class Arrays:
    rows: np.ndarray


def frame(**changes: object) -> pd.DataFrame:
    return pd.DataFrame({**MENTION, **changes})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    write_text(path, "Sjögren\r\n")
    assert path.read_bytes() == "Sjögren\r\n".encode()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "of_file", "of_folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_the_umask_says_who_may_read(
    tmp_path: Path, umask: Callable[[int], int], mask: int, of_file: int, of_folder: int
) -> None:
    umask(mask)
    write_text(tmp_path / "a/b.txt", "x")
    save_arrays(tmp_path, Arrays(np.arange(3)))
    write_folder(tmp_path / "brat", {"a.txt": b"x"})
    files = [tmp_path / "a/b.txt", tmp_path / "rows.npy", tmp_path / "brat/a.txt"]
    assert {mode(path) for path in files} == {of_file}
    assert {mode(path) for path in (tmp_path / "a", tmp_path / "brat")} == {of_folder}


@pytest.mark.parametrize(
    ("before", "mask", "after"),
    [(0o600, 0o022, 0o600), (0o640, 0o022, 0o640), (0o644, 0o077, 0o600), (0o666, 0o022, 0o644), (0o400, 0o022, 0o600)],
)
def test_a_rewritten_file_is_opened_to_nobody(
    tmp_path: Path, umask: Callable[[int], int], before: int, mask: int, after: int
) -> None:
    path = tmp_path / "record"
    write_text(path, "old")
    path.chmod(before)
    umask(mask)
    write_text(path, "new")
    assert (mode(path), path.read_text()) == (after, "new")


def test_what_is_private_is_so_from_the_first_byte(tmp_path: Path, umask: Callable[[int], int]) -> None:
    umask(0)
    with replacing(tmp_path / "disputes", private=True) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
    write_folder(tmp_path / "tasks", {"a": b"x"}, private=True)
    assert (mode(tmp_path / "disputes"), mode(tmp_path / "tasks")) == (0o600, 0o700)


def test_writing_leaves_the_umask_of_other_threads_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the umask belongs to the whole process"))
    write_text(tmp_path / "x", "new")


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_a_failing_writer_leaves_the_old_content(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "metrics.json"
    write_text(path, "old")
    with pytest.raises(error), replacing(path) as file:
        file.write(b"half of the n")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["metrics.json"]


def test_a_failing_first_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), replacing(tmp_path / "new.json"):
        raise OSError("full")
    assert names(tmp_path) == []


@pytest.mark.parametrize("linked", [False, True])
def test_what_is_no_file_stays_what_it_is(tmp_path: Path, linked: bool) -> None:
    """Root can rename over a device: `--json /dev/stdout` would take it from the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:
        (tmp_path / "link").symlink_to(pipe)
    with pytest.raises(OSError, match="is a device or a pipe: name a file"):
        write_text(tmp_path / "link" if linked else pipe, "new")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert len(list(tmp_path.iterdir())) == 1 + linked


def test_a_full_disk_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.json"
    write_text(path, "old")

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["metrics.json"]


def test_the_old_content_stands_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_text(path, "old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_json(path, {"b": 1 / 3, "a": [math.nan, 2]}),
        lambda path: write_csv(path, pd.DataFrame({"x": [1 / 3, 2.0]})),
        lambda path: write_table(path, frame(), MENTIONS),
    ],
    ids=["json", "csv", "table"],
)
def test_the_same_content_gives_the_same_bytes(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_index_of_a_frame_does_not_change_the_bytes(tmp_path: Path) -> None:
    write_table(tmp_path / "one", frame(), MENTIONS)
    write_table(tmp_path / "two", frame().set_index(pd.Index([7])).rename_axis("odd"), MENTIONS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_json_is_rounded_and_not_a_number_is_null(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_json(path, {"f1": 0.123456, "none": math.nan, "deep": [(np.float64(0.99999), {"n": np.float64("nan")})]})
    assert read_json(path) == {"f1": 0.1235, "none": None, "deep": [[1.0, {"n": None}]]}
    assert path.read_text().endswith("}\n")


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinities_are_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "m.json", {"f1": value})
    assert names(tmp_path) == []


def test_rounding_leaves_integers_booleans_and_text_alone() -> None:
    assert rounded({"n": 12345678, "yes": True, "text": "0.123456"}) == {"n": 12345678, "yes": True, "text": "0.123456"}


def test_csv_has_unix_lines_and_no_index(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", pd.DataFrame({"a": [1 / 3], "b": ["x,y"]}))
    assert (tmp_path / "x.csv").read_bytes() == b'a,b\n0.3333,"x,y"\n'


def test_tables_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "mentions.parquet"
    write_table(path, frame(), MENTIONS)
    pd.testing.assert_frame_equal(read_table(path), frame(), check_dtype=False)
    assert list(read_table(path, ["text", "start"])) == ["text", "start"]
    assert pa.parquet.read_schema(path).equals(MENTIONS)


def test_a_column_too_many_is_left_out(tmp_path: Path) -> None:
    write_table(tmp_path / "t", frame(extra=[1]), MENTIONS)
    assert list(read_table(tmp_path / "t")) == MENTIONS.names


@pytest.mark.parametrize(
    "wrong",
    [
        frame().drop(columns="label"),
        frame(start=["zero"]),
        frame(start=[0.5]),
        frame(start=[2**40]),
        frame(text=[None]),
        frame(aligned=["yes"]),
    ],
    ids=["missing", "text for number", "fraction", "overflow", "null", "text for flag"],
)
def test_a_frame_that_does_not_fit_its_schema_is_refused(tmp_path: Path, wrong: pd.DataFrame) -> None:
    write_table(tmp_path / "t", frame(), MENTIONS)
    before = (tmp_path / "t").read_bytes()
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError, KeyError, ValueError)):
        write_table(tmp_path / "t", wrong, MENTIONS)
    assert (tmp_path / "t").read_bytes() == before
    assert names(tmp_path) == ["t"]


def test_an_empty_table_keeps_its_schema(tmp_path: Path) -> None:
    empty = pd.DataFrame({name: [] for name in PREDICTIONS.names})
    write_table(tmp_path / "t", empty, PREDICTIONS)
    assert len(read_table(tmp_path / "t")) == 0
    assert pa.parquet.read_schema(tmp_path / "t").equals(PREDICTIONS)
