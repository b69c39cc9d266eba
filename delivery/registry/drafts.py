"""The run of a commit while it is written: a claim, so that two who track at once write one run.

MLflow has no lock and no unique tag, but a run that was created is seen by every later search. So a
process creates its run, which is the claim, and then looks for others (check after write). It writes
only when it has seen its claim alone: whoever came before would have been seen, and whoever comes
later sees this one. When two see each other, the one with the larger run id takes its claim back.

A claim beats while its owner lives. One that has been silent for a while, by the watch of the one
who waits, is dead and is deleted; MLflow refuses every further write to a deleted run, so that an
owner who was only asleep cannot finish a second run.
"""

from __future__ import annotations

import hashlib
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SHA = "git.sha"
TRACKED = "tracked"
"""Set last: a run without it is a claim, or what is left of one."""

_CLAIMANT = "claimant"
_BEAT = "beat"


@dataclass(frozen=True)
class Pace:
    """Seconds between beats, of silence after which a claim is dead, and between looks at the server."""

    beat: float = 10
    silence: float = 60
    look: float = 1


@dataclass
class Drafts:
    """All runs of one commit in one experiment of the server.

    Parameters
    ----------
    client : MlflowClient
    experiment : str
        Identifier of the MLflow experiment.
    sha : str
        Of the commit.
    claimant : str
        The same for all processes of a clone, of which only one at a time may be here (`locks.locked`):
        an unfinished claim of it is one whose process died.
    time : int
        Of the commit, in milliseconds since 1970: a run bears it, whenever it is written.
    began : int or None
        When what was committed was begun, where that is known. Otherwise the run has no end, and so no duration:
        neither that of the writing, nor 0.
    """

    client: MlflowClient
    experiment: str
    sha: str
    claimant: str
    time: int
    pace: Pace = field(default_factory=Pace)
    began: int | None = None

    @contextmanager
    def obtained(self, enough: Callable[[Run], bool]) -> Iterator[tuple[Run | None, str | None]]:
        """Yield the finished run, if any, and the run that the caller may write, if any is needed.

        The latter beats within the block. A block that ends in an error takes the claim back.

        Parameters
        ----------
        enough : callable
            Whether nothing has to be added to a finished run.
        """
        finished, own = self._wait_for_turn(enough)
        if own is None:
            yield finished, None
            return
        stop = threading.Event()
        beating = threading.Thread(target=self._beat, args=(own, stop), daemon=True)
        beating.start()
        try:
            yield finished, own
        except BaseException:
            with suppress(Exception):  # the first error is the one to tell; the next process mends this
                self.withdraw(own)
            raise
        finally:
            stop.set()
            beating.join()
        with suppress(_errors()):  # of no use to who looks at the run, and no harm where they stay
            if is_complete(self.client.get_run(own)):
                for tag in (_CLAIMANT, _BEAT):
                    self.client.delete_tag(own, tag)

    def finish(self, run_id: str) -> None:
        """Say that a run is complete; fails when somebody took this process for dead."""
        if self.began is None:
            self.client.update_run(run_id, "FINISHED")
        else:
            self.client.set_terminated(run_id, "FINISHED", self.time)
        self.client.set_tag(run_id, TRACKED, "complete")

    def withdraw(self, run_id: str) -> None:
        """Take a claim back: there is nothing to write."""
        self.client.delete_run(run_id)

    def _wait_for_turn(self, enough: Callable[[Run], bool]) -> tuple[Run | None, str | None]:
        own: str | None = None
        watch = _Watch(self.pace.silence)
        while True:
            runs = self._runs()
            finished = next((run for run in runs if is_complete(run)), None)
            if finished and enough(finished):
                if own is not None:
                    self.withdraw(own)
                return finished, None
            rivals = [run for run in runs if not is_complete(run) and run.info.run_id != own]
            dead = [run for run in rivals if run.data.tags.get(_CLAIMANT) == self.claimant or watch.silent(run)]
            if dead:
                for run in dead:
                    self._bury(run)
            elif own is None and not rivals:
                own = self._create()
            elif own is not None and not rivals:
                return finished, own
            else:
                if own is not None and own > min(run.info.run_id for run in rivals):
                    self.withdraw(own)
                    own = None
                watch.wait(self.pace.look)

    def _runs(self) -> list[Run]:
        found = self.client.search_runs([self.experiment], f"tags.`{SHA}` = '{self.sha}'", max_results=100)
        return sorted(found, key=lambda run: str(run.info.run_id))

    def _create(self) -> str:
        tags = {SHA: self.sha, _CLAIMANT: self.claimant, _BEAT: "0"}
        return str(
            self.client.create_run(
                self.experiment, start_time=self.time if self.began is None else self.began, tags=tags
            ).info.run_id
        )

    def _bury(self, run: Run) -> None:
        """Delete a dead claim, unless its owner came back and finished between the look and the deletion."""
        run_id = run.info.run_id
        print(f"track: removing what a broken-off process left of {self.sha[:10]} (run {run_id})", file=sys.stderr)
        with suppress(_errors()):  # somebody else buried it
            self.client.delete_run(run_id)
        if is_complete(self.client.get_run(run_id)):
            self.client.restore_run(run_id)

    def _beat(self, run_id: str, stop: threading.Event) -> None:
        beat = 0
        while not stop.wait(self.pace.beat):
            beat += 1
            with suppress(_errors()):  # a beat that is missed is made up by the next one
                self.client.set_tag(run_id, _BEAT, str(beat))


@dataclass
class _Watch:
    """How long claims have not changed, by this process's own clock: no two clocks are compared."""

    silence: float
    seen: dict[str, tuple[str | None, float]] = field(default_factory=dict)
    told: bool = False

    def silent(self, run: Run) -> bool:
        beat, now = run.data.tags.get(_BEAT), time.monotonic()
        known = self.seen.get(run.info.run_id)
        if known is None or known[0] != beat:
            self.seen[run.info.run_id] = (beat, now)
            return False
        return now - known[1] > self.silence

    def wait(self, seconds: float) -> None:
        if not self.told:
            print("waiting: another clone is tracking this commit", file=sys.stderr, flush=True)
            self.told = True
        time.sleep(seconds)


def is_complete(run: Run) -> bool:
    """Tell whether a run was written to its end."""
    return run.data.tags.get(TRACKED) == "complete"


def claimant_of(folder: Path) -> str:
    """Name a clone by its machine and git folder, without giving either away."""
    status = folder.stat()
    described = f"{platform.node()}\n{folder.resolve()}\n{status.st_dev}\n{status.st_ino}"
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _errors() -> type[Exception]:
    from mlflow.exceptions import MlflowException

    return MlflowException
