"""Byte for byte: the same commit gives the same dvc.lock and metrics, whatever the machine is set to."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from tests.repository import LIGHT, NARROW, Repository, clone, copy


def difference(one: dict[str, bytes], other: dict[str, bytes]) -> str:
    """Return a unified diff of the files that differ; empty when none does."""
    lines: list[str] = []
    for name in sorted(one.keys() | other.keys()):
        before, after = (side.get(name, b"").decode().splitlines() for side in (one, other))
        lines += difflib.unified_diff(before, after, name, name, n=3, lineterm="")
    return "\n".join(lines[:200])


@pytest.fixture(scope="module")
def elsewhere(source: Repository, workshop: Path) -> Repository:
    """Another clone, at another path, on a machine set otherwise than that of `reproduced`."""
    repository = clone(source, workshop / "quite another place" / "of the same repository")
    repository.fetch_seed()
    repository.settings(**NARROW).dvc("repro", "--force", timeout=600)
    return repository


def test_two_clones_on_differently_set_machines_agree(reproduced: Repository, elsewhere: Repository) -> None:
    found = difference(reproduced.results(), elsewhere.results())
    assert not found, f"a stage depends on threads, hash seed, locale, time zone or path:\n{found}"


def test_a_second_forced_run_changes_nothing(light: Repository, tmp_path: Path) -> None:
    repository = copy(light, tmp_path / "light")
    repository.dvc("repro", "--force", timeout=600)
    found = difference(light.results(), repository.results())
    assert not found, f"a stage reads what it wrote before, or depends on threads, locale or time zone:\n{found}"
    assert not repository.changes()


def test_the_committed_lock_is_what_a_clone_reproduces(source: Repository, reproduced: Repository) -> None:
    """Guards against a stale dvc.lock: code, parameters or data changed, and nobody ran the graph."""
    found = difference(source.results(), reproduced.results())
    assert not found, (
        "dvc.lock or metrics/ of this tree are not what `dvc repro` makes of it: run `dvc repro` and commit them.\n"
        "Only when deps are the same below and the outs alone differ: floats may come out differently on another\n"
        "type of processor; reproduce both versions on one machine before you look for a fault.\n"
        f"{found}"
    )


def test_the_comparison_sees_one_byte() -> None:
    assert difference({"dvc.lock": b"a\nb\n"}, {"dvc.lock": b"a\nc\n"})
    assert difference({"dvc.lock": b"a\n"}, {})
    assert not difference({"dvc.lock": b"a\n"}, {"dvc.lock": b"a\n"})


def test_something_was_compared(reproduced: Repository, light: Repository) -> None:
    assert {"dvc.lock", "metrics/evaluation.json", "metrics/validation.json"} <= reproduced.results().keys()
    assert difference(reproduced.results(), light.results()), f"{LIGHT} changed no byte"


def test_data_comes_from_the_bundled_remote_with_its_hashes(reproduced: Repository) -> None:
    assert "data/annotations" not in reproduced.changes()
    assert not reproduced.dvc("status", "data/annotations.dvc", "data/incoming.dvc", "--quiet").text.strip()
