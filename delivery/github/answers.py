"""What an answer of GitHub means: refused and why, to be asked for again, or lost."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from delivery.errors import DeliveryError

LONGEST_WAIT = 120.0
"""Seconds; a rate limit that lasts longer fails instead of holding a runner."""

_REMEDIES = {
    401: "the token is invalid or has expired: run the job again, or set GITHUB_TOKEN to a new one",
    403: "the token may not do this: give the job the permission in its workflow (a fork's token can only read)",
    404: "not found, or the token may not see it: check GITHUB_REPOSITORY, and the job's permissions",
    422: "GitHub refuses the content",
}
_MOVED = "it has moved: correct GITHUB_REPOSITORY"


class LostAnswerError(DeliveryError):
    """The answer was lost: it may have been done. Look before doing it again."""


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


class AskAgainError(DeliveryError):
    """Nothing was done, or doing it twice does no harm.

    Parameters
    ----------
    pause : float, optional
        Seconds until then, where GitHub says so.
    """

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


def rate_limit(status: int, headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait when the answer is about a rate limit, None when it is not.

    Raises
    ------
    DeliveryError
        When they are more than `LONGEST_WAIT`.
    """
    after = headers.get("retry-after", "")
    if status not in (403, 429):
        return None
    if after.isdigit():
        limit = float(after)
    elif headers.get("x-ratelimit-remaining") == "0":
        limit = max(float(headers.get("x-ratelimit-reset", "0")) - time.time(), 0.0) + 1.0
    elif status == 429:
        limit = 60.0
    else:
        return None
    if limit > LONGEST_WAIT:
        raise DeliveryError(f"GitHub's rate limit lasts {limit:.0f} s more: run the job again after that")
    return limit


def refused(method: str, path: str, status: int, text: str) -> RefusedError:
    """Say what was refused, why, and what to do."""
    remedy = _REMEDIES.get(status, _MOVED if status < 400 else "see GitHub's documentation of this request")
    try:
        content = json.loads(text)
        faults = [fault.get("message", "") if isinstance(fault, dict) else fault for fault in content.get("errors", [])]
        reason = ", ".join(filter(None, [content.get("message"), *faults]))
    except (ValueError, AttributeError, TypeError):
        reason = ""
    return RefusedError(
        f"GitHub refused {method} {path} with {status} ({reason or 'no reason given'}): {remedy}", status
    )


def next_page(headers: Mapping[str, str]) -> str:
    """Return the address of the next page, '' when there is none."""
    from requests.utils import parse_header_links

    links = parse_header_links(headers.get("link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), "")
