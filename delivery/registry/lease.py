"""One writer at a time on a server of MLflow, which has neither locks nor compare-and-set.

A *claim* is a run that bears a tag of what is claimed: a commit that is being tracked, or the registry. MLflow shows
a run that was created to every later search. So a process creates its claim and then looks for others (check after
write). It works only when it has seen its claim alone: whoever came before would have been seen, and whoever comes
later sees this one. When two see each other, the one with the larger run id takes its claim back.

A claim beats while its owner lives. One that has been silent for a while, *as seen by a waiting process, on that
process's own clock*, is dead and is deleted by who waits: clocks of two machines are never compared. MLflow refuses
every write to a deleted run, so that an owner who was only asleep stops.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from delivery.errors import DeliveryError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

CLAIMS = "behealthy-claims"
"""MLflow experiment of the claims on the registry; empty but for the one that is held now."""

CLAIMANT, BEAT = "claimant", "beat"
_SUBJECT, _REGISTRY = "claims", "registry"


@dataclass(frozen=True)
class Pace:
    """Seconds between beats, of silence after which a claim is dead, and between looks at the server."""

    beat: float = 10
    silence: float = 60
    look: float = 1


@dataclass(kw_only=True)
class Lease:
    """The claims on one thing.

    Parameters
    ----------
    client : MlflowClient
    experiment : str
        Identifier of the MLflow experiment that has the claims.
    subject : tuple of str
        Tag and value that all claims on this thing bear.
    claimant : str
        Of which only one at a time is here: an unfinished claim of it is one whose process died.
    activity : str
        What the holder is doing, for those who wait.
    start_time : int, optional
        That a claim's run has, in milliseconds since 1970.
    """

    client: MlflowClient
    experiment: str
    subject: tuple[str, str]
    claimant: str
    activity: str
    pace: Pace = field(default_factory=Pace)
    start_time: int | None = None

    def wait_for_turn(
        self,
        is_claim: Callable[[Run], bool] = lambda run: True,
        is_needless: Callable[[list[Run]], bool] = lambda runs: False,
        limit: float = float("inf"),
    ) -> str | None:
        """Return the run that is the claim of this process, when it is the only one.

        Parameters
        ----------
        is_claim : callable
            Whether a run is a claim still, and not what one has become.
        is_needless : callable
            Whether nothing is to be done any more, given all runs; then there is no claim and the answer is None.
        limit : float
            Seconds to wait.

        Raises
        ------
        DeliveryError
            When the turn does not come in time.
        """
        own: str | None = None
        watch = _Watch(self.pace.silence, self.activity)
        deadline = time.monotonic() + limit
        try:
            while not is_needless(runs := self.runs()):
                if time.monotonic() > deadline:
                    raise DeliveryError(f"another process has been {self.activity} for {limit:g} s: run it again later")
                rivals = [run for run in runs if is_claim(run) and run.info.run_id != own]
                if self._bury_dead(rivals, watch, is_claim):
                    continue
                if not rivals:
                    if own is not None:
                        return own
                    own = self.claim()
                    continue
                if own is not None and own > min(run.info.run_id for run in rivals):
                    self.withdraw(own)
                    own = None
                watch.wait(self.pace.look)
        except BaseException:
            if own is not None:
                with suppress(Exception):  # the first error is the one to tell; the claim is taken for dead in time
                    self.withdraw(own)
            raise
        if own is not None:
            self.withdraw(own)
        return None

    def runs(self) -> list[Run]:
        """Return all runs that bear the subject."""
        name, value = self.subject
        runs = self.client.search_runs([self.experiment], f"tags.`{name}` = '{value}'", max_results=100)
        return sorted(runs, key=lambda run: str(run.info.run_id))

    def claim(self) -> str:
        """Create a claim."""
        name, value = self.subject
        tags = {name: value, CLAIMANT: self.claimant, BEAT: "0"}
        return str(self.client.create_run(self.experiment, start_time=self.start_time, tags=tags).info.run_id)

    def withdraw(self, run_id: str) -> None:
        """Take a claim back."""
        self.client.delete_run(run_id)

    def _bury_dead(self, rivals: list[Run], watch: _Watch, is_claim: Callable[[Run], bool]) -> bool:
        dead = [run for run in rivals if run.data.tags.get(CLAIMANT) == self.claimant or watch.silent(run)]
        for run in dead:
            self.bury(run, is_claim)
        return bool(dead)

    def bury(self, run: Run, is_claim: Callable[[Run], bool]) -> None:
        """Delete a dead claim, unless its owner came back and finished between the look and the deletion."""
        run_id = run.info.run_id
        print(f"removing what a process left that broke off {self.activity} (run {run_id})", file=sys.stderr)
        with suppress(mlflow_error()):  # somebody else buried it
            self.client.delete_run(run_id)
        if not is_claim(self.client.get_run(run_id)):
            self.client.restore_run(run_id)

    def renew(self, run_id: str, beat: str) -> None:
        """Say that the owner lives; refused when the claim was deleted."""
        self.client.set_tag(run_id, BEAT, beat)

    @contextmanager
    def beating(self, run_id: str) -> Iterator[None]:
        """Renew a claim, again and again, within the block."""
        stop = threading.Event()

        def beat() -> None:
            number = 0
            while not stop.wait(self.pace.beat):
                number += 1
                with suppress(mlflow_error()):  # a beat that is missed is made up by the next one
                    self.renew(run_id, str(number))

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@dataclass(frozen=True)
class Claim:
    """The registry is this process's; `check` before each write."""

    lease: Lease
    run_id: str

    def check(self) -> None:
        """Renew the claim, and make sure that nobody has taken its owner for dead.

        Raises
        ------
        DeliveryError
            When the claim is gone, or the server does not answer.
        """
        try:
            self.lease.renew(self.run_id, uuid.uuid4().hex)
        except mlflow_error() as error:
            code = getattr(error, "error_code", "")
            raise DeliveryError(
                f"the turn at the registry is lost ({code}), another process may write now: run it again"
            ) from error


