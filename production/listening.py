"""Where what answers over HTTP listens, and who may ask: this machine, or whoever has the token."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from stages.common.errors import BeHealthyError
from stages.common.variables import TOKEN

_LEAST_TOKEN = 16


def token_for(host: str, could: str = "have notes read") -> str | None:
    """Return the token that clients must send, if there is one.

    Parameters
    ----------
    host : str
        Address to listen on.
    could : str
        What others could do without one, as the error says it.

    Raises
    ------
    BeHealthyError
        When there is none and others than this machine could ask, or it can be guessed.
    """
    token = os.environ.get(TOKEN)
    if token is None:
        if not _is_loopback(host):
            raise BeHealthyError(
                f"whoever reaches {host} could {could}: set {TOKEN} to a secret of theirs and yours"
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


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen within the block.

    Raises
    ------
    BeHealthyError
        When the port is taken, or the address not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]  # Python adds the address once more
        raise BeHealthyError(
            f"cannot listen on {host}, port {port} ({why}): give another --port, or end what has it"
        ) from None
    with listener:
        yield listener


def shown(listener: socket.socket) -> str:
    """Return host and port as a URL has them."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
