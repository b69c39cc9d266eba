"""Many rows into a table, cheaper than a value at a time: by `COPY` on PostgreSQL, by one statement on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.exc import OperationalError


def insert_rows(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows within the transaction of a connection.

    Parameters
    ----------
    connection : Connection
    table : Table
        Of columns that the driver takes as they are: whole numbers, floats, strings, booleans.
    rows : iterable of sequences
        A value for every column, in the order of the table.

    Raises
    ------
    DBAPIError
        As with any other statement.
    """
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    elif listed := [tuple(row) for row in rows]:
        connection.exec_driver_sql(_statement(table, connection.dialect), listed)


@lru_cache(maxsize=8)
def _statement(table: Table, dialect: Dialect) -> str:
    return str(insert(table).compile(dialect=dialect))


def _copy(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    import psycopg

    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in table.columns)
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {quote(table.name)} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise OperationalError("COPY", None, error, hide_parameters=True) from None
