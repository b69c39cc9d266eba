"""What Label Studio is started with, and is told to show."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from defusedxml import ElementTree

from annotation.label_studio.interface import configuration, write_interface
from annotation.label_studio.server import ROOT, environment, has_account
from stages.common.labels import load_labels
from tests.labels import ONE, THREE

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
    [("config.xml", load_labels(ROOT / "params.yaml")), ("config.xml", ONE), ("adjudication.xml", THREE)],
)
def test_the_pages_can_be_read_and_know_the_labels(tmp_path: Path, name: str, labels: tuple[str, ...]) -> None:
    write_interface(labels, tmp_path)
    found = list(ElementTree.parse(tmp_path / name).iter("Label"))
    disputed = [f"{label}?" for label in labels] if name == "adjudication.xml" else []
    assert [label.get("value") for label in found] == [*labels, *disputed]
    assert [label.get("hotkey") for label in found[: len(labels)]] == [str(n + 1) for n in range(len(labels))]
    colours = [label.get("background") for label in found]
    assert len(set(colours)) == len(colours)


def test_more_labels_than_keys_and_colours_are_all_there() -> None:
    labels = [f"Label{number}" for number in range(12)]
    found = list(ElementTree.fromstring(configuration(labels)).iter("Label"))
    assert [label.get("value") for label in found] == labels
    assert [label.get("hotkey") for label in found[9:]] == ["0", None, None]


def test_the_pages_in_git_are_of_the_labels_of_the_project(tmp_path: Path) -> None:
    write_interface(load_labels(ROOT / "params.yaml"), tmp_path)
    for name in ("config.xml", "adjudication.xml"):
        kept = (ROOT / "annotation/label_studio" / name).read_text(encoding="utf-8")
        assert kept == (tmp_path / name).read_text(encoding="utf-8"), "run python -m annotation.label_studio.interface"
