"""What pipelines ask of production: who is told that one failed, and whether a person must approve a promotion.

    python -m production.pipelines failed training_pipeline --task promote --run RUN    open its alert, and send it
    python -m production.pipelines passed training_pipeline --run RUN                   close it, where one is open
    python -m production.pipelines approval                      must a person approve the version of HEAD?
    python -m production.pipelines promote --rev HEAD --approved TIME         promote it; without TIME: nobody approved

An alert goes where alerts of the watch go, to the channels of BEHEALTHY_ALERTS, by the same outbox; where the database
does not answer, it is sent without being kept.

`promote` asks again what `approval` asked: what was decided since then, or since a person approved, is not passed by.

Exit codes: 0 done, or (approval) a person must approve; 1 people could not be told, or (promote) a gate refuses or a
person must approve; 2 could not; 40 (approval) nobody has to. No fault ends with 40: what fails leaves the promotion to
a person, or to nobody.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from production.database.engine import DatabaseError, database_session
from production.deadline import within
from production.watch.names import PIPELINES
from stages.common.command import DONE, REFUSED, place_of, run_command
from stages.common.errors import BeHealthyError
from stages.common.variables import ALERTS
from stages.common.wording import counted
from stages.monitor.times import as_time

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from sqlalchemy import Engine

    from delivery.registry.registry import Entry
    from production.watch.channels import Channels
    from production.watch.params import WatchParams

NOBODY = 40
ANSWERING = 30.0
"""Seconds that the database is given until an alert is sent without it."""
AHEAD = timedelta(minutes=5)
"""So far the clock of Airflow may be ahead of this one."""
T = TypeVar("T")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.pipelines", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    failed = commands.add_parser("failed", help="tell people that a task of a pipeline failed")
    failed.add_argument("--task", required=True, type=_name_argument, help="its name")
    failed.set_defaults(run=run_failed)
    passed = commands.add_parser("passed", help="tell people that a pipeline runs through again, where they were told")
    passed.set_defaults(run=run_passed)
    for command in (failed, passed):
        command.add_argument("pipeline", choices=PIPELINES)
        command.add_argument("--run", dest="run_id", required=True, type=_name_argument, help="as Airflow names it")
    approval = commands.add_parser("approval", help="must a person approve the promotion of a version?")
    approval.add_argument("--rev", default="HEAD", help="commit that it was registered for (default: HEAD)")
    approval.set_defaults(run=run_approval)
    promote = commands.add_parser("promote", help="promote a version, where nobody has to approve it, or a person did")
    promote.add_argument("--rev", required=True, help="commit that it was registered for")
    promote.add_argument("--approved", default="", metavar="TIME", help="when a person approved it; empty: nobody did")
    promote.set_defaults(run=run_promote)
    return parser.parse_args(arguments)


def run_failed(options: argparse.Namespace) -> int:
    """Open the alert, and send it; whatever is at fault beside it, send it all the same."""
    from production.watch.channels import Channels, addresses, load_channels
    from production.watch.params import load_params
    from production.watch.pipelines import failure, tell_failed, tell_without_database

    now, about = datetime.now(UTC), (options.pipeline, options.task, options.run_id)
    channels = Channels(tuple(addresses()))
    try:
        params = load_params()
        channels = load_channels(params)
        told = _in_time(lambda: tell_failed(_engine(), *about, now, params, channels))
        print(f"pipelines: {options.pipeline} failed: {'its alert is open' if told else 'people know'}")
        with database_session():
            failed = _send(params, channels)
    except Exception as error:  # whatever it is: people are told
        unreached = tell_without_database(failure(*about, now), channels)
        failed = bool(unreached)
        _say_past(error, options.pipeline, len(unreached))
    if not channels.telling:
        print(f"pipelines: NOBODY was told: {ALERTS} has no address, and watch.issues is false", file=sys.stderr)
    return REFUSED if failed or not channels.telling else DONE


def _say_past(error: Exception, pipeline: str, unreached: int) -> None:
    """Say why people were told without the database, and how many were not reached."""
    why = str(error) if isinstance(error, BeHealthyError) else place_of(error)
    print(f"pipelines: {why}", file=sys.stderr)
    print(f"pipelines: {pipeline} failed: sent without the database, {unreached} not delivered")


def _in_time(work: Callable[[], T]) -> T:
    """Ask the database; one that takes the connection and says nothing must not keep an alert back.

    Raises
    ------
    DatabaseError
        When it did not do it, or not in time.
    """

    def asked() -> T:
        with database_session():
            return work()

    return within(ANSWERING, asked, DatabaseError(f"the database did not answer within {ANSWERING:g} s"))


def run_passed(options: argparse.Namespace) -> int:
    """Close the alert, and send that it is over."""
    from production.watch.channels import load_channels
    from production.watch.params import load_params
    from production.watch.pipelines import tell_passed

    params = load_params()
    channels = load_channels(params)
    told = tell_passed(_engine(), options.pipeline, options.run_id, datetime.now(UTC), params, channels)
    if told is None:
        print(f"pipelines: {options.pipeline} runs through; no alert is open that this run ends")
        return DONE
    print(f"pipelines: {options.pipeline} runs through: its alert is over")
    return REFUSED if _send(params, channels) else DONE


def run_approval(options: argparse.Namespace) -> int:
    """Say whether a person must approve."""
    from delivery.registry.server import connect, server_session
    from delivery.registry.undecided import version_of_revision, why_decided
    from delivery.revision.revision import resolve
    from production.watch.approving import why_a_person
    from production.watch.params import load_params

    with server_session():
        client = connect()
        version = version_of_revision(client, resolve(options.rev))
        decided = why_decided(client, version)
    if decided:
        print(f"pipelines: nothing to approve: version {version.version}: {decided}")
        return NOBODY
    why = why_a_person(_engine(), load_params(), datetime.now(UTC), _number_of_champion(client))
    if why:
        print(f"pipelines: a person must approve version {version.version}: {why}")
        return DONE
    print(f"pipelines: nobody has to approve version {version.version}: nothing that was decided asks for a person")
    return NOBODY


def run_promote(options: argparse.Namespace) -> int:
    """Promote a version, if nothing was decided meanwhile that asks for a person who knows of it."""
    from delivery.promote import promote_named
    from delivery.registry.server import server_session

    approved = _moment(options.approved, datetime.now(UTC))
    with server_session():
        return promote_named(None, options.rev, check=lambda version: _refuse_past_a_person(version, approved))


def _refuse_past_a_person(version: ModelVersion, approved: datetime | None) -> None:
    """Refuse where a person must approve, and none did who could know why.

    Raises
    ------
    BeHealthyError
        When a person has to look (again).
    """
    from delivery.errors import DeliveryRefusedError
    from delivery.registry.registry import ledger
    from delivery.registry.server import connect
    from production.watch.approving import why_a_person
    from production.watch.params import load_params

    client = connect()
    why = why_a_person(_engine(), load_params(), datetime.now(UTC), _number_of_champion(client), approved)
    if approved and not why and _is_other_champion_since(approved, ledger(client), int(version.version)):
        why = "since a person approved it, another version became champion"
    if why:
        raise DeliveryRefusedError(
            f"version {version.version} is not promoted: a person must approve it: {why}. The next run asks"
        )


def _is_other_champion_since(approved: datetime, ledger: Sequence[Entry], number: int) -> bool:
    begun = approved.replace(microsecond=0)  # as precise as the ledger
    changes = [entry for entry in ledger if entry.event != "refused" and entry.version != number]
    return any(datetime.fromisoformat(entry.at) >= begun for entry in changes)


def _number_of_champion(client: MlflowClient) -> str | None:
    from delivery.registry.registry import CHAMPION, version_with_alias

    version = version_with_alias(client, CHAMPION)
    return None if version is None else str(version.version)


def _moment(given: str, now: datetime) -> datetime | None:
    """Read when a person approved; None where nobody did.

    Raises
    ------
    BeHealthyError
        When it is no time, or one that is to come: it would answer what nobody knows yet.
    """
    if not given:
        return None
    try:
        approved = as_time(given)
    except (ValueError, OverflowError):
        raise BeHealthyError("--approved is a time, as 2026-11-30T14:00:00+00:00, or empty") from None
    if approved > now + AHEAD:
        raise BeHealthyError("--approved is a time that is to come: some clock is wrong; set it, and approve again")
    return approved


def _send(params: WatchParams, channels: Channels) -> int:
    """Send what is due, once; return how many messages failed."""
    from functools import partial

    from production.watch.sending import send_due

    sent = send_due(_engine(), params, channels, partial(datetime.now, UTC))
    print(f"pipelines: {counted(sent.delivered, 'message')} sent, {sent.failed:,} failed")
    return sent.failed


def _engine() -> Engine:
    from production.database.revision import open_database

    return open_database()


def _name_argument(given: str) -> str:
    if not given.strip() or len(given) > 300 or not given.isprintable():
        raise argparse.ArgumentTypeError("write a name, of 300 characters at most")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("pipelines", lambda: options.run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())
