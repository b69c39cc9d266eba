"""Real git and DVC repositories in temporary folders, made from the working tree. Nothing leaves the machine."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import md5
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SEED = ("data/annotations.dvc", "data/incoming.dvc")
DEAD = "http://127.0.0.1:9"
"""Nothing listens on the discard port: what goes there fails at once."""

LIGHT = (
    "train.family=crf",
    "featurize.clusters=[16]",
    "featurize.topic_clusters=[]",
    "featurize.epochs=1",
    "featurize.terminology=null",
    "train.learning_curve=[0.5]",
    "train.crf.runs=1",
    "train.crf.iterations=2",
    "evaluate.resamples=50",
)
"""Parameters with which the graph takes little more than its imports; as `-S` takes them."""


_STATES = ("Queued", "Running", "Success", "Failed")

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
    "ARROW_NUM_THREADS",
)

WIDE = {
    **dict.fromkeys(_THREADS, "5"),
    "PYTHONHASHSEED": "7",
    "TZ": "America/St_Johns",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}
"""A machine with more threads than cores."""

NARROW = {
    **dict.fromkeys(_THREADS, "1"),
    "PYTHONHASHSEED": "4242",
    "TZ": "Asia/Kathmandu",
    "LANG": "C",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}
"""A machine with one thread and an ASCII locale: what is opened without an encoding goes wrong there."""


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code, what it printed, and both streams together."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return f"{self.out}\n{self.err}"


@dataclass(frozen=True)
class Repository:
    """A repository in a temporary folder; commands run in it with an environment made from nothing."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def settings(self, **more: str) -> Repository:
        """Return the same repository, its commands run with more environment variables."""
        return replace(self, environment={**self.environment, **more})

    def run(self, *command: str, timeout: float = 300, fails: bool = False) -> Result:
        """Run a command; an exit code other than expected, or no end in time, is an AssertionError."""
        result = self._result(command, timeout)
        shown = f"{' '.join(command)} in {self.root}: exit {result.status}\n{result.text[-6000:]}"
        assert (result.status != 0) == fails, shown
        return result

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).out

    def dvc(self, *arguments: str, timeout: float = 300, fails: bool = False) -> Result:
        return self.run("dvc", *arguments, timeout=timeout, fails=fails)

    def python(self, *arguments: str, fails: bool = False) -> Result:
        return self.run("python", *arguments, fails=fails)

    def commit(self, message: str) -> str:
        """Commit everything that git sees, and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def changes(self) -> str:
        return self.git("status", "--porcelain")

    def fetch_seed(self) -> None:
        """What `make data` does first."""
        self.dvc("fetch", "--quiet", "--remote", "bundled", *SEED)
        self.dvc("checkout", "--quiet", *SEED)

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def json(self, name: str) -> Any:
        return json.loads(self.text(name))

    def yaml(self, name: str) -> Any:
        return yaml.safe_load(self.text(name))

    def f1(self) -> float:
        return float(self.json("metrics/evaluation.json")["strict"]["micro"]["f1"])

    def set_params(self, *settings: str) -> None:
        """Write `section.key=value` into params.yaml; a key that is not there yet is put in."""
        params = self.yaml("params.yaml")
        for setting in settings:
            path, value = setting.split("=", 1)
            *sections, key = path.split(".")
            section = params
            for name in sections:
                section = section[name]
            section[key] = yaml.safe_load(value)
        (self.root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")

    def look_for(self, *labels: str) -> None:
        """Make these the labels of the project: in params.yaml, and no others in the mapping."""
        self.set_params(f"labels=[{', '.join(labels)}]")
        mapping = self.root / "data/mapping/labels.csv"
        header, *rows = mapping.read_text(encoding="utf-8").splitlines()
        kept = [row for row in rows if row.rpartition(",")[2] in labels]
        mapping.write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")

    def results(self) -> dict[str, bytes]:
        """Return the bytes of dvc.lock and of everything under metrics/, by path."""
        paths = [self.root / "dvc.lock", *sorted((self.root / "metrics").rglob("*"))]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in paths if path.is_file()}

    def wait_for_queue(self, limit: float) -> dict[str, str]:
        """Return the state of each queued experiment by name, when none is waiting or running any more."""
        end = time.monotonic() + limit
        states: dict[str, str] = {}
        while time.monotonic() < end:
            rows = [line.split() for line in self.dvc("queue", "status").out.splitlines()]
            states = {row[1]: row[-1] for row in rows if len(row) > 2 and row[-1] in _STATES}
            if states and not set(states.values()) & {"Queued", "Running"}:
                return states
            time.sleep(1)
        raise AssertionError(f"the queue did not end in {limit} s: {states}")

    def _result(self, command: tuple[str, ...], timeout: float) -> Result:
        # Its own process group, so that what outlives the time limit is ended with all its children.
        with subprocess.Popen(
            command,
            cwd=self.root,
            env={**environment(self.root), **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                raise AssertionError(f"{' '.join(command)}: no end in {timeout} s\n{out}{err}"[-6000:]) from None
        return Result(process.returncode, out, err)


def environment(root: Path) -> dict[str, str]:
    """Return an environment with this interpreter first on PATH, no one's settings, and no way to the network."""
    home = root.parent / ".home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "DVC_NO_ANALYTICS": "1",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "HTTP_PROXY": DEAD,
        "HTTPS_PROXY": DEAD,
        "NO_PROXY": "127.0.0.1",
        "AWS_ENDPOINT_URL": DEAD,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }


