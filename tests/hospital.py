"""A team's servers on the loopback, and its repository: what the workflows work with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from stages.prepare.batches import BatchFile, digest, write_description
from tests.github_server import READ_ONLY, REPOSITORY, TOKEN, FakeGitHub, github
from tests.repository import Repository, add_batch, clone, lend_environment, write_notes
from tests.servers import KEY, PATIENT, SECRET, ObjectStore, TrackingServer, object_store
from tests.workflow_jobs import WorkflowRun, run_workflow
from tests.workflow_runner import Event, Machine


@dataclass
class Hospital:
    """Git remote, storage, tracking server and GitHub; runners that come and go.

    Parameters
    ----------
    folder : Path
        Of its own.
    origin : Repository
        The bare remote.
    store, tracking, github
        The servers.
    secrets : dict
        As set on GitHub.
    """

    folder: Path
    origin: Repository
    store: ObjectStore
    tracking: TrackingServer
    github: FakeGitHub
    secrets: dict[str, str] = field(default_factory=lambda: {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET})
    variables: dict[str, str] = field(default_factory=dict)
    runners: int = 0

    def desk(self, name: str) -> Repository:
        """Return a clone for a person at work, with the data of main."""
        target = self.folder / f"desk-{name}"
        repository = clone(self.origin, target).settings(**self.store.environment(), **PATIENT)
        lend_environment(repository)
        repository.run("make", "data")
        return repository

    def offer(self, desk: Repository, branch: str, message: str) -> dict[str, Any]:
        """Commit on a branch, push data and branch, open a pull request."""
        desk.git("switch", "--quiet", "--create", branch)
        desk.commit(message)
        desk.dvc("push", "data/annotations.dvc")
        desk.git("push", "--quiet", "origin", branch)
        return self.github.open_pull(branch)

    def new_batch(self, name: str, count: int) -> dict[str, Any]:
        """Let somebody add a batch of good annotations and open a pull request."""
        desk = self.desk(name)
        write_notes(self.folder / f"{name}.jsonl", count)
        add_batch(desk, self.folder / f"{name}.jsonl", name)
        return self.offer(desk, name, f"Add the batch {name}")

    def forced_batch(self, name: str) -> dict[str, Any]:
        """Let somebody get round `annotation.add`: a batch whose mentions overlap."""
        desk = self.desk(name)
        write_forced_batch(desk.root / "data/annotations" / name, order=9)
        desk.dvc("add", "data/annotations")
        return self.offer(desk, name, f"Add the batch {name}")

    def merge(self, branch: str) -> str:
        """Press the button: merge a pull request on origin; return the new head of main."""
        desk = clone(self.origin, self.folder / f"merge-{branch.replace('/', '-')}")
        desk.git("merge", "--quiet", "--no-ff", "--no-edit", f"origin/{branch}")
        desk.git("push", "--quiet", "origin", "main")
        return desk.git("rev-parse", "HEAD").strip()

    def run(
        self,
        workflow: str,
        event: Event,
        kill: Mapping[str, float] | None = None,
        between: Callable[[str, Path], None] = lambda *_: None,
    ) -> WorkflowRun:
        """Run a workflow, each job on a fresh machine.

        Parameters
        ----------
        workflow : str
            Name of the file.
        event : Event
        kill : mapping, optional
            As `Machine` has it.
        between : callable
            Gets the name of each job that has ended, and the folder of what it handed over.
        """
        artifacts = self.folder / "artifacts" / str(self.runners)
        variables = {
            "AWS_ENDPOINT_URL": self.store.url,
            "MLFLOW_TRACKING_URI": self.tracking.uri,
            **self.variables,
        }
        around = {"NO_PROXY": "127.0.0.1", "MLFLOW_DISABLE_TELEMETRY": "true", **PATIENT}
        machine = Machine(
            self._actions(event), self.secrets, variables, around, TOKEN, READ_ONLY, artifacts, kill or {}
        )
        path = Path(".github/workflows") / workflow
        return run_workflow(path, event, machine, self._workspace, lambda job: between(job, artifacts))

    def _workspace(self) -> Path:
        self.runners += 1
        workspace = self.folder / "runners" / str(self.runners) / "behealthy"
        workspace.parent.mkdir(parents=True)
        return workspace

    def head(self, branch: str) -> str:
        return self.origin.git("rev-parse", branch).strip()

    def put(self, name: str, content: bytes | None) -> None:
        """Put an object into the bucket, or take it out, as production would: through S3."""
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=self.store.url, **keys)
        if content is None:
            client.delete_object(Bucket="behealthy", Key=name)
        else:
            client.put_object(Bucket="behealthy", Key=name, Body=content)

    # ---- events ---------------------------------------------------------------------------------

    def pull_request(self, pull: Mapping[str, Any], fork: Repository | None = None) -> Event:
        """Return the event of a pull request, from here or from a fork."""
        payload = {"pull_request": json.loads(json.dumps(pull))}
        if fork:
            payload["pull_request"]["head"]["repo"] = {"full_name": "somebody/behealthy"}
        ref = f"{pull['number']}/merge"
        names = {"head_ref": pull["head"]["ref"], "base_ref": "main", "ref_name": ref, "ref": f"refs/pull/{ref}"}
        source = fork.root if fork else self.origin.root
        return Event("pull_request", self._payload(**payload), self._github(source, **names))

    def push(self, branch: str, name: str = "push", **inputs: str) -> Event:
        """Return the event of a push to a branch (or of a dispatch on it)."""
        names = {"head_ref": "", "base_ref": "", "ref_name": branch, "ref": f"refs/heads/{branch}"}
        return Event(name, self._payload(), self._github(self.origin.root, **names), inputs)

    def tag(self, name: str) -> Event:
        """Return the event of a dispatch on a tag, which may be called as a branch is."""
        names = {"head_ref": "", "base_ref": "", "ref_name": name, "ref": f"refs/tags/{name}"}
        return Event("workflow_dispatch", self._payload(), self._github(self.origin.root, **names), {"reason": "x"})

    def _payload(self, **more: Any) -> dict[str, Any]:
        return {"repository": {"default_branch": "main", "full_name": REPOSITORY}, **more}

    def _github(self, source: Path, **names: str) -> dict[str, str]:
        return {
            "repository": REPOSITORY,
            "server_url": "https://github.example",
            "api_url": self.github.url,
            "run_id": str(self.runners + 1),
            "source": str(source),
            **names,
        }

    def _actions(self, event: Event) -> dict[str, Callable[[Path, Mapping[str, str]], None]]:
        """What stands for the actions that the workflows use."""

        def check_out(workspace: Path, inputs: Mapping[str, str]) -> None:
            assert inputs["persist-credentials"] == "false"
            branch = inputs.get("ref") or event.github["head_ref"] or event.github["ref_name"]
            depth = [] if inputs.get("fetch-depth") == "0" else ["--depth", "1"]
            url = f"file://{event.github['source']}"
            Repository(workspace.parent).git("clone", "--quiet", *depth, "--branch", branch, url, str(workspace))

        def set_up_python(workspace: Path, inputs: Mapping[str, str]) -> None:
            assert inputs["python-version"] == "3.11"
            lend_environment(Repository(workspace))

        return {"actions/checkout": check_out, "actions/setup-python": set_up_python}


@contextmanager
def hospital(folder: Path, published: Repository, tracking: TrackingServer) -> Iterator[Hospital]:
    """Start the rest; `published`, whose graph is run and committed, becomes main, its outputs are in the storage."""
    folder.mkdir()
    Repository(folder).git("clone", "--quiet", "--bare", "--no-local", str(published.root), str(folder / "origin.git"))
    origin = Repository(folder / "origin.git")
    with object_store(folder / "s3") as store, github() as fake:
        published.settings(**store.environment(), **PATIENT).dvc("push")
        yield Hospital(folder, origin, store, tracking, fake)


def write_forced_batch(folder: Path, order: int) -> None:
    """Write a batch that `annotation.add` refuses: two mentions that overlap."""
    (folder / "export").mkdir(parents=True)
    text = "Gouty arthritis of the knee, on allopurinol."
    mentions = [
        {"start": 0, "end": 15, "label": "Disease"},
        {"start": 6, "end": 15, "label": "Treatment"},
    ]
    export = folder / "export" / "notes.jsonl"
    export.write_text(json.dumps({"id": "forced", "text": text, "mentions": mentions}) + "\n", encoding="utf-8")
    about = BatchFile(
        name=folder.name,
        order=order,
        format="jsonl",
        labels=None,
        split=None,
        source=None,
        licence=None,
        documents=1,
        mentions=2,
        sha256={"notes.jsonl": digest(export)},
    )
    write_description(folder, about)
