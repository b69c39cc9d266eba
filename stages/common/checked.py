"""Files of a model, read with a look at what is in them: a fault is one error that names the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from stages.common.errors import BeHealthyError

REMEDY = "Take the whole folder anew: `dvc checkout`, another download of the version, or `make repro`"


class ModelError(BeHealthyError):
    """A file of a model, or of learned attributes, that is missing or not what was saved.

    Parameters
    ----------
    path : Path
    problem : str
        What is wrong with it; never quotes its content.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}. {REMEDY}.")


class Header(BaseModel):
    """Base of what the JSON files of a model say: no other keys, no other types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


H = TypeVar("H", bound=Header)


def require(held: object, path: Path, problem: str) -> None:
    """Refuse a file unless what must hold of it does.

    Raises
    ------
    ModelError
        Names the file.
    """
    if not held:
        raise ModelError(path, problem)


def read_header(path: Path, kind: type[H]) -> H:
    """Read a JSON file.

    Raises
    ------
    ModelError
        When it is missing, is no JSON, or lacks a key, has another one, a value of another type or out of range.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'the file'}: {f['msg']}" for f in error.errors())
        raise ModelError(path, f"does not hold what a model says ({faults})") from None
    except OSError as error:
        raise ModelError(path, _unread(error)) from None


def read_array(path: Path, dtype: type[np.generic], shape: Sequence[int | None]) -> NDArray[Any]:
    """Read an array; no pickle is opened.

    Parameters
    ----------
    path : Path
    dtype : numpy type
    shape : sequence of int or None
        None: any length.

    Raises
    ------
    ModelError
        When it is missing, cut off, of another type or shape, or holds a number that is none or is infinite.
    """
    try:
        with path.open("rb") as file:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
            require(not file.read(1), path, "goes on behind its end")
    except OSError as error:
        raise ModelError(path, _unread(error)) from None
    except (ValueError, EOFError, MemoryError, OverflowError, TypeError, SyntaxError, TokenError):
        raise ModelError(path, "is no whole array of numbers") from None
    require(array.dtype == dtype, path, f"holds {array.dtype}, not {np.dtype(dtype)}")
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    wanted = " by ".join("any" if length is None else str(length) for length in shape)
    require(fits, path, f"has the shape {' by '.join(map(str, array.shape))}, not {wanted}")
    require(array.flags.c_contiguous, path, "is not laid out row by row")
    require(not np.issubdtype(dtype, np.floating) or np.isfinite(array).all(), path, "holds NaN or infinity")
    return np.asarray(array)


def read_columns(path: Path, schema: pa.Schema) -> dict[str, NDArray[Any]]:
    """Read a Parquet table that has exactly the columns of `schema`, without pandas: a model is loaded sooner.

    Raises
    ------
    ModelError
        When it is missing, cut off, has other columns or types, or nulls where none may be.
    """
    try:
        with pq.ParquetFile(path) as file:  # `read_table` loads pandas
            table = file.read(use_threads=False)
        table.validate(full=True)
    except (OSError, pa.ArrowException, ValueError) as error:
        problem = _unread(error) if isinstance(error, OSError) and error.errno else "is no whole Parquet table"
        raise ModelError(path, problem) from None
    require(table.schema.equals(schema), path, "has other columns than a model")
    for field in schema:
        require(field.nullable or not table[field.name].null_count, path, f"lacks values of `{field.name}`")
    return {field.name: _column(table[field.name]) for field in schema}


def _column(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column as an array of its own type, or of objects; `to_numpy` loads pandas."""
    if pa.types.is_integer(column.type):
        return np.array(np.from_dlpack(column.combine_chunks()))  # a copy, which may be written to
    return np.fromiter(column.to_pylist(), dtype=object, count=len(column))


def _unread(error: OSError) -> str:
    return (
        "is missing"
        if isinstance(error, FileNotFoundError | NotADirectoryError)
        else f"cannot be read: {error.strerror}"
    )


def ascending(keys: NDArray[Any]) -> bool:
    """Tell whether keys ascend, none of them twice.

    >>> ascending(np.array([1, 2])), ascending(np.array([1, 1]))
    (True, False)
    """
    return bool((keys[1:] > keys[:-1]).all())