@contextmanager
def claimed(client: MlflowClient, *, patience: float = 30, limit: float = 600) -> Iterator[Claim]:
    """Hold the registry for the block.

    Parameters
    ----------
    client : MlflowClient
    patience : float
        Seconds without a sign of life after which another owner is taken for dead; the same for everybody.
    limit : float
        Seconds to wait for one's turn.

    Raises
    ------
    DeliveryError
        When it is not one's turn in time.
    """
    lease = Lease(
        client=client,
        experiment=_experiment_of_claims(client),
        subject=(_SUBJECT, _REGISTRY),
        claimant=uuid.uuid4().hex,
        activity="writing to the registry",
        pace=Pace(patience / 10, patience, min(0.5, patience / 20)),
    )
    run_id = lease.wait_for_turn(limit=limit)
    assert run_id is not None
    try:
        with lease.beating(run_id):
            yield Claim(lease, run_id)
    finally:
        with suppress(mlflow_error()):  # one that cannot be deleted is taken for dead in time
            lease.withdraw(run_id)


def _experiment_of_claims(client: MlflowClient) -> str:
    experiment = client.get_experiment_by_name(CLAIMS)
    if experiment is None:
        with suppress(mlflow_error()):  # somebody else was quicker
            return str(client.create_experiment(CLAIMS))
        experiment = client.get_experiment_by_name(CLAIMS)
    if experiment is None or experiment.lifecycle_stage != "active":
        raise DeliveryError(f"the experiment {CLAIMS} was deleted on the tracking server: restore it there")
    return str(experiment.experiment_id)


def mlflow_error() -> type[Exception]:
    """Return the error of MLflow, whose import takes seconds."""
    from mlflow.exceptions import MlflowException

    return MlflowException


@dataclass
class _Watch:
    """How long claims have not changed, by this process's own clock: no two clocks are compared."""

    silence: float
    activity: str
    seen: dict[str, tuple[str | None, float]] = field(default_factory=dict)
    told: bool = False

    def silent(self, run: Run) -> bool:
        beat, now = run.data.tags.get(BEAT), time.monotonic()
        known = self.seen.get(run.info.run_id)
        if known is None or known[0] != beat:
            self.seen[run.info.run_id] = (beat, now)
            return False
        return now - known[1] > self.silence

    def wait(self, seconds: float) -> None:
        if not self.told:
            print(f"waiting: another process is {self.activity}", file=sys.stderr, flush=True)
            self.told = True
        time.sleep(seconds)
