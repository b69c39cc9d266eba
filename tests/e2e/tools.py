"""Annotation tools as servers on the loopback, and a small client for what they speak."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any


class Client:
    """Speaks JSON with one server; keeps its cookies."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url, self.headers = url, dict(headers or {})
        self.cookies = CookieJar()
        no_proxy = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(no_proxy, urllib.request.HTTPCookieProcessor(self.cookies))

    def __call__(
        self, method: str, path: str, data: Any = None, *, raw: bytes | None = None, kind: str = "application/json"
    ) -> Any:
        body = json.dumps(data).encode() if data is not None else raw
        token = next((cookie.value for cookie in self.cookies if cookie.name == "csrftoken"), None)
        headers = {
            "Content-Type": kind,
            "Referer": self.url,
            **self.headers,
            **({"X-CSRFToken": token} if token else {}),
        }
        request = urllib.request.Request(self.url + path, method=method, data=body, headers=headers)
        try:
            with self._opener.open(request, timeout=120) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:1000]!r}") from None
        with suppress(ValueError):
            return json.loads(content or b"null")
        return content


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path) -> Iterator[None]:
    """Run a server in its own process group, and end that group."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=dict(environment), cwd=folder, stdout=output, stderr=output, start_new_session=True
        ) as process,
    ):
        try:
            yield
            assert process.poll() is None, f"ended early: {log.read_text(errors='replace')[-3000:]}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(client: Client, path: str, seconds: float, log: Path) -> None:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            client("GET", path)
        except (OSError, AssertionError):
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"no answer in {seconds} s: {log.read_text(errors='replace')[-3000:]}")
