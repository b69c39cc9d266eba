"""A client of GitHub's REST API, for the few things that a pipeline says there.

What was lost on the way is asked for again; what may have been done is never blindly done twice. PyGithub sends and
reads, tenacity comes back.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from delivery.errors import DeliveryError
from delivery.github.answers import AskAgainError, LostAnswerError, RefusedError, next_page, rate_limit, refused

if TYPE_CHECKING:
    from github.Requester import Requester

T = TypeVar("T")

ATTEMPTS = 5
TIMEOUT = 30
PAGE = 100
VERSION = "2022-11-28"
"""Of the API."""

_BACKOFF = wait_exponential(multiplier=1, exp_base=2)  # 1, 2, 4, 8 seconds


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
        return self._send("GET", self._path(path), query)[1]

    def post(self, path: str, content: dict[str, Any]) -> Any:
        """Create something.

        Raises
        ------
        LostAnswerError
            When the answer was lost.
        """
        return self._send("POST", self._path(path), content=content)[1]

    def patch(self, path: str, content: dict[str, Any]) -> Any:
        """Change something."""
        return self._send("PATCH", self._path(path), content=content)[1]

    def delete(self, path: str) -> None:
        """Delete something."""
        self._send("DELETE", self._path(path))

    def pages(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page after page.

        Raises
        ------
        DeliveryError
            When the server sends the token elsewhere for the next page.
        """
        url, parameters = self._path(path), {**query, "per_page": PAGE}
        while url:
            headers, items = self._send("GET", url, parameters)
            yield from items
            url, parameters = next_page(headers), {}
            if url and not url.startswith(f"{self.api}/"):
                raise DeliveryError("the next page is on another server: GITHUB_API_URL is not what answers here")

    def login(self) -> str | None:
        """Return whose token it is; None for the token of a workflow, which may not ask."""
        try:
            return str(self._send("GET", "/user")[1]["login"])
        except RefusedError as refusal:
            if refusal.status == 403:
                return None
            raise

    def retrying(self, error: type[Exception]) -> Retrying:
        """Return what calls a function until it no longer raises this error, `ATTEMPTS` times at most."""
        return Retrying(
            retry=retry_if_exception_type(error),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_pause,
            sleep=self.wait,
            reraise=True,
        )

    @cached_property
    def _requester(self) -> Requester:
        """Return what sends. It neither comes back nor paces by itself: PyGithub would repeat a POST."""
        from github import Auth, Github

        return Github(
            auth=Auth.Token(self.token),
            base_url=self.api,
            timeout=TIMEOUT,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            api_version=VERSION,
        ).requester

    def _path(self, path: str) -> str:
        return f"/repos/{self.repository}/{path}"

    def _send(
        self,
        method: str,
        url: str,
        query: Mapping[str, str | int] | None = None,
        content: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], Any]:
        """Send, and send again where that is safe; return the answer's headers and content."""
        try:
            return self.retrying(AskAgainError)(self._try, method, url, query or {}, content)
        except AskAgainError as error:
            raise DeliveryError(f"GitHub: {error}, {ATTEMPTS} times: run the job again when it answers") from None

    def _try(
        self, method: str, url: str, query: Mapping[str, str | int], content: dict[str, Any] | None
    ) -> tuple[dict[str, Any], Any]:
        """Send once.

        Raises
        ------
        AskAgainError
            When it may be sent again.
        LostAnswerError
            When it may not: what creates something was perhaps done.
        DeliveryError
            When GitHub refuses, or something else answers at its address.
        """
        import requests

        server, accept = urlsplit(self.api).netloc, {"Accept": "application/vnd.github+json"}
        try:
            status, headers, text = self._requester.requestJson(method, url, dict(query), accept, content)
            if status < 300:
                return headers, json.loads(text) if text else None
            lost = f"{status} from {server}"
            limit = rate_limit(status, headers)
            if limit is not None:  # not done, whatever it was
                raise AskAgainError(lost, limit)
            if status < 500:
                raise refused(method, urlsplit(url).path, status, text)
        except requests.Timeout:
            lost = f"no answer from {server} within {TIMEOUT} s"
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            lost = f"no connection to {server} ({type(error).__name__})"
        except ValueError:
            lost = f"an answer from {server} that is no JSON"
        except RuntimeError:  # PyGithub's: a redirection to another server
            raise DeliveryError(f"{server} sends us to another server: correct GITHUB_API_URL") from None
        if method == "POST":
            raise LostAnswerError(f"GitHub: {lost}: it may have been done; run the command again, which looks first")
        raise AskAgainError(lost)


def connect() -> GitHub:
    """Return a client from what every job has in its environment.

    Raises
    ------
    DeliveryError
        When a variable is missing, and which.
    """
    values = {name: os.environ.get(name, "") for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY")}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise DeliveryError(f"{' and '.join(missing)} not set: a job sets them; by hand, export them")
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
    if urlsplit(api).scheme not in ("http", "https") or not urlsplit(api).netloc:
        raise DeliveryError("GITHUB_API_URL is no address: export https://api.github.com, or your own server's")
    return GitHub(api, values["GITHUB_REPOSITORY"], values["GITHUB_TOKEN"])


def ensure(find: Callable[[], T | None], create: Callable[[], T], update: Callable[[T], T], github: GitHub) -> T:
    """Create what is not there, update what is; after a lost answer, look again before creating.

    Raises
    ------
    DeliveryError
        When GitHub refuses, or loses every answer.
    """

    def look_and_do() -> T:
        present = find()
        return create() if present is None else update(present)

    return github.retrying(LostAnswerError)(look_and_do)


def _pause(state: RetryCallState) -> float:
    """Return the seconds that GitHub asks for, or a longer pause after every attempt."""
    error = state.outcome.exception() if state.outcome else None
    pause = error.pause if isinstance(error, AskAgainError) else None
    return _BACKOFF(state) if pause is None else pause
