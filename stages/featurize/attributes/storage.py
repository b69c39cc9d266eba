"""What was collected of the training text, as Parquet tables: hashes, and the names that may be kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.common.checked import ModelError, ascending, read_columns, require
from stages.common.files import write_table
from stages.featurize.attributes import kernels
from stages.featurize.attributes.casing import Casing
from stages.featurize.attributes.forms import Symbols
from stages.featurize.attributes.index import AttributeIndex
from stages.featurize.attributes.lookup import HIDDEN, Lookup, Words
from stages.featurize.attributes.parts import AttributeParts
from stages.featurize.attributes.words import OFFSETS

if TYPE_CHECKING:
    import pandas as pd

_Keys = NDArray[np.uint64]
_Columns = dict[str, NDArray[Any]]


def _given(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_KEY, _ROW = _given("key", pa.uint64()), _given("row", pa.int32())
_TABLES = {
    "names.parquet": pa.schema([_KEY, pa.field("name", pa.string()), _given("offset", pa.int8()), _ROW]),
    "pairs.parquet": pa.schema([_KEY, _ROW]),
    "symbols.parquet": pa.schema([_given("kind", pa.int8()), _KEY, pa.field("symbol", pa.string())]),
    "words.parquet": pa.schema(
        [_KEY, pa.field("word", pa.string()), _given("clusters", pa.list_(_given("cluster", pa.string())))]
    ),
    "casing.parquet": pa.schema([_KEY, _given("capitals", pa.list_(_given("place", pa.int32())))]),
}
"""A name, symbol or word is null where only its hash is kept."""


def write_parts(folder: Path, parts: AttributeParts) -> None:
    """Write five tables."""
    import pandas as pd

    index, symbols, words = parts.index, parts.symbols, parts.words
    usual = parts.casing.usual
    assert isinstance(usual, Lookup)
    places, columns = np.nonzero(index.rows >= 0)
    order = np.argsort(index.rows[places, columns], kind="stable")
    places, columns = places[order], columns[order]
    texts = np.array(_shown(index.lookup), dtype=object)
    frames: dict[str, dict[str, Any]] = {
        "names.parquet": {
            "key": index.lookup.keys[places],
            "name": texts[places],
            "offset": np.array(OFFSETS, dtype=np.int8)[columns],
            "row": index.rows[places, columns],
        },
        "pairs.parquet": {"key": parts.pairs[0], "row": parts.pairs[1]},
        "symbols.parquet": {
            "kind": np.repeat(np.arange(len(symbols), dtype=np.int8), list(map(len, symbols))),
            "key": np.concatenate([known.keys for known in symbols]),
            "symbol": [text for known in symbols for text in _shown(known)],
        },
        "words.parquet": {
            "key": words.lookup.keys,
            "word": _shown(words.lookup),
            "clusters": _lists(words.clusters),
        },
        "casing.parquet": {"key": usual.keys, "capitals": _lists(parts.casing.capitals)},
    }
    for name, schema in _TABLES.items():
        write_table(folder / name, pd.DataFrame(frames[name]), schema)


def _lists(rows: Sequence[Sequence[object]]) -> pd.Series:
    import pandas as pd

    return pd.Series(list(map(list, rows)), dtype=object)  # no rows would make it a column of numbers


def _shown(lookup: Lookup) -> list[str | None]:
    return [text or None for text in lookup.texts]


def read_parts(folder: Path) -> AttributeParts:
    """Read what `write_parts` wrote.

    Raises
    ------
    ModelError
        When a table is missing, has other columns, or holds what cannot be.
    """
    tables = {name: read_columns(folder / name, schema) for name, schema in _TABLES.items()}
    index = _index(folder / "names.parquet", tables["names.parquet"])
    symbols = _symbols(folder / "symbols.parquet", tables["symbols.parquet"])
    pairs = _pairs(folder / "pairs.parquet", tables["pairs.parquet"], symbols)
    rows = np.sort(np.concatenate([index.rows[index.rows >= 0], pairs[1]]))
    require((rows == np.arange(len(rows))).all(), folder / "names.parquet", "and pairs.parquet number rows differently")
    words, casing = tables["words.parquet"], tables["casing.parquet"]
    lookup = _lookup(folder / "words.parquet", words, "word")
    capitals = _lookup(folder / "casing.parquet", casing, None)
    return AttributeParts(
        index,
        pairs,
        symbols,
        Words(lookup, [tuple(groups) for groups in words["clusters"]]),
        Casing(capitals, [tuple(where) for where in casing["capitals"]], lookup),
    )


def _lookup(path: Path, table: _Columns, column: str | None) -> Lookup:
    keys = table["key"]
    require(ascending(keys), path, "has keys out of order")
    return Lookup(keys, [HIDDEN] * len(keys) if column is None else _texts(table[column]))


def _texts(column: Iterable[str | None]) -> Sequence[str]:
    return [text or HIDDEN for text in column]


def _index(path: Path, table: _Columns) -> AttributeIndex:
    rows, offsets = table["row"], table["offset"]
    require(ascending(rows) and (rows >= 0).all(), path, "has rows out of order")
    require(np.isin(offsets, OFFSETS).all(), path, "has offsets that there are not")
    keys, first, places = np.unique(table["key"], return_index=True, return_inverse=True)
    columns = np.argsort(OFFSETS)[np.searchsorted(np.sort(OFFSETS), offsets)]
    at = np.full((len(keys), len(OFFSETS)), -1, dtype=np.int32)
    at[places, columns] = rows
    require(np.count_nonzero(at >= 0) == len(rows), path, "has an attribute twice")
    return AttributeIndex(Lookup(keys, _texts(table["name"][first])), at)


def _symbols(path: Path, table: _Columns) -> Symbols:
    kinds, keys = table["kind"], table["key"]
    require(np.isin(kinds, range(len(Symbols._fields))).all(), path, "has kinds of symbols that there are not")
    parts = [kinds == kind for kind in range(len(Symbols._fields))]
    try:
        return Symbols(*(Lookup(keys[part], _texts(table["symbol"][part])) for part in parts))
    except ValueError:
        raise ModelError(path, "has a symbol twice") from None


def _pairs(path: Path, table: _Columns, symbols: Symbols) -> tuple[_Keys, NDArray[np.int32]]:
    keys, rows = table["key"], table["row"]
    require(ascending(keys), path, "has keys out of order")
    require((rows >= 0).all(), path, "has rows below 0")
    kinds = (keys >> np.uint64(3 * kernels.SYMBOL_BITS)).astype(np.int64)
    require((kinds < len(kernels.KINDS)).all(), path, "has kinds of pairs that there are not")
    most = np.array([len(symbols[which]) for _, which in kernels.KINDS])[kinds]
    for shift in range(3):
        part = (keys >> np.uint64(shift * kernels.SYMBOL_BITS)) & np.uint64(kernels.MOST_SYMBOLS)
        require((part <= most.astype(np.uint64)).all(), path, "is made of symbols that there are not")
    return keys, rows
