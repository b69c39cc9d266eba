"""Atomic, deterministic writing: the same content gives the same bytes, and nothing is half-written."""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

if TYPE_CHECKING:
    import pandas as pd
    from _typeshed import DataclassInstance


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces `path` when the block ends without an error.

    The file is flushed to the disk before it is renamed, so that a crash leaves either the old
    content or the new one. Who may read it is what the process's umask leaves to new files, and no
    more than the group and others could do with the file that it replaces.

    Parameters
    ----------
    path : Path
    private : bool
        Only the owner may read it, from the first byte on, whatever the umask.

    Raises
    ------
    OSError
        When `path` is no regular file: a device or a pipe (``/dev/stdout``) would be gone for everybody.
    """
    _refuse_device(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    # The mode is given to open(2), which takes the umask away by itself: a process cannot ask for
    # its umask without changing it for all its threads, and a chmod afterwards comes too late.
    mode = 0o600 if private else 0o666 & _allowed(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_beside(path: Path, *, private: bool = False) -> Path:
    """Make an empty hidden folder beside `path`, to be filled and renamed to it; modes as for `replacing`."""
    folder = _beside(path)
    folder.mkdir(0o700 if private else 0o777)
    return folder


def _beside(path: Path) -> Path:
    """Name what will replace `path`: hidden, in the same folder, and nobody else's."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _refuse_device(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # it is not there yet; whatever else is wrong, opening the temporary file says
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "is a device or a pipe: name a file", str(path))


def _allowed(path: Path) -> int:
    """Return the mode that a file in place of `path` may have at most; its owner loses nothing."""
    try:
        present = path.lstat().st_mode
    except FileNotFoundError:
        return 0o777
    return stat.S_IMODE(present) | stat.S_IRWXU if stat.S_ISREG(present) else 0o777


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Write `text` as UTF-8; `private` as for `replacing`."""
    with replacing(path, private=private) as file:
        file.write(text.encode("utf-8"))


def rounded(value: Any, digits: int = 4) -> Any:
    """Round every float inside nested dicts and lists; NaN becomes None."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, digits)
    return value


def write_json(path: Path, data: Any, *, digits: int = 4) -> None:
    """Write `data` as JSON, floats rounded to `digits` decimals.

    NaN and infinities are refused by the encoder: a metric that could not be computed is `null`.
    """
    text = json.dumps(rounded(data, digits), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def parse_yaml(content: str | bytes, loader: type[yaml.SafeLoader | yaml.CSafeLoader] = yaml.SafeLoader) -> Any:
    """Read YAML; libyaml's `loader` is ten times as fast and says less exactly where a fault is.

    Raises
    ------
    yaml.YAMLError
        Also where the parser lets through what Python raises of values that do not fit their type (``!!bool x``,
        the 45th of a month) or are nested too deeply.
    """
    try:
        return yaml.load(content, Loader=loader)  # noqa: S506 (both are safe)
    except (ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise yaml.YAMLError("a value does not fit its type, or is nested too deeply") from error


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_csv(path: Path, frame: pd.DataFrame, *, digits: int = 4, private: bool = False) -> None:
    """Write `frame` as CSV, floats rounded to `digits` decimals; `private` as for `replacing`."""
    write_text(path, frame.round(digits).to_csv(index=False, lineterminator="\n"), private=private)


def write_table(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> None:
    """Write `frame` as Parquet with exactly the columns and types of `schema`.

    Raises
    ------
    pyarrow.ArrowException, ValueError, KeyError
        When a column is missing, does not fit its type, or has nulls where none may be.
    """
    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    with replacing(path) as file:
        pq.write_table(table.replace_schema_metadata(None), file, compression="zstd")


def save_arrays(folder: Path, holder: DataclassInstance) -> None:
    """Write each array of a dataclass as ``<field>.npy``; no pickle."""
    for field in fields(holder):
        with replacing(folder / f"{field.name}.npy") as file:
            np.save(file, getattr(holder, field.name), allow_pickle=False)


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table (all columns, or only `columns`)."""
    frame: pd.DataFrame = pq.read_table(path, columns=columns, use_threads=False).to_pandas()
    return frame
