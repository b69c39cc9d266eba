"""Serve a model over HTTP.

    python -m production.serve
    python -m production.serve --model models:/behealthy-extractor@champion --port 5001
    python -m production.serve --log serving-log

Notes stay on this machine: it listens on the loopback. Beyond it (`--host`), clients must send the token that
BEHEALTHY_TOKEN names. What a request may cost is in `params.yaml`, under `service`. A model that has an alias of the
registry is looked up again every `inference.champion_seconds`: a promotion or rollback needs no restart.

With --log, notes that were served are described there, without a word of them, for `python -m stages.monitor --log`.

Exit codes: 0 ended by SIGTERM or Ctrl-C, what was begun answered; 2 not served.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from production.arguments import workers_argument
from production.listening import listening, shown, token_for
from production.service.models import HELP, MODELS, opened_model
from stages.common.command import run_command
from stages.common.errors import BeHealthyError

if TYPE_CHECKING:
    from production.inference.load_model import Model
    from production.service.measures import Measures
    from production.service.params import ServiceParams
    from production.service.served import Served
    from production.service.serving_log import ServingLog


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=5001, help="port (default: 5001; 0: any that is free)")
    parser.add_argument("--model", default=MODELS, help=HELP)
    parser.add_argument(
        "--workers", type=workers_argument, default=os.cpu_count() or 1, help="processes (default: one a core)"
    )
    parser.add_argument("--log", metavar="FOLDER", help="folder, or URL such as s3://…, of the serving log")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error("--port must be between 0 and 65535")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("serve", lambda: _serve(options))


def _serve(options: argparse.Namespace) -> None:
    token = token_for(options.host)
    from production.inference.params import load_params as load_inference_params
    from production.service.measures import Measures
    from production.service.params import load_params
    from production.service.pool import HostPool
    from production.service.served import Served

    params, inference, measures = load_params(), load_inference_params(), Measures()

    def pool_of(model: Model) -> HostPool:
        return HostPool(model, workers=options.workers, note_seconds=params.note_seconds, measures=measures)

    with opened_model(options.model) as opened, listening(options.host, options.port) as listener:
        log = open_log(options.log, inference.log_rate, measures)
        served = Served(opened.model, pool_of, measures, log)
        try:
            served.begin()  # before the application is imported, which takes longer than they do
            from production.service.application import build_application

            print(f"serve: version {opened.model.version} on http://{shown(listener)}", flush=True)
            faults: list[BeHealthyError] = []
            application = build_application(
                served, params, measures, token=token, failed=faults.append,
                loaded=partial(_follow, served, opened.find, inference.champion_seconds),
            )  # fmt: skip
            _run(application, listener, faults, params)
        finally:
            served.stop()


def _follow(served: Served, find: Callable[[], Model] | None, seconds: float) -> None:
    if find is not None:
        served.follow(find, seconds)


def open_log(place: str | None, rate: float, measures: Measures) -> ServingLog | None:
    """Open the log of what is served, where there is to be one.

    Raises
    ------
    BeHealthyError
        When git would take it, or the key of the names in it is lost.
    """
    if place is None:
        return None
    from production.database.engine import address, ensure_private, folder_of
    from production.inference.log_key import log_key
    from production.log.folder import open_folder
    from production.record.work_tree import refuse_shared
    from production.service.journals import Journals
    from production.service.serving_log import ServingLog

    if "://" not in place:
        refuse_shared(Path(place), option="--log", holds="it says what was served")
        ensure_private(Path(place))
    folder, private = open_folder(place), folder_of(address())
    journals = Journals(_journal_folder(place, private))
    key = log_key(private, in_use=lambda: folder.has_rows() or bool(journals.paths()))
    log = ServingLog(folder, key, rate, measures.logged, journals, measures.log_failing)
    measures.watch_log(lambda: log.waiting)
    return log


def _journal_folder(place: str, private: Path) -> Path:
    """Return where rows are until they are in the log: in its own folder, or beside the key where it is none."""
    if "://" not in place:
        return Path(place) / ".journals"  # also where nothing else can be written to
    return private / "journals" / hashlib.sha256(place.encode()).hexdigest()[:16]


def _run(application: Any, listener: socket.socket, faults: list[BeHealthyError], params: ServiceParams) -> None:
    """Serve until a signal comes, or a fault; requests in work have their time left then."""
    import uvicorn

    from production.service.arrival import uvicorn_config

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            with _ending(self):
                yield

        async def on_tick(self, counter: int) -> bool:
            return await super().on_tick(counter) or bool(faults)

    Server(uvicorn_config(application, params)).run(sockets=[listener])
    if faults:
        raise faults[0]


@contextmanager
def _ending(server: Any) -> Iterator[None]:
    """End in order on a signal, with exit code 0; uvicorn would raise it again afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, server.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
