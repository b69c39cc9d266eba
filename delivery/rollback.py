"""Restore the champion before this one, at once: ``python -m delivery.rollback [--to VERSION]``.

No gate is asked: it was champion before. What it goes back to is read from the ledger, and its bytes are read back
from the server before it gets the alias.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.errors import DeliveryError
from delivery.registry.lease import claimed
from delivery.registry.registry import (
    CHAMPION,
    Entry,
    append,
    download,
    is_unwritten,
    ledger,
    set_champion,
    version_of,
    version_with_alias,
)
from delivery.registry.server import MODEL, connect, server_session
from stages.common.command import run_command

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_NO_CHAMPION = "there is no champion to roll back from: `python -m delivery.promote` makes one"


def roll_back(client: MlflowClient, to: int | None = None) -> Entry:
    """Make an earlier champion champion again.

    Parameters
    ----------
    client : MlflowClient
    to : int, optional
        A version that was champion once; otherwise the one that the present champion replaced.

    Raises
    ------
    DeliveryError
        When there is nothing to go back to, or what the server keeps of it is damaged.
    """
    _target(client, to)  # before waiting for a turn, which takes as long as others work: mostly the answer is here
    with claimed(client) as claim, tempfile.TemporaryDirectory() as folder:
        champion, target = _target(client, to)
        download(client, target, Path(folder))
        evidence = {"from": int(champion.version)}
        entry = append(client, claim, "rolled back", target, previous=champion, reasons=[], evidence=evidence)
        set_champion(client, claim, target)
    return entry


def _target(client: MlflowClient, to: int | None) -> tuple[ModelVersion, ModelVersion]:
    """Return the champion and the version that is to follow it."""
    champion = version_with_alias(client, CHAMPION)
    if champion is None:
        raise DeliveryError(_NO_CHAMPION)
    return champion, version_of(client, earlier(ledger(client), int(champion.version), to))


def earlier(entries: list[Entry], champion: int, to: int | None) -> int:
    """Return the version to go back to.

    Going back twice goes back two promotions: a rollback itself is nothing to go back to.

    Raises
    ------
    DeliveryError
        When the ledger knows none, or `to` was never champion.
    """
    if to is not None:
        if to == champion:
            raise DeliveryError(f"version {to} is the champion already")
        if all(entry.version != to or entry.event != "promoted" for entry in entries):
            raise DeliveryError(
                f"version {to} was never champion: `python -m delivery.promote --version {to}` asks the gates"
            )
        return to
    promotions = [entry for entry in entries if entry.event == "promoted" and entry.version == champion]
    if not promotions or promotions[-1].previous is None:
        raise DeliveryError(f"version {champion} replaced no champion: name one with --to, or promote another")
    return promotions[-1].previous


def main(arguments: list[str] | None = None) -> int:
    """Run the command: 0 restored, 2 not."""
    parser = argparse.ArgumentParser(prog="python -m delivery.rollback", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--to", type=int, help="version that was champion once (default: the one before)")
    options = parser.parse_args(arguments)

    def work() -> None:
        if is_unwritten():
            raise DeliveryError(_NO_CHAMPION)
        entry = roll_back(connect(), options.to)
        print(f"rollback: version {entry.version} of {MODEL} is champion again, version {entry.previous} no more")

    return run_command("rollback", work, within=server_session())


if __name__ == "__main__":
    sys.exit(main())
