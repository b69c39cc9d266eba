"""`storage` on a real S3 server: what is pushed arrives whole, what `bundled` lacks comes from it, faults are loud."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository import SEED, Repository, add_batch, clone, copy, lend_environment, object_faults, write_notes
from tests.servers import SECRET, ObjectStore, object_store

PATIENCE = 60  # seconds in which a command against a broken server has to give up


@pytest.fixture(scope="module")
def server(workshop: Path) -> Iterator[ObjectStore]:
    with object_store(workshop / "s3") as started:
        yield started


@pytest.fixture(scope="module")
def publisher(light: Repository, server: ObjectStore, workshop: Path) -> Repository:
    """A repository with a batch that `bundled` does not have; everything is pushed and committed."""
    repository = copy(light, workshop / "publisher").settings(**server.environment())
    write_notes(workshop / "published.jsonl", 12)
    add_batch(repository, workshop / "published.jsonl", "published")
    repository.commit("A batch that is not bundled")
    repository.dvc("push", timeout=PATIENCE)
    return repository


def pointed_at(repository: Repository) -> set[str]:
    """Return the MD5 of every cached output in dvc.lock and the .dvc files."""
    outs = [out for stage in repository.yaml("dvc.lock")["stages"].values() for out in stage["outs"]]
    cached = {out["md5"] for out in outs if not out["path"].startswith("metrics/")}
    return cached | {repository.yaml(name)["outs"][0]["md5"] for name in SEED}


def test_everything_arrives_and_every_object_has_its_hash(publisher: Repository, server: ObjectStore) -> None:
    folders = {name for name in pointed_at(publisher) if name.endswith(".dir")}
    listed = {
        entry["md5"] for name in folders for entry in publisher.json(f".dvc/cache/files/md5/{name[:2]}/{name[2:]}")
    }
    assert server.objects() == pointed_at(publisher) | listed
    assert not object_faults(server.storage)


def test_a_push_writes_nothing_into_git(publisher: Repository, server: ObjectStore) -> None:
    bundled = publisher.root / "data" / "bundled"
    before = {path: path.stat().st_mtime_ns for path in bundled.rglob("*")}
    publisher.dvc("push", timeout=PATIENCE)
    assert {path: path.stat().st_mtime_ns for path in bundled.rglob("*")} == before
    assert not publisher.changes()


def test_make_data_takes_from_storage_what_is_not_bundled(
    publisher: Repository, server: ObjectStore, tmp_path: Path
) -> None:
    newcomer = clone(publisher, tmp_path / "newcomer").settings(**server.environment())
    lend_environment(newcomer)
    output = newcomer.run("make", "data", timeout=PATIENCE).out
    assert re.search(r"\b2 annotation batches\b", output)
    published = "data/annotations/published/export/published.jsonl"
    assert newcomer.text(published) == publisher.text(published)
    assert not newcomer.changes()


def test_the_bundled_seed_need_not_be_in_storage(publisher: Repository, server: ObjectStore, tmp_path: Path) -> None:
    """A team's bucket holds what the team pushed, perhaps only its own batch."""
    with object_store(tmp_path / "s3") as other:
        shutil.copytree(server.storage, other.storage)
        incoming = publisher.yaml("data/incoming.dvc")["outs"][0]["md5"]
        (other.storage / "files" / "md5" / incoming[:2] / incoming[2:]).unlink()
        newcomer = clone(publisher, tmp_path / "newcomer").settings(**other.environment())
        lend_environment(newcomer)
        newcomer.run("make", "data", timeout=PATIENCE)
        assert newcomer.text("data/incoming/notes.jsonl") == publisher.text("data/incoming/notes.jsonl")


def test_pulling_everything_leaves_nothing_to_run(
    light: Repository, server: ObjectStore, publisher: Repository, tmp_path: Path
) -> None:
    """The commit before the new batch: `publisher` pushed its outputs too."""
    newcomer = clone(light, tmp_path / "newcomer").settings(**server.environment())
    newcomer.dvc("fetch", "--remote", "bundled", *SEED)  # the old folder of batches was never pushed
    newcomer.dvc("pull", timeout=PATIENCE)
    assert not object_faults(newcomer.root / ".dvc" / "cache")
    assert "Data and pipelines are up to date." in newcomer.dvc("repro").out
    assert not newcomer.changes()


COMMANDS = [("push",), ("fetch", "models"), ("pull", "data/annotations.dvc")]


def with_something_to_transfer(light: Repository, command: tuple[str, ...], target: Path) -> Repository:
    return copy(light, target) if command == ("push",) else clone(light, target)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_wrong_keys_are_refused(
    light: Repository, server: ObjectStore, tmp_path: Path, command: tuple[str, ...]
) -> None:
    repository = with_something_to_transfer(light, command, tmp_path / "lab")
    wrong = repository.settings(**{**server.environment(), "AWS_SECRET_ACCESS_KEY": "wrong"})
    before = server.objects()
    result = wrong.dvc(*command, timeout=PATIENCE, fails=True)
    assert "403" in result.text
    assert SECRET not in result.text
    assert server.objects() == before


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_an_absent_server_is_said_and_not_waited_for(
    light: Repository, tmp_path: Path, command: tuple[str, ...]
) -> None:
    repository = with_something_to_transfer(light, command, tmp_path / "lab")
    result = repository.dvc(*command, timeout=PATIENCE, fails=True)
    assert "Could not connect to the endpoint" in result.text


def test_what_was_damaged_in_storage_is_not_checked_out(
    publisher: Repository, server: ObjectStore, tmp_path: Path
) -> None:
    with object_store(tmp_path / "s3") as other:
        shutil.copytree(server.storage, other.storage)
        damaged = other.storage / "files" / "md5" / damage_target(publisher)
        damaged.write_bytes(damaged.read_bytes().replace(b"case", b"CASE", 1))
        newcomer = clone(publisher, tmp_path / "newcomer").settings(**other.environment())
        lend_environment(newcomer)
        result = newcomer.run("make", "data", timeout=PATIENCE, fails=True)
        assert "neither the bundled remote nor storage" in result.text
        assert not (newcomer.root / "data/annotations/published/export/published.jsonl").exists()


def damage_target(publisher: Repository) -> str:
    folder = publisher.yaml("data/annotations.dvc")["outs"][0]["md5"]
    listed = publisher.json(f".dvc/cache/files/md5/{folder[:2]}/{folder[2:]}")
    md5 = next(entry["md5"] for entry in listed if entry["relpath"].endswith("published.jsonl"))
    return f"{md5[:2]}/{md5[2:]}"
