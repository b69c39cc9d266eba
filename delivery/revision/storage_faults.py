"""What storage libraries say when something is wrong, and what it means."""

from __future__ import annotations

import re

FAULTS = (
    ("ExpiredToken|token.{0,40}expired", "the session has expired: get new AWS_… credentials"),
    (
        r"\(400\) when calling the Head\w+ operation",  # the answer to HEAD has no body, and no code
        "the storage refuses the request itself, as it does when the session has expired: get new AWS_… credentials",
    ),
    ("Unable to locate credentials|NoCredentials", "there are no credentials: set AWS_ACCESS_KEY_ID and its secret"),
    (
        "InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Forbidden",
        "the storage refuses the keys: check AWS_ACCESS_KEY_ID, its secret, and what they may do",
    ),
    ("NoSuchBucket|bucket does not exist", "the bucket does not exist: check `url` of storage in .dvc/config"),
    (
        r"No space left|disk is full|File too large|Errno 28|Errno 27|\d+ requested and \d+ written",  # the last: NumPy
        "the disk is full: make room",
    ),
    # SQLite, below DVC: what it says, and what happens to its mapped file where the disk has no page for it
    (r"disk I/O error|\bSIGBUS\b|exited with -7\b", "the disk is full, or broken: make room, or try another"),
    (
        "EOFError: EOF read where|EOFError: marshal data too short",
        "the disk is full, or was, and cut off Python's bytecode: make room, and remove the folders __pycache__",
    ),
    (r"\bSIGKILL\b|exited with -9\b", "it was killed: by somebody, or since the machine has not enough memory"),
    (
        "Could not connect|Connect timeout|Read timeout|Connection (was closed|reset|refused)|EndpointConnection"
        "|Cannot connect to host|Server disconnected|Broken pipe",
        "the storage does not answer: check AWS_ENDPOINT_URL and that the server is up",
    ),
)
"""Patterns of what DVC and the libraries below it say, each with cause and remedy; the first that fits counts."""


def reason_of(error: BaseException) -> str:
    """Name the first cause of an error, without addresses; the classes above it only say that something failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    kind = type(error).__name__
    return explain(f"{kind}: {error}") or kind


def explain(output: str) -> str | None:
    """Return cause and remedy behind what a command printed, None where it is not known.

    >>> explain("ERROR: unexpected error - An error occurred (ExpiredToken) when calling the PutObject operation")
    'the session has expired: get new AWS_… credentials'
    >>> explain("all is well")
    """
    return next((meaning for pattern, meaning in FAULTS if re.search(pattern, output, re.IGNORECASE)), None)
