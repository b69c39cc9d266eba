"""The run of a commit while it is written: a claim (`lease`), so that two who track at once write one run.

The claim becomes the run of the commit, by a tag that is set last. What a process left that died meanwhile is a
claim still, and is deleted.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.registry.lease import BEAT, CLAIMANT, Lease, Pace, mlflow_error

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SHA = "git.sha"
TRACKED = "tracked"
"""Set last: a run without it is a claim, or what is left of one."""


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
        The same for all processes of a clone, of which only one at a time may be here (`stages.common.locks`):
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

    @property
    def lease(self) -> Lease:
        """The claims on the commit."""
        return Lease(
            client=self.client,
            experiment=self.experiment,
            subject=(SHA, self.sha),
            claimant=self.claimant,
            activity=f"tracking commit {self.sha[:10]}",
            pace=self.pace,
            start_time=self.time if self.began is None else self.began,
        )

    @contextmanager
    def obtained(self, enough: Callable[[Run], bool]) -> Iterator[tuple[Run | None, str | None]]:
        """Yield the finished run, if any, and the run that the caller may write, if any is needed.

        The latter beats within the block. A block that ends in an error takes the claim back.

        Parameters
        ----------
        enough : callable
            Whether nothing has to be added to a finished run.
        """
        finished: Run | None = None

        def is_finished(runs: list[Run]) -> bool:
            nonlocal finished
            finished = next((run for run in runs if is_complete(run)), None)
            return finished is not None and enough(finished)

        own = self.lease.wait_for_turn(is_claim, is_finished)
        if own is None:
            yield finished, None
            return
        try:
            with self.lease.beating(own):
                yield finished, own
        except BaseException:
            with suppress(Exception):  # the first error is the one to tell; the next process mends this
                self.withdraw(own)
            raise
        with suppress(mlflow_error()):  # of no use to who looks at the run, and no harm where they stay
            if is_complete(self.client.get_run(own)):
                for tag in (CLAIMANT, BEAT):
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
        self.lease.withdraw(run_id)


def is_complete(run: Run) -> bool:
    """Tell whether a run was written to its end."""
    return run.data.tags.get(TRACKED) == "complete"


def is_claim(run: Run) -> bool:
    """Tell whether a run is not, or not yet, that of its commit."""
    return not is_complete(run)


def claimant_of(folder: Path) -> str:
    """Name a clone by its machine and git folder, without giving either away."""
    status = folder.stat()
    described = f"{platform.node()}\n{folder.resolve()}\n{status.st_dev}\n{status.st_ino}"
    return hashlib.sha256(described.encode()).hexdigest()[:16]
