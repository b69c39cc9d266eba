"""A real Airflow for tests: its own home, the pipelines of a clone, one user; runs by hand, or all its processes."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.tools import Client
from tests.repository import ROOT, Repository, environment
from tests.servers import Server, running

AIRFLOW = ROOT / ".venv-airflow/bin/airflow"
USER, PASSWORD = "watch", "not-a-real-password"
START_SECONDS, RUN_SECONDS = 240, 900
PASSED_ON = ("DVC_SITE_CACHE_DIR", "GIT_CONFIG_GLOBAL", "AWS_EC2_METADATA_DISABLED", "NO_PROXY")
ENDED = ("success", "failed")
QUICK = {
    "AIRFLOW__CORE__PARALLELISM": "2",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
}
"""Settings by which tests wait less."""


@dataclass
class Airflow:
    """Airflow with the pipelines of a clone.

    Parameters
    ----------
    repository : Repository
        The project that its tasks work in.
    home : Path
        Of Airflow, outside of the clone.
    variables : dict
        Extra fields of the connection `behealthy`.
    """

    repository: Repository
    home: Path
    variables: dict[str, str]
    client: Client = field(init=False)

    @property
    def database(self) -> Path:
        return self.home / "airflow.db"

    def environment(self) -> dict[str, str]:
        """Return what Airflow is started with; the secrets of the project are in no variable but the connection."""
        around = environment(self.repository.root)
        given = {**{name: around[name] for name in PASSED_ON}, **self.variables}
        return {
            "PATH": f"{AIRFLOW.parent}:{os.environ['PATH']}",
            "HOME": around["HOME"],
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "DO_NOT_TRACK": "1",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.repository.root / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW_CONN_BEHEALTHY": json.dumps({"conn_type": "generic", "extra": given}),
        }

    def prepare(self) -> None:
        self.home.mkdir(mode=0o700)
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({USER: PASSWORD}))
        passwords.chmod(0o600)
        self.run("db", "migrate")

    def run(self, *arguments: str, fails: bool = False, timeout: float = RUN_SECONDS) -> str:
        done = subprocess.run(
            [AIRFLOW, *arguments],
            env=self.environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{arguments}\n{done.stdout[-8000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def test(self, dag: str, *, fails: bool = False) -> dict[str, str]:
        """Run a pipeline as `airflow dags test` does; return the state of each task."""
        self.said = self.run("dags", "test", dag, fails=fails)
        return self.states(dag)

    def states(self, dag: str, run_id: str | None = None) -> dict[str, str]:
        """Return the states of the tasks of a run, the newest by default."""
        run_id = run_id or self.runs(dag)[-1][0]
        return dict(self._rows("SELECT task_id, state FROM task_instance WHERE dag_id = ? AND run_id = ?", dag, run_id))

    def runs(self, dag: str) -> list[tuple[str, str]]:
        return self._rows("SELECT run_id, state FROM dag_run WHERE dag_id = ? ORDER BY id", dag)

    def _rows(self, query: str, *values: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def started(self) -> Iterator[Client]:
        """Run all its processes on the loopback; yield a client that is logged in."""
        server = Server([str(self.repository.root / "dags/start")], self.home / "started.log", {})
        server.environment = {**self.environment(), "AIRFLOW__API__PORT": str(server.port), **QUICK}
        with running(server, patience=START_SECONDS):
            self.url = f"http://{server.address}"
            token = Client(self.url)("POST", "/auth/token", {"username": USER, "password": PASSWORD})["access_token"]
            self.client = Client(self.url, {"Authorization": f"Bearer {token}"})
            yield self.client

    def until(self, what: str, found: Any, seconds: float = RUN_SECONDS) -> Any:
        """Wait until something is there; say what is not, with the ends of Airflow's log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := found():
                return value
            time.sleep(1)
        raise AssertionError(f"{what}: not within {seconds} s\n{(self.home / 'started.log').read_text()[-6000:]}")

    def ended(self, dag: str, run_id: str) -> str:
        """Wait until a run has ended; return its state."""
        return self.until(
            f"{dag} {run_id}",
            lambda: next((state for name, state in self.runs(dag) if name == run_id and state in ENDED), None),
        )

    def logs(self) -> str:
        """Return all that Airflow wrote of its tasks."""
        return "\n".join(path.read_text(errors="replace") for path in (self.home / "logs").rglob("*.log"))
