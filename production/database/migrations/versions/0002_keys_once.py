"""On SQLite, mentions and pairs stand in the order of their keys, which are then kept once: half the file."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = ("mentions", "pairs")
BY_KEY = " WITHOUT ROWID"


def upgrade() -> None:
    """Bring the tables to this revision."""
    for table in TABLES:
        _make_anew(table, by_key=True)


def downgrade() -> None:
    """Bring the tables to the revision before."""
    for table in TABLES:
        _make_anew(table, by_key=False)


def _make_anew(table: str, *, by_key: bool) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).scalar_one()
    connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {table}_before")
    connection.exec_driver_sql(made + BY_KEY if by_key else made.removesuffix(BY_KEY))
    connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM {table}_before")  # noqa: S608 (names of ours)
    connection.exec_driver_sql(f"DROP TABLE {table}_before")
