"""Real servers on free ports of the loopback, each ended by its own process: S3, Postgres, MLflow."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.repository import BIN, ROOT

KEY, SECRET = "behealthy", "not-a-real-secret"
_UNPRIVILEGED = "nobody"  # initdb refuses root


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server of its own process group; the port stays its own over restarts.

    Parameters
    ----------
    command : list of str
        `{port}` in it is replaced.
    log : Path
        Where both its streams go.
    environment : dict
        All of its environment but PATH.
    user : str or None
        Whose process it is, where this one's is root.
    answers : callable, optional
        Given the port: whether what listens there answers yet.
    """

    command: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    answers: Callable[[int], bool] = lambda _: True
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, patience: float = 30) -> None:
        """Start the server and wait until it takes connections."""
        command = [part.replace("{port}", str(self.port)) for part in self.command]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env={"PATH": f"{BIN}:{os.environ['PATH']}", **self.environment},
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=self.user,
                group=None if self.user is None else "nogroup",
                extra_groups=None if self.user is None else [],
                start_new_session=True,
            )
        self._wait(patience)

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        """Ask the server to end; kill it when it does not within ten seconds."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.kill()

    def kill(self) -> None:
        """End the server and its workers at once, as a power cut would."""
        assert self.process is not None
        with suppress(ProcessLookupError):  # its own session: nobody else's processes are in the group
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        limit = time.monotonic() + 10
        while self._listens() and time.monotonic() < limit:  # its workers are not this process's children to wait for
            time.sleep(0.02)

    def _wait(self, patience: float) -> None:
        assert self.process is not None
        limit = time.monotonic() + patience
        while time.monotonic() < limit and self.process.poll() is None:
            if self._listens() and self.answers(self.port):
                return
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"{self.command[0]} did not start: {self.log.read_text()[-3000:]}")

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


@contextmanager
def running(server: Server, patience: float = 30, with_signal: int = signal.SIGTERM) -> Iterator[Server]:
    """Start a server, and end it with the block."""
    server.start(patience)
    try:
        yield server
    finally:
        server.stop(with_signal)


@dataclass(frozen=True)
class ObjectStore:
    """An S3 server; the buckets `behealthy` (data) and `mlflow` (artifacts) are folders of `folder`."""

    server: Server
    folder: Path

    @property
    def url(self) -> str:
        return f"http://{self.server.address}"

    @property
    def storage(self) -> Path:
        """What it keeps under the `url` of the remote `storage` in .dvc/config."""
        return self.folder / "behealthy" / "dvc"

    def environment(self) -> dict[str, str]:
        """What a user sets to reach it: nothing is written into the repository."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    def objects(self) -> set[str]:
        """Return the MD5 of everything DVC keeps there; directories as `….dir`."""
        folder = self.storage / "files" / "md5"
        return {path.parent.name + path.name for path in folder.rglob("[!.]*") if path.is_file()}


PATIENT = {"AWS_MAX_ATTEMPTS": "5"}
"""As people have it: a busy server answers 500 now and then."""


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """Serve two empty buckets from a folder that is not there yet."""
    for bucket in ("behealthy", "mlflow"):
        (folder / bucket).mkdir(parents=True)
    rclone = [str(BIN / "rclone"), "serve", "s3", str(folder), "--addr", "127.0.0.1:{port}"]
    server = Server(
        [*rclone, "--auth-key", f"{KEY},{SECRET}"],
        folder.parent / f"{folder.name}.log",
        {"HOME": str(folder.parent), "RCLONE_CONFIG": ""},
    )
    with running(server):
        yield ObjectStore(server, folder)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a new, empty Postgres; yield the SQLAlchemy address of its database."""
    with postgres_server() as (_, url):
        yield url


@contextmanager
def postgres_server() -> Iterator[tuple[Server, str]]:
    """Run a new, empty Postgres; yield it, and the SQLAlchemy address of its database.

    The test that asks is skipped where there is no Postgres; `make e2e-delivery` refuses to start there.
    """
    found = subprocess.run([ROOT / ".ci/find-postgres"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(found.stderr.strip())
    programs = Path(found.stdout.strip())
    # Not below pytest's folders, which only their owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="behealthy-postgres-"))
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    try:
        (folder / "password").write_text(SECRET)
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        _initialise(programs, folder, user)
        options = "listen_addresses=127.0.0.1 unix_socket_directories= fsync=off".split()
        command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", "{port}"]
        command += [word for option in options for word in ("-c", option)]
        server = Server(command, folder / "log", user=user, answers=_is_up)
        with running(server, with_signal=signal.SIGINT):  # a "fast" shutdown: connections are closed
            yield server, f"postgresql+psycopg://{KEY}:{SECRET}@{server.address}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_up(port: int) -> bool:
    """Return whether Postgres takes connections: it listens a moment before."""
    with suppress(psycopg.OperationalError):
        psycopg.connect(f"postgresql://{KEY}:{SECRET}@127.0.0.1:{port}/postgres").close()
        return True
    return False


def _initialise(programs: Path, folder: Path, user: str | None) -> None:
    options = f"--username={KEY} --auth=scram-sha-256 --encoding=UTF8 --no-locale --no-sync --no-instructions".split()
    subprocess.run(
        [programs / "initdb", *options, f"--pwfile={folder / 'password'}", folder / "data"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        user=user,
        capture_output=True,
        check=True,
    )


@dataclass(frozen=True)
class TrackingServer:
    """An MLflow server."""

    server: Server

    def crash(self) -> None:
        """End it at once; `restart` it on the same port."""
        self.server.kill()

    def restart(self) -> None:
        self.server.start(patience=180)  # on a new database it migrates first
        with urllib.request.urlopen(f"{self.uri}/health", timeout=60) as answer:
            assert answer.read() == b"OK"

    @property
    def uri(self) -> str:
        return f"http://{self.server.address}"

    def environment(self) -> dict[str, str]:
        """What a user sets to reach it."""
        return {"MLFLOW_TRACKING_URI": self.uri}


@contextmanager
def tracking_server(folder: Path, backend: str, artifacts: str, **environment: str) -> Iterator[TrackingServer]:
    """Run an MLflow server that keeps runs in `backend` (SQLAlchemy address) and serves artifacts from `artifacts`."""
    folder.mkdir(parents=True, exist_ok=True)
    command = f"{BIN}/mlflow server --host 127.0.0.1 --port {{port}} --workers 1".split()
    server = Server(
        [*command, "--backend-store-uri", backend, "--artifacts-destination", artifacts],
        folder / "mlflow.log",
        {
            "HOME": str(folder),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # ten processes and 2 GB less
            **environment,
        },
    )
    started = TrackingServer(server)
    started.restart()
    try:
        yield started
    finally:
        server.stop()


@contextmanager
def local_tracking_server(folder: Path) -> Iterator[TrackingServer]:
    """Run an MLflow server on SQLite and a folder: quick, and enough where neither is the subject."""
    folder.mkdir(parents=True, exist_ok=True)
    with tracking_server(folder, f"sqlite:///{folder}/mlflow.db", str(folder / "artifacts")) as server:
        yield server


@contextmanager
def team_tracking_server(folder: Path) -> Iterator[TrackingServer]:
    """Run what a team would: MLflow on Postgres, artifacts on S3."""
    folder.mkdir(parents=True, exist_ok=True)
    with postgres() as database, object_store(folder / "s3") as store:
        settings = {
            "MLFLOW_S3_ENDPOINT_URL": store.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            **store.environment(),
        }
        with tracking_server(folder / "mlflow", database, "s3://mlflow", **settings) as server:
            yield server
