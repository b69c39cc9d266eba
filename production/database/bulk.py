"""Many rows into a table, cheaper than a value at a time: binary `COPY` on PostgreSQL, one statement on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Connection, DateTime, Dialect, Float, Integer, String, Table, insert
from sqlalchemy.exc import OperationalError

_TYPES: dict[type, str] = {
    BigInteger: "int8",
    Boolean: "bool",
    DateTime: "timestamptz",
    Float: "float8",
    Integer: "int4",
    JSON: "json",
    String: "varchar",
}
"""What PostgreSQL calls types of columns; of binary rows it converts nothing."""


def insert_rows(
    connection: Connection, table: Table, rows: Iterable[Sequence[Any]], columns: Sequence[str] | None = None
) -> None:
    """Insert rows within the transaction of a connection.

    Parameters
    ----------
    connection : Connection
    table : Table
    rows : iterable of sequences
        A value for every column, in their order.
    columns : sequence of str, optional
        Those that rows have values for; all of the table.

    Raises
    ------
    DBAPIError
        As with any other statement.
    """
    names = tuple(columns or table.columns.keys())
    made = _for_driver(table, names, connection.dialect, rows)
    if connection.dialect.name == "postgresql":
        _copy(connection, table, names, made)
    elif listed := list(made):
        connection.exec_driver_sql(_statement(table, names, connection.dialect), listed)


def _for_driver(
    table: Table, names: Sequence[str], dialect: Dialect, rows: Iterable[Sequence[Any]]
) -> Iterable[Sequence[Any]]:
    """Return rows as the driver takes them: whole numbers, floats, strings and booleans are that already."""
    changed = [
        (place, process)
        for place, name in enumerate(names)
        if isinstance(table.c[name].type, JSON | DateTime)
        and (process := table.c[name].type.dialect_impl(dialect).bind_processor(dialect))
    ]
    return (_changed(row, changed) for row in rows) if changed else map(tuple, rows)


def _changed(row: Sequence[Any], changed: Iterable[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for place, process in changed:
        values[place] = process(values[place])
    return tuple(values)


@lru_cache(maxsize=8)
def _statement(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    return str(insert(table).compile(dialect=dialect, column_keys=names))


def _copy(connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    import psycopg

    quote = connection.dialect.identifier_preparer.quote
    statement = f"COPY {quote(table.name)} ({', '.join(map(quote, names))}) FROM STDIN (FORMAT binary)"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([_TYPES[type(table.c[name].type)] for name in names])
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise OperationalError("COPY", None, error, hide_parameters=True) from None
