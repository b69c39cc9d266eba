"""A client of GitHub's REST API, for the few things that a pipeline says there.

What was lost on the way is asked for again; what may have been done is never blindly done twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from delivery.errors import DeliveryError

if TYPE_CHECKING:
    from requests import Response

T = TypeVar("T")

ATTEMPTS = 5
LONGEST_WAIT = 120.0
"""Seconds; a rate limit that lasts longer fails instead of holding a runner."""
TIMEOUT = 30.0
PAGE = 100

_REMEDIES = {
    401: "the token is invalid or has expired: run the job again, or set GITHUB_TOKEN to a new one",
    403: "the token may not do this: give the job the permission in its workflow (a fork's token can only read)",
    404: "not found, or the token may not see it: check GITHUB_REPOSITORY, and the job's permissions",
    422: "GitHub refuses the content",
}


class LostAnswerError(DeliveryError):
    """The answer was lost: it may have been done. Look before doing it again."""


@dataclass(frozen=True)
class GitHub:
    """One repository, seen through the API.

    Parameters
    ----------
    api : str
        Address of the API, as `GITHUB_API_URL`.
    repository : str
        ``owner/name``.
    token : str
        Never printed.
    wait : callable
        Sleeps; another one in tests.
    """

    api: str
    repository: str
    token: str = field(repr=False)
    wait: Callable[[float], None] = time.sleep

    @property
    def owner(self) -> str:
        """Return whose repository it is."""
        return self.repository.split("/")[0]

    def get(self, path: str, **query: str | int) -> Any:
        """Return what is at a path below ``/repos/OWNER/NAME``."""
        return self._send("GET", self._url(path), params=query).json()

    def post(self, path: str, content: dict[str, Any]) -> Any:
        """Create something.

        Raises
        ------
        LostAnswerError
            When the answer was lost.
        """
        response = self._send("POST", self._url(path), json=content)
        return response.json() if response.content else None

    def patch(self, path: str, content: dict[str, Any]) -> Any:
        """Change something."""
        return self._send("PATCH", self._url(path), json=content).json()

    def delete(self, path: str) -> None:
        """Delete something."""
        self._send("DELETE", self._url(path))

    def pages(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page after page.

        Raises
        ------
        DeliveryError
            When the server sends the token elsewhere for the next page.
        """
        url, params = self._url(path), {**query, "per_page": PAGE}
        while url:
            response = self._send("GET", url, params=params)
            yield from response.json()
            url, params = response.links.get("next", {}).get("url", ""), {}
            if url and urlsplit(url).netloc != urlsplit(self.api).netloc:
                raise DeliveryError("the next page is on another server: GITHUB_API_URL is not what answers here")

    def login(self) -> str | None:
        """Return whose token it is; None for the token of a workflow, which may not ask."""
        try:
            return str(self._send("GET", f"{self.api}/user").json()["login"])
        except RefusedError as refusal:
            if refusal.status == 403:
                return None
            raise

    def _url(self, path: str) -> str:
        return f"{self.api}/repos/{self.repository}/{path}"

    def _send(self, method: str, url: str, **content: Any) -> Response:
        """Send, and send again where that is safe: not reached, not understood, or told to come back."""
        said = ""
        for attempt in range(ATTEMPTS):
            pause = 2.0**attempt
            response, said = self._try(method, url, content)
            limit = None if response is None else _limit(response)
            if limit is not None:  # not done, whatever it was
                if limit > LONGEST_WAIT:
                    raise DeliveryError(f"GitHub's rate limit lasts {limit:.0f} s more: run the job again after that")
                pause = limit
            elif response is not None and response.status_code < 500:
                return _accepted(method, response)
            elif method == "POST":
                raise LostAnswerError(
                    f"GitHub: {said}: it may have been done; run the command again, which looks first"
                )
            self.wait(pause)
        raise DeliveryError(f"GitHub: {said}, {ATTEMPTS} times: run the job again when it answers")

    def _try(self, method: str, url: str, content: dict[str, Any]) -> tuple[Response | None, str]:
        """Send once; return the answer, if there was one, and what to say of it."""
        import requests

        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        server = urlsplit(url).netloc
        try:
            response = requests.request(method, url, headers=headers, timeout=TIMEOUT, **content)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            return None, f"no connection to {server} ({type(error).__name__})"
        except requests.Timeout:
            return None, f"no answer from {server} within {TIMEOUT:.0f} s"
        return response, f"{response.status_code} from {server}"


class RefusedError(DeliveryError):
    """GitHub answered no.

    Parameters
    ----------
    status : int
        Of the answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def connect() -> GitHub:
    """Return a client from what every job has in its environment.

    Raises
    ------
    DeliveryError
        When a variable is missing, and which.
    """
    found = {name: os.environ.get(name, "") for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY")}
    missing = [name for name, value in found.items() if not value]
    if missing:
        raise DeliveryError(f"{' and '.join(missing)} not set: a job sets them; by hand, export them")
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
    return GitHub(api, found["GITHUB_REPOSITORY"], found["GITHUB_TOKEN"])


def ensure(find: Callable[[], T | None], create: Callable[[], T], update: Callable[[T], T], github: GitHub) -> T:
    """Create what is not there, update what is; after a lost answer, look again before creating.

    Raises
    ------
    DeliveryError
        When GitHub refuses, or loses every answer.
    """
    for attempt in range(ATTEMPTS):
        found = find()
        if found is not None:
            return update(found)
        try:
            return create()
        except LostAnswerError:
            if attempt == ATTEMPTS - 1:
                raise
            github.wait(2.0**attempt)
    raise AssertionError("unreachable")


def _limit(response: Response) -> float | None:
    """Return the seconds to wait when the answer is about a rate limit, None when it is not."""
    if response.status_code not in (403, 429):
        return None
    after = response.headers.get("Retry-After", "")
    if after.isdigit():
        return float(after)
    if response.headers.get("X-RateLimit-Remaining") == "0":
        return max(float(response.headers.get("X-RateLimit-Reset", "0")) - time.time(), 0.0) + 1.0
    return 60.0 if response.status_code == 429 else None


def _accepted(method: str, response: Response) -> Response:
    """Return the answer of a request that was accepted, or raise what was refused and why."""
    if response.status_code < 400:
        return response
    path = urlsplit(response.url).path
    remedy = _REMEDIES.get(response.status_code, "see GitHub's documentation of this request")
    try:
        body = response.json()
        faults = [fault.get("message", "") if isinstance(fault, dict) else fault for fault in body.get("errors", [])]
        said = ", ".join(filter(None, [body.get("message"), *faults]))
    except (ValueError, AttributeError):
        said = "no reason given"
    raise RefusedError(
        f"GitHub refused {method} {path} with {response.status_code} ({said}): {remedy}", response.status_code
    )
