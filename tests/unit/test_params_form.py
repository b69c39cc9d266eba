"""params.yaml stands as DVC writes it: `dvc exp run -S` changes the line of the value and no other."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from tests.repository import ROOT

PARAMS = ROOT / "params.yaml"


def leaves(section: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """List every value that is no mapping, by its path."""
    if isinstance(section, dict):
        for key, value in section.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, section


VALUES = dict(leaves(yaml.safe_load(PARAMS.read_text(encoding="utf-8"))))


def overridden(folder: Path, *settings: str) -> list[str]:
    """Return the lines of params.yaml that `-S` takes away or brings, and leave the new file in the folder."""
    copy = folder / "params.yaml"
    shutil.copy(PARAMS, copy)
    apply_overrides(copy, list(settings))
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (PARAMS, copy))
    return [line for line in difflib.ndiff(before, after) if line[0] in "+-"]


def test_what_dvc_writes_without_a_change_is_the_file(tmp_path: Path) -> None:
    assert overridden(tmp_path, f"train.seed={VALUES['train.seed']}") == []


@pytest.mark.parametrize("path", [path for path, value in VALUES.items() if not isinstance(value, list)])
def test_one_value_is_one_line(tmp_path: Path, path: str) -> None:
    value = VALUES[path]
    other = {bool: "null", int: "7001", float: "0.123", str: "other"}.get(type(value), "other")
    lines = overridden(tmp_path, f"{path}={other}")
    assert [line[0] for line in lines] == ["-", "+"]
    comments = ["#".join(line.split("#")[1:]) for line in lines]
    assert comments[0] == comments[1]


def comments(path: Path) -> list[str]:
    """List the comments of a YAML file; none of its values holds a hash."""
    return [line.split("#", 1)[1] for line in path.read_text(encoding="utf-8").splitlines() if "#" in line]


@pytest.mark.parametrize("path", [path for path, value in VALUES.items() if isinstance(value, list)])
@pytest.mark.parametrize("other", [[], [7001], [7001, 7002, 7003]])
def test_any_list_leaves_a_file_that_can_be_read_and_every_comment(tmp_path: Path, path: str, other: list[int]) -> None:
    # A comment behind the key of a list that is emptied makes DVC write `train: family: crf`, which is no YAML.
    overridden(tmp_path, f"{path}={other}")
    written = dict(leaves(yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))))
    assert written == {**VALUES, path: other}
    assert comments(tmp_path / "params.yaml") == comments(PARAMS)


def test_a_longer_list_is_one_more_line_and_keeps_its_comment(tmp_path: Path) -> None:
    lines = overridden(tmp_path, f"featurize.clusters={[*VALUES['featurize.clusters'], 7001]}")
    assert lines == ["+   - 7001"]


def test_a_shorter_list_keeps_the_comment_above_it(tmp_path: Path) -> None:
    lines = overridden(tmp_path, f"featurize.clusters={VALUES['featurize.clusters'][:-1]}")
    assert lines == [f"-   - {VALUES['featurize.clusters'][-1]}"]
