"""Watch what is served: judge each window of the serving log, keep the decision, start what it asks for, tell people.

    python -m production.watch run                   every window that is over and was not judged yet
    python -m production.watch run --send            and send what follows from them
    python -m production.watch send --watch          send what waits, until asked to end
    python -m production.watch send --again          send what was given up, too
    python -m production.watch status                the last decisions, open alerts, what was not delivered
    python -m production.watch reset --why TEXT      the notes may be as they are now: compare with them from here on

Run `run` as often as you like, by cron or Airflow: a window is judged once, when it is over. What is told, and how
often, stands in the section `watch` of params.yaml; to whom, in the variable BEHEALTHY_ALERTS.

Exit codes: 0 done; 1 a decision is unknown, a message failed, or (status) something is overdue, undelivered or alerts;
2 could not.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from production.arguments import count_argument
from production.database.engine import database_session
from stages.common.command import DONE, REFUSED, run_command
from stages.common.variables import ALERTS
from stages.common.wording import counted, decision_in_words
from stages.monitor.invocation import TRAINING_PROFILE

LONGEST_REASON = 1000
_FOLLOWS = (
    ("trigger", "a retraining is started"),
    ("held", "a retraining is not started: `python -m production.decisions list` says why"),
    ("alert", "people are told"),
    ("over", "people are told that it is over"),
)

NOBODY = "nobody is told: BEHEALTHY_ALERTS has no address, and watch.issues is off"

if TYPE_CHECKING:
    from production.watch.consequences import Consequences
    from production.watch.judging import Judged
    from production.watch.running import Place


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.watch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="judge the windows that are over")
    run.add_argument("--log", type=Path, help="a folder of the serving log (default: the rows of the database)")
    run.add_argument("--profile", type=Path, default=TRAINING_PROFILE, help="training profile (default: %(default)s)")
    run.add_argument("--report", type=Path, metavar="FOLDER", help="draw Evidently's page of each window that alerts")
    run.add_argument("--send", action="store_true", help="then send what waits, once")
    run.set_defaults(run=run_watch)
    send = commands.add_parser("send", help="send the messages that wait")
    send.add_argument("--watch", action="store_true", help="go on until asked to end")
    send.add_argument("--again", action="store_true", help="first take up what was given up")
    send.set_defaults(run=run_send)
    status = commands.add_parser("status", help="what was decided, what is open")
    status.add_argument("--last", type=count_argument, default=10, help="windows shown (default: 10)")
    status.add_argument("--json", action="store_true", help="print JSON")
    status.set_defaults(run=run_status)
    new = commands.add_parser("reset", help="compare with what is served from here on")
    new.add_argument(
        "--why", required=True, type=_reason_argument, metavar="TEXT", help="kept with the decision; no word of a note"
    )
    new.set_defaults(run=run_reset)
    return parser.parse_args(arguments)


def run_watch(options: argparse.Namespace) -> int:
    """Judge windows, a line each."""
    from production.watch.running import watch

    place = _place(options)
    unknown = done = messages = alerting = 0

    def tell(judged: Judged, follows: Consequences) -> None:
        nonlocal messages
        messages += len(follows.messages)
        _tell(judged, follows, told=bool(place.channels.telling))

    for judged in watch(place, datetime.now(UTC), tell):
        done += 1
        alerting += judged.finding.alerting
        unknown += judged.finding.decision == "unknown"
        if options.report and judged.finding.alerting:
            _draw(judged, options.report)
    if alerting and not place.channels.telling:
        print(f"watch: NOBODY was told: {ALERTS} has no address, and watch.issues is false", file=sys.stderr)
    print(
        f"watch: {counted(done, 'window')} judged"
        if done
        else f"watch: no window is over that was not judged{_next(place)}"
    )
    if messages and not options.send:
        print(f"next: `python -m production.watch send`, for {counted(messages, 'message')}")
    failed = options.send and run_send(argparse.Namespace(watch=False, again=False))
    return REFUSED if unknown or failed else DONE


def run_send(options: argparse.Namespace) -> int:
    """Send what is due, once or until asked to end."""
    import threading
    from functools import partial

    from production.database.revision import open_database
    from production.watch.channels import load_channels
    from production.watch.checking import check_channels
    from production.watch.claiming import try_again
    from production.watch.params import load_params
    from production.watch.sending import run_sender, send_due

    params = load_params()
    check_channels(params)
    engine, channels = open_database(), load_channels(params)
    now, stopping = partial(datetime.now, UTC), threading.Event()
    if options.again:
        print(f"watch: {counted(try_again(engine, now(), params), 'message')} taken up again")
    for asked in (signal.SIGTERM, signal.SIGINT):  # a message on its way is finished, and no other begun
        signal.signal(asked, lambda *_: stopping.set())
    if options.watch:
        sent = run_sender(engine, params, channels, now, stopping)
    else:
        sent = send_due(engine, params, channels, now, stopping=stopping)
        if stopping.is_set():
            raise KeyboardInterrupt
    failed = f", {sent.failed:,} failed and are tried again later" if sent.failed else ""
    print(f"watch: {counted(sent.delivered, 'message')} sent{failed}")
    return REFUSED if sent.failed else DONE


def run_status(options: argparse.Namespace) -> int:
    """Show what was decided and what is open."""
    from production.database.revision import open_database
    from production.watch.params import load_params
    from production.watch.status import show, status

    found = status(open_database(), load_params(), datetime.now(UTC), options.last)
    show(found, as_json=options.json)
    return REFUSED if found["attention"] else DONE


def run_reset(options: argparse.Namespace) -> None:
    """Begin anew."""
    from production.database.revision import open_database
    from production.watch.channels import load_channels
    from production.watch.keeping import reset
    from production.watch.params import load_params

    params = load_params()
    version = reset(open_database(), options.why, datetime.now(UTC), params, load_channels(params))
    print(f"watch: what version {version} serves from now on is the new reference")


def _reason_argument(given: str) -> str:
    if not given.strip() or len(given) > LONGEST_REASON:
        raise argparse.ArgumentTypeError(f"write a sentence, of {LONGEST_REASON} characters at most")
    return given


def _place(options: argparse.Namespace) -> Place:
    from production.database.revision import open_database
    from production.watch.channels import load_channels
    from production.watch.params import load_params
    from production.watch.running import Place
    from stages.monitor.params import load_params as load_monitor_params
    from stages.train.params import load_params as load_train_params

    params, promised = load_params(), load_train_params().acceptance.precision
    channels = load_channels(params)
    return Place(open_database(), params, load_monitor_params(), promised, channels, options.profile, options.log)


def _next(place: Place) -> str:
    from production.watch.status import due

    at = due(place.engine, place.params, datetime.now(UTC))
    return f"; the next one can be at {at:%Y-%m-%d %H:%M} UTC" if at else ""


def _tell(judged: Judged, follows: Consequences, *, told: bool) -> None:
    finding = judged.finding
    of = "what was learned from" if judged.reference == "profile" else "what was served first"
    print(f"{finding.period}: against {of}: {decision_in_words(finding.decision)}")
    for reason in finding.reasons[:3]:
        print(f"  {reason}")
    for number, what in _FOLLOWS:
        if (decision := getattr(follows, number)) is not None:
            nobody = number in ("alert", "over") and not told
            print(f"  {NOBODY if nobody else what} (decision {decision})")


def _draw(judged: Judged, folder: Path) -> None:
    """Draw the page of a window, beside which the decision's own figures stand."""
    from stages.monitor.drift_page import draw_drift

    if judged.sides is None or judged.comparison is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{judged.period.name.replace(' ', '-')}.html"
    if draw_drift(*judged.sides, judged.comparison.drift, judged.comparison.decision, page):
        print(f"  see {page}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("watch", lambda: options.run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())
