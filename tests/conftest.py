"""Repositories that several rooms of the tests share. Copy one before you change anything in it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.repository import LIGHT, WIDE, Repository, clone, copy, from_working_tree

# A slow machine is no fault of the code; and CI must say the same of the same commit twice, while a person's run
# looks for new counter-examples.
settings.register_profile("machine", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("machine")

# Run in the background by a shell, the tests would ignore SIGINT, and all they start too: nothing could be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repositories")


@pytest.fixture(scope="session")
def source(workshop: Path) -> Repository:
    """The working tree, committed; no data."""
    target = workshop / "source"
    target.mkdir()
    return from_working_tree(target)


@pytest.fixture(scope="session")
def reproduced(source: Repository, workshop: Path) -> Repository:
    """A clone with the bundled data and the whole graph run in it, as the parameters say; nothing committed."""
    repository = clone(source, workshop / "reproduced")
    repository.fetch_seed()
    repository.settings(**WIDE).dvc("repro", "--force", timeout=600)
    return repository


@pytest.fixture(scope="session")
def light(source: Repository, workshop: Path) -> Repository:
    """A clone with the graph run with parameters that take little time, and committed."""
    repository = clone(source, workshop / "light")
    repository.fetch_seed()
    repository.set_params(*LIGHT)
    repository.dvc("repro", timeout=1200)
    repository.commit("Parameters that take little time")
    return repository


GRID = ("train.crf.iterations=1,3", "train.crf.aggressiveness=0.5,1.0")


@pytest.fixture(scope="session")
def grid(light: Repository, workshop: Path) -> Repository:
    """Four experiments, queued by one command and run by two workers, as the guide says; none of them applied."""
    repository = copy(light, workshop / "grid")
    repository.dvc("exp", "run", "--queue", *[word for setting in GRID for word in ("-S", setting)])
    try:
        repository.dvc("queue", "start", "--jobs", "2", timeout=900)  # ends when its workers do
        states = repository.wait_for_queue(900)
    finally:
        repository.dvc("queue", "stop", "--kill")
    failed = [name for name, state in states.items() if state != "Success"]
    assert len(states) == 4
    assert not failed, "\n".join(repository.dvc("queue", "logs", name).text for name in failed)
    return repository
