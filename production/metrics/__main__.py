"""What production does, for Prometheus: queue, quarantine, drift, decisions, quality, reviews, messages. No notes.

    python -m production.metrics write --to FILE.prom    for node_exporter's textfile collector; after batches, by cron
    python -m production.metrics serve                   http://127.0.0.1:9464/metrics, read when it is asked

One of the two is enough. Both read the database and no process, so they tell of all workers, however many there are.
`serve` listens on the loopback. Beyond it (`--host`), Prometheus must send the token that BEHEALTHY_TOKEN names.

What could not be read is left out, and behealthy_collect_failed is 1 for its part: alert on that too.

Exit codes: 0 done, or ended by SIGTERM; 1 written, with a part that could not be read; 2 could not.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from production.arguments import port_argument
from stages.common.command import DONE, REFUSED, run_command

if TYPE_CHECKING:
    from production.metrics.collecting import Exporter
    from production.metrics.parts import Place

PORT = 9464


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.metrics", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="write them to a file, in place of the last ones at once")
    write.add_argument(
        "--to", type=_file_argument, required=True, metavar="FILE.prom", help="in a folder that is there"
    )
    write.set_defaults(run=run_write)
    serve = commands.add_parser("serve", help="answer GET /metrics until asked to end")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=port_argument, default=PORT, help=f"port (default: {PORT}; 0: any that is free)")
    serve.set_defaults(run=run_serve)
    return parser.parse_args(arguments)


def run_write(options: argparse.Namespace) -> int:
    """Write a file, also where parts failed: what is left out there, and said to have failed, is an alert."""
    from prometheus_client import generate_latest

    from stages.common.files import replacing

    options.to.parent.stat()  # a folder that is not there is no folder of node_exporter
    exporter = _exporter()
    with replacing(options.to) as file:
        file.write(generate_latest(exporter.registry()))
    return REFUSED if exporter.failed else DONE


def run_serve(options: argparse.Namespace) -> None:
    """Serve until a signal comes."""
    from production.listening import token_for
    from production.metrics.answering import answering
    from production.metrics.collecting import PATIENCE

    token = token_for(options.host, "read how much is done here")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with answering(_exporter(PATIENCE).registry(), options.host, options.port, token) as address:
        print(f"metrics: http://{address}/metrics", flush=True)
        ended.wait()


def _exporter(patience: float | None = None) -> Exporter:
    from production.metrics.collecting import Exporter

    return Exporter(_place, patience=patience)


def _place() -> Place:
    from production.database.revision import open_database
    from production.metrics.parts import Place
    from production.watch.params import load_params
    from stages.train.params import load_params as load_train_params

    return Place(open_database(), load_params(), load_train_params().acceptance.precision)


def _file_argument(given: str) -> Path:
    path = Path(given)
    if path.suffix != ".prom":
        raise argparse.ArgumentTypeError("node_exporter reads files that end with .prom")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("metrics", lambda: options.run(options))


if __name__ == "__main__":
    sys.exit(main())
