"""The servers of a hospital, its repository, and the commands that its people give."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from production.database.engine import address, make_engine
from stages.common.variables import ALERTS, DATABASE, KERNELS, LOG_KEY
from tests.pipelines import Airflow
from tests.production import KEY
from tests.receivers import Mail, Webhook, mail, webhook
from tests.repository import Repository, clone, environment, from_working_tree, lend_environment
from tests.servers import PATIENT, ObjectStore, TrackingServer, object_store, postgres, tracking_server

OUTPUT = "output"
"""A folder with what each command said, but for those that print a note on purpose."""


@dataclass
class Hospital:
    """What runs, and where.

    Parameters
    ----------
    folder : Path
    repository : Repository
        The clone that production works in; its commands reach all servers.
    store, tracking, hook, post
        The servers beside PostgreSQL.
    url : str
        Of the database.
    airflow : Airflow
        With the pipelines of the clone; not started.
    """

    folder: Path
    repository: Repository
    store: ObjectStore
    tracking: TrackingServer
    hook: Webhook
    post: Mail
    url: str
    airflow: Airflow
    engine: Engine = field(init=False)
    commands: int = 0

    def __post_init__(self) -> None:
        self.engine = make_engine(address(self.url))
        (self.folder / OUTPUT).mkdir()

    @property
    def root(self) -> Path:
        """Where production works."""
        return self.repository.root

    @property
    def settings(self) -> dict[str, str]:
        """Return the environment of its commands."""
        return {**environment(self.root), **self.repository.environment}

    def command(
        self, *arguments: str, codes: tuple[int, ...] = (0,), clinical: bool = False, timeout: float = 600
    ) -> str:
        """Run a command as a person would; return what it printed. `clinical`: it prints a note, and is not kept."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env=self.settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if not clinical:
            self.keep(arguments[0], done.stdout + done.stderr)
        assert done.returncode in codes, (arguments, done.returncode, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout

    def keep(self, name: str, said: str) -> None:
        """Keep what was said, to be searched."""
        self.commands += 1
        (self.folder / OUTPUT / f"{self.commands:03}-{name}.txt").write_text(said, encoding="utf-8")

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on."""
        with (self.folder / OUTPUT / f"{name}.txt").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=self.root, env=self.settings, stdout=said, stderr=said
            )


@contextmanager
def hospital(folder: Path) -> Iterator[Hospital]:
    """Start the servers, and make the clone; its data has to be fetched."""
    with ExitStack() as stack:
        database, runs = stack.enter_context(postgres()), stack.enter_context(postgres())
        store = stack.enter_context(object_store(folder / "s3"))
        s3 = {
            "MLFLOW_S3_ENDPOINT_URL": store.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        }
        tracking = stack.enter_context(
            tracking_server(folder / "mlflow", runs, "s3://mlflow", **s3, **store.environment())
        )
        hook, post = stack.enter_context(webhook()), stack.enter_context(mail())
        reach = {
            **store.environment(),
            **tracking.environment(),
            **PATIENT,
            "AWS_DEFAULT_REGION": "us-east-1",
            DATABASE: database,
            LOG_KEY: KEY,
            ALERTS: f"ops={hook.url()} team={post.url}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            KERNELS: os.environ.get(KERNELS) or str(Path.home() / ".cache/behealthy/kernels"),
        }
        repository = _work_copy(folder).settings(**reach)
        airflow = Airflow(repository, folder / "airflow", reach)
        made = Hospital(folder, repository, store, tracking, hook, post, database, airflow)
        yield made
        made.engine.dispose()


def _work_copy(folder: Path) -> Repository:
    """Return a clone of a bare remote that has the working tree, committed."""
    (folder / "source").mkdir()
    source = from_working_tree(folder / "source")
    Repository(folder).git("clone", "--quiet", "--bare", "--no-local", str(source.root), str(folder / "origin.git"))
    made = clone(Repository(folder / "origin.git"), folder / "behealthy")
    lend_environment(made)
    for name in ("arriving", "inbox"):
        (made.root / "data/production" / name).mkdir(parents=True)
    return made
