"""Write into the ledger that a person declined a version: ``python -m delivery.decline [--rev HEAD] --why TEXT``.

It is a refusal as that of a gate: against the same champion no pipeline asks for the version again. A person may still
promote it by its number.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from delivery.errors import DeliveryRefusedError
from delivery.registry.lease import claimed
from delivery.registry.registry import CHAMPION, Entry, append, version_with_alias
from delivery.registry.server import MODEL, connect, server_session
from delivery.registry.undecided import version_of_revision, why_decided
from delivery.revision.revision import resolve
from stages.common.command import run_command

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PERSON = "a person"
LONGEST_REASON = 1000


def decline(client: MlflowClient, version: ModelVersion, why: str) -> Entry:
    """Refuse a version.

    Raises
    ------
    DeliveryRefusedError
        When it has had its verdict.
    """
    with claimed(client) as claim:
        if decided := why_decided(client, version):
            raise DeliveryRefusedError(f"version {version.version} is not declined: {decided}")
        champion = version_with_alias(client, CHAMPION)
        return append(client, claim, "refused", version, previous=champion, reasons=[PERSON], evidence={"why": why})


def main(arguments: list[str] | None = None) -> int:
    """Run the command: 0 declined, 1 the version has had its verdict, 2 could not."""
    parser = argparse.ArgumentParser(prog="python -m delivery.decline", description=__doc__.split(":")[0])
    parser.add_argument("--rev", default="HEAD", help="commit whose version is declined (default: HEAD)")
    parser.add_argument("--why", required=True, type=_reason, metavar="TEXT", help="for the ledger; no word of a note")
    options = parser.parse_args(arguments)

    def work() -> None:
        client = connect()
        entry = decline(client, version_of_revision(client, resolve(options.rev)), options.why)
        print(f"decline: version {entry.version} of {MODEL} stays what it was (ledger {entry.number})")

    return run_command("decline", work, within=server_session())


def _reason(given: str) -> str:
    if not given.strip() or len(given) > LONGEST_REASON:
        raise argparse.ArgumentTypeError(f"write a sentence, of {LONGEST_REASON} characters at most")
    return given


if __name__ == "__main__":
    sys.exit(main())
