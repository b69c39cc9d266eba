"""Serve a model over HTTP.

    python -m production.serve
    python -m production.serve --model models:/behealthy-extractor@champion --port 5001

Notes stay on this machine: it listens on the loopback. Beyond it (`--host`), clients must send the token that
BEHEALTHY_TOKEN names. What a request may cost is in `params.yaml`, under `service`.

Exit codes: 0 ended by SIGTERM or Ctrl-C, what was begun answered; 2 not served.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from production.service.models import HELP, MODELS, opened_model
from stages.common.command import run_command
from stages.common.errors import BeHealthyError
from stages.common.variables import TOKEN

_LEAST_TOKEN = 16


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=5001, help="port (default: 5001; 0: any that is free)")
    parser.add_argument("--model", default=MODELS, help=HELP)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    options = parser.parse_args(arguments)
    if options.workers < 1:
        parser.error("--workers must be at least 1")
    if not 0 <= options.port <= 65535:
        parser.error("--port must be between 0 and 65535")
    return options


def token_for(host: str) -> str | None:
    """Return the token that clients must send, if there is one.

    Raises
    ------
    BeHealthyError
        When there is none and others than this machine could ask, or it can be guessed.
    """
    token = os.environ.get(TOKEN)
    if token is None:
        if not _is_loopback(host):
            raise BeHealthyError(
                f"whoever reaches {host} could have notes read: set {TOKEN} to a secret of theirs and yours"
                " (`openssl rand -hex 32`), or listen on 127.0.0.1"
            )
        return None
    if len(token) < _LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise BeHealthyError(
            f"{TOKEN} is no token: take {_LEAST_TOKEN} or more ASCII characters without blanks (`openssl rand -hex 32`)"
        )
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("serve", lambda: _serve(options))


def _serve(options: argparse.Namespace) -> None:
    token = token_for(options.host)
    from production.service.params import load_params

    params = load_params()
    with opened_model(options.model) as model, _listening(options.host, options.port) as listener:
        from production.service.application import build_application

        print(f"serve: version {model.version} on http://{_shown(listener)}", flush=True)
        faults: list[BeHealthyError] = []
        application = build_application(model, params, workers=options.workers, token=token, failed=faults.append)
        _run(application, listener, faults, params.request_seconds)


def _run(application: Any, listener: socket.socket, faults: list[BeHealthyError], seconds: float) -> None:
    """Serve until a signal comes, or a fault; `seconds` is what requests in work have left then."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            with _ending(self):
                yield

        async def on_tick(self, counter: int) -> bool:
            return await super().on_tick(counter) or bool(faults)

    config = uvicorn.Config(
        application, log_level="warning", access_log=False, server_header=False, lifespan="on", ws="none",
        timeout_graceful_shutdown=int(seconds) + 1,
    )  # fmt: skip
    Server(config).run(sockets=[listener])
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


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise BeHealthyError(
            f"cannot listen on {host}, port {port} ({error.strerror}): give another --port, or end what has it"
        ) from None
    with listener:
        yield listener


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
