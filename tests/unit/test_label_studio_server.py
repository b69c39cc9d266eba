"""What Label Studio is started with, and is told to show."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from defusedxml import ElementTree

from annotation.label_studio.server import ROOT, environment, has_account
from tests.labels import LABELS

CLOSED = "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK"


def database(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "label_studio.sqlite3")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


TABLE = "CREATE TABLE htx_user (id INTEGER)"
CASES = {
    "an empty file": (),
    "not migrated yet": ("CREATE TABLE other (id INTEGER)",),
    "nobody": (TABLE,),
    "somebody": (TABLE, "INSERT INTO htx_user VALUES (1)"),
}


@pytest.mark.parametrize("case", CASES)
def test_signing_up_ends_with_the_first_account(tmp_path: Path, case: str) -> None:
    database(tmp_path, *CASES[case])
    known = case == "somebody"
    assert has_account(tmp_path) == known
    assert environment(tmp_path)[CLOSED] == ("true" if known else "false")


def test_who_is_named_in_the_environment_is_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_USERNAME", "ann@example.org")
    assert environment(tmp_path)[CLOSED] == "true"


def test_before_the_first_start_nobody_has_one(tmp_path: Path) -> None:
    assert not has_account(tmp_path / "missing")


@pytest.mark.parametrize(
    ("name", "labels"),
    [("config.xml", LABELS), ("adjudication.xml", (*LABELS, *(f"{label}?" for label in LABELS)))],
)
def test_the_pages_can_be_read_and_know_our_labels(name: str, labels: tuple[str, ...]) -> None:
    page = ElementTree.parse(ROOT / "annotation/label_studio" / name)
    assert [label.get("value") for label in page.iter("Label")] == list(labels)
