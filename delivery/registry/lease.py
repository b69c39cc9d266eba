"""One writer of the registry at a time, although MLflow has neither locks nor compare-and-set.

What the server does make unique is the number of a version. A *claim* is a version of a registered model of its
own; the lowest number that is there holds the registry, the others wait in order. Its holder renews it ("beats")
while it works, before each write too, and deletes it at the end. A claim that does not beat for `patience` seconds
*as seen by a waiting process, on that process's own clock* belongs to a process that died, and is deleted by who
waits: clocks of two machines are never compared. A claim that was deleted cannot be renewed, so that an owner who
was only asleep stops.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from delivery.errors import DeliveryError
from delivery.registry.server import MODEL

if TYPE_CHECKING:
    from mlflow import MlflowClient

CLAIMS = f"{MODEL}-claims"
PATIENCE = 30.0
"""Seconds without a beat after which a claim's owner is taken for dead."""

_BEAT = "beat"
_NOWHERE = "s3://no-artifacts/claim"
"""A version must have a source; nobody reads this one."""


@dataclass
class Claim:
    """A place in the queue; `check` before each write.

    Parameters
    ----------
    client : MlflowClient
    version : int
    patience : float
    """

    client: MlflowClient
    version: int
    patience: float
    _done: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Renew the claim, and make sure that nobody has taken its owner for dead.

        Raises
        ------
        DeliveryError
            When the claim is gone, or the registry does not answer.
        """
        from mlflow.exceptions import MlflowException

        try:
            self.beat()
        except MlflowException as error:
            raise DeliveryError(
                f"the turn at the registry is lost ({error.error_code}), another process may write now: run it again"
            ) from error

    def beat(self) -> None:
        """Renew the claim; a claim that was deleted cannot be."""
        self.client.set_model_version_tag(CLAIMS, str(self.version), _BEAT, str(time.monotonic()))

    def beat_until_done(self) -> None:
        """Renew the claim, again and again, until it is given up."""
        from mlflow.exceptions import MlflowException

        while not self._done.wait(self.patience / 10):
            with suppress(MlflowException):  # a beat that is missed is made up by the next one
                self.beat()

    def give_up(self) -> None:
        """Let the next one in."""
        from mlflow.exceptions import MlflowException

        self._done.set()
        with suppress(MlflowException):  # one that cannot be deleted is taken for dead in time
            self.client.delete_model_version(CLAIMS, str(self.version))


@contextmanager
def claimed(client: MlflowClient, *, patience: float = PATIENCE, limit: float = 600) -> Iterator[Claim]:
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
    claim = Claim(client, _queue_up(client), patience)
    beats = threading.Thread(target=claim.beat_until_done, daemon=True)
    beats.start()
    try:
        _wait(client, claim, limit)
        yield claim
    finally:
        claim.give_up()
        beats.join()


def _queue_up(client: MlflowClient) -> int:
    from mlflow.exceptions import MlflowException

    for attempt in range(20):
        try:
            return int(client.create_model_version(CLAIMS, _NOWHERE, tags={_BEAT: "0"}, await_creation_for=0).version)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                found(client, CLAIMS, "Who writes to the registry now; no models. Leave it alone.")
            elif attempt > 10:
                raise
            time.sleep(0.05 * attempt)  # two processes asked for the same number
    raise DeliveryError("the registry gives no claim: run it again")


def found(client: MlflowClient, name: str, description: str) -> None:
    """Make a registered model where it is not there yet."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description=description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _wait(client: MlflowClient, claim: Claim, limit: float) -> None:
    """Wait until no lower claim is left; delete those that show no life."""
    from mlflow.exceptions import MlflowException

    seen: dict[int, tuple[str, float]] = {}
    started = time.monotonic()
    while time.monotonic() - started < limit:
        present = {int(v.version): v.tags.get(_BEAT, "") for v in client.search_model_versions(f"name='{CLAIMS}'")}
        if claim.version not in present:
            raise DeliveryError("this process was taken for dead while it waited for the registry: run it again")
        ahead = {version: beat for version, beat in present.items() if version < claim.version}
        if not ahead:
            return
        now = time.monotonic()
        for version, beat in ahead.items():
            if version not in seen or seen[version][0] != beat:
                seen[version] = beat, now
            elif now - seen[version][1] > claim.patience:
                with suppress(MlflowException):  # somebody else was quicker
                    client.delete_model_version(CLAIMS, str(version))
        time.sleep(min(0.5, claim.patience / 20))
    raise DeliveryError(f"another process has held the registry for {limit:.0f} s: see the model {CLAIMS} there")
