"""What breaks on the way to the storage: a clear sentence, and a state from which the same command succeeds.

Every object is checked against its MD5, on both sides, after every fault.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.faults import processes_in, resize, small_disk, started
from tests.repository import DEAD, ROOT, Repository, Result, introduce, object_faults
from tests.servers import PATIENT, SECRET, ObjectStore, object_store

pytestmark = pytest.mark.slow

FILES, SIZE = 120, 40_000
PUSH = ("python", "-m", "delivery.push", "--timeout", "60")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    with object_store(tmp_path / "s3") as started:
        yield started


@pytest.fixture
def ward(tmp_path: Path, store: ObjectStore) -> Repository:
    """A DVC repository with many files of data and nothing pushed yet; the commands of this project run in it."""
    root = tmp_path / "ward"
    root.mkdir()
    repository = Repository(root).settings(PYTHONPATH=str(ROOT), **store.environment())
    repository.git("init", "--quiet", "--initial-branch", "main")
    introduce(repository)
    repository.dvc("init", "--quiet")
    shutil.copy(ROOT / ".dvc/config", root / ".dvc/config")
    (root / "notes").mkdir()
    for number in range(FILES):
        (root / "notes" / f"{number}.bin").write_bytes(random.Random(number).randbytes(SIZE))
    repository.dvc("add", "--quiet", "notes")
    return repository


def cached(repository: Repository) -> set[str]:
    folder = repository.root / ".dvc/cache/files/md5"
    return {path.parent.name + path.name for path in folder.rglob("*") if path.is_file()}


def push_completes(ward: Repository, store: ObjectStore) -> None:
    ward.settings(**PATIENT).run(*PUSH)
    assert store.objects() == cached(ward)
    assert not object_faults(store.storage)
    assert not object_faults(ward.root / ".dvc/cache")


def wait_for_objects(store: ObjectStore, count: int, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 120
    while not (store.storage / "files").exists() or len(store.objects()) < count:
        assert process.poll() is None, f"it ended before: {process.communicate()[0]}"
        assert time.monotonic() < limit, "nothing arrives"
        time.sleep(0.005)


# ---- a server that refuses or is not there --------------------------------------------------------


@contextmanager
def expired(code: str) -> Iterator[str]:
    """Answer everything as S3 does when the session has expired."""

    class Handler(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<Error><Code>{code}</Code><Message>The provided token has expired.</Message></Error>"
            self.send_response(400)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        do_GET = do_HEAD = do_PUT = do_POST = refuse  # noqa: N815  # the names of http.server

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refused(ward: Repository, store: ObjectStore, words: str, **settings: str) -> None:
    result = ward.settings(**settings).run(*PUSH, timeout=120, fails=True)
    assert result.status == 2
    assert words in result.err
    assert "Traceback" not in result.err
    assert SECRET not in result.text
    push_completes(ward, store)


def test_wrong_keys(ward: Repository, store: ObjectStore) -> None:
    refused(ward, store, "refuses the keys", AWS_SECRET_ACCESS_KEY="wrong")


def test_no_server(ward: Repository, store: ObjectStore) -> None:
    refused(ward, store, "does not answer", AWS_ENDPOINT_URL=DEAD)


def test_no_bucket(ward: Repository, store: ObjectStore) -> None:
    config = ward.text(".dvc/config")
    (ward.root / ".dvc/config").write_text(config.replace("s3://behealthy/", "s3://elsewhere/"), encoding="utf-8")
    result = ward.run(*PUSH, fails=True)
    assert "the bucket does not exist" in result.err
    (ward.root / ".dvc/config").write_text(config, encoding="utf-8")
    push_completes(ward, store)


def test_an_expired_session(ward: Repository, store: ObjectStore) -> None:
    with expired("ExpiredToken") as url:
        refused(ward, store, "session has expired", AWS_ENDPOINT_URL=url, AWS_SESSION_TOKEN="old")


# ---- in the middle of it --------------------------------------------------------------------------


def test_a_server_that_dies_in_mid_push(ward: Repository, store: ObjectStore) -> None:
    process = started(ward, "python", "-m", "delivery.push", "--timeout", "20")
    wait_for_objects(store, 10, process)
    store.server.kill()
    before = time.monotonic()
    said, _ = process.communicate(timeout=60)
    print(f"given up after {time.monotonic() - before:.1f} s")
    assert process.returncode == 2
    assert "the same command sends the rest" in said
    assert not object_faults(store.storage)
    arrived = len(store.objects())
    assert arrived <= FILES
    store.server.start()
    push_completes(ward, store)


def test_a_push_that_is_killed(ward: Repository, store: ObjectStore) -> None:
    for count in (1, 30, 60):
        process = started(ward, *PUSH)
        wait_for_objects(store, count, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        for child in processes_in(ward.root):  # its own process group: what a runner's end takes with it
            os.kill(child, signal.SIGKILL)
        assert not object_faults(store.storage)
    push_completes(ward, store)


def test_an_interrupted_push_leaves_no_process_behind(ward: Repository, store: ObjectStore) -> None:
    process = started(ward, *PUSH)
    wait_for_objects(store, 1, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode
    assert not processes_in(ward.root)
    push_completes(ward, store)


# ---- a full disk ----------------------------------------------------------------------------------


def test_a_disk_that_is_full_in_mid_pull(ward: Repository, store: ObjectStore, tmp_path: Path) -> None:
    push_completes(ward, store)
    ward.commit("Notes")
    disk = tmp_path / "disk"
    with small_disk(disk, FILES * SIZE // 2):
        ward.git("clone", "--quiet", str(ward.root), str(disk / "clone"))
        newcomer = Repository(disk / "clone", {**ward.environment, "DVC_SITE_CACHE_DIR": str(tmp_path / "site")})
        result = pull(newcomer, fails=True)
        assert "No space left on device" in result.text
        assert not object_faults(newcomer.root / ".dvc/cache")
        resize(disk, 3 * FILES * SIZE)
        pull(newcomer)
        assert cached(newcomer) == cached(ward)
        assert not object_faults(newcomer.root / ".dvc/cache")
        assert contents(newcomer) == contents(ward)


def pull(repository: Repository, *, fails: bool = False) -> Result:
    return repository.dvc("pull", fails=fails)


def contents(repository: Repository) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (repository.root / "notes").iterdir()}


def test_a_storage_that_is_full(ward: Repository, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", FILES * SIZE // 2), object_store(tmp_path / "disk/s3") as small:
        there = ward.settings(**small.environment())
        result = there.run("python", "-m", "delivery.push", "--timeout", "60", timeout=120, fails=True)
        assert "the same command sends the rest" in result.err
        assert not object_faults(small.storage)
        resize(tmp_path / "disk", 3 * FILES * SIZE)
        push_completes(there, small)