def from_working_tree(target: Path) -> Repository:
    """Commit a copy of what git would commit of the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # a file deleted and not yet committed is listed too
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    repository = Repository(target)
    repository.git("init", "--quiet", "--initial-branch", "main")
    introduce(repository)
    repository.commit("The working tree")
    return repository


def clone(source: Repository, target: Path) -> Repository:
    """Clone what is committed; the data has to be fetched."""
    target.parent.mkdir(parents=True, exist_ok=True)
    Repository(target.parent).git("clone", "--quiet", "--no-local", str(source.root), str(target))
    repository = Repository(target)
    introduce(repository)
    return repository


def copy(source: Repository, target: Path) -> Repository:
    """Copy a repository with its data and its DVC cache."""
    shutil.copytree(source.root, target, symlinks=True)
    return Repository(target)


def introduce(repository: Repository) -> None:
    """Tell git who commits there."""
    repository.git("config", "user.name", "Tester")
    repository.git("config", "user.email", "tester@example.org")


def object_faults(folder: Path) -> list[str]:
    """Name the objects of a DVC cache or remote whose MD5 is not their name."""
    # A server that was killed leaves its own temporary files, which begin with a dot.
    objects = [path for path in sorted((folder / "files" / "md5").rglob("[!.]*")) if path.is_file()]
    assert objects, f"no objects in {folder}"
    return [
        str(path)
        for path in objects
        if md5(path.read_bytes(), usedforsecurity=False).hexdigest() != (path.parent.name + path.name).split(".")[0]
    ]


_DISEASES = ("ulcerative colitis", "gout", "bullous pemphigoid", "iritis", "scurvy", "pericarditis", "psoriasis")
_TREATMENTS = ("mesalazine", "allopurinol", "doxycycline", "atropine drops", "vitamin C", "colchicine", "calcipotriol")
_OPENINGS = ("Walked in unaided", "Telephone review", "Seen with her sister", "Third visit since Easter", "Home call")
_CLOSINGS = ("Bloods in a fortnight", "No driving till then", "Will write again", "Happy with that", "Back if worse")


def write_notes(path: Path, count: int) -> None:
    """Write `count` annotated notes, no two of them alike, in the project's own format."""
    lines = []
    for number in range(count):
        # A different word in every sentence: similar notes would be one group, and in one split.
        chance = random.Random(number)
        drug = chance.choice(_TREATMENTS)
        disease = chance.choice(_DISEASES)
        text, mentions = "", []
        for words, label in (
            (
                f"{chance.choice(_OPENINGS)}, case {chance.randrange(10**6)} on list {chance.randrange(10**6)} with ",
                None,
            ),
            (disease, "Disease"),
            (f" for {chance.randrange(100)} weeks and {chance.randrange(100)} days. Begun on ", None),
            (drug, "Treatment"),
            (f" at {chance.randrange(1000)} mg. {chance.choice(_CLOSINGS)}, slot {chance.randrange(10**6)}.", None),
        ):
            if label:
                mentions.append({"start": len(text), "end": len(text) + len(words), "label": label})
            text += words
        lines.append(json.dumps({"id": f"new-{number:03}", "text": text, "mentions": mentions}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def add_batch(repository: Repository, path: Path, name: str, *more: str, format: str = "jsonl") -> None:
    """Add an export as a batch and put it under DVC."""
    repository.python("-m", "annotation.add", str(path), "--format", format, "--name", name, *more)
    repository.dvc("add", "data/annotations")


def lend_environment(repository: Repository) -> None:
    """Let the Makefile find this environment as its own, so that it installs nothing."""
    folder = repository.root / ".venv"
    folder.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    (folder / ".installed").touch()  # newer than requirements.txt
