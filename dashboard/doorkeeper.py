"""Who may speak to the dashboard: pages of its own, under its own name; what else a browser shows, may not.

Streamlit takes any name for its own, so a page of another host could point its name at 127.0.0.1 (DNS rebinding) and
read notes; it takes a page of any other port of this machine for its own; and it asks the internet for the address of
this machine before it refuses a page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

OWN = ("127.0.0.1", "localhost")
"""Names of this machine to itself."""
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # charts are compiled, the desk is a module
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""A page loads nothing from another host, whatever is written in it, and stands in no page of another."""
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Doorkeeper:
    """Passes on what comes from the dashboard's own pages, or from no page at all; refuses all else.

    Parameters
    ----------
    application : callable
        Of ASGI.
    behind : collection of str
        Names by which a proxy is reached.
    """

    def __init__(self, application: Application, behind: Collection[str] = ()) -> None:
        self.application = application
        self.behind = frozenset(name.lower() for name in behind)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request or a websocket."""
        if scope["type"] not in ("http", "websocket"):
            return await self.application(scope, receive, send)
        why = refused(given(scope, b"host"), given(scope, b"origin"), self.behind)
        if why is None:
            # Streamlit would ask the internet for this machine's address to judge an origin that it does not know.
            heard = [header for header in scope["headers"] if header[0].lower() != b"origin"]
            return await self.application({**scope, "headers": heard}, receive, _with_headers(send))
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": f"dashboard: {why}\n".encode()})


def given(scope: Message, name: bytes) -> list[str]:
    """Return what a header says, as often as it was sent."""
    return [value.decode("latin-1").strip().lower() for key, value in scope["headers"] if key.lower() == name]


def refused(hosts: Sequence[str], origins: Sequence[str], behind: Collection[str] = ()) -> str | None:
    """Return why a request is refused, None where it is not.

    Parameters
    ----------
    hosts, origins : sequence of str
        What the headers say. Programs send no origin; a browser does, with every websocket.
    behind : collection of str
        Names by which a proxy is reached.
    """
    host = _name_of(f"//{hosts[0]}") if len(hosts) == 1 else None
    if host is None or host not in (*OWN, *behind):
        return "this is no name of it; behind a proxy, say under which one: python -m dashboard --behind NAME"
    if not origins:
        return None
    parts = urlsplit(origins[0])
    same = parts.netloc == hosts[0] or (host in behind and _name_of(origins[0]) == host)
    if len(origins) != 1 or parts.scheme not in ("http", "https") or not same:
        return "it answers to its own pages alone"
    return None


def _name_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return sent
