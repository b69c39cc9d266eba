"""Why a message did not reach its channel: kinds of error, and never an address or what a server answered."""

from __future__ import annotations

LONGEST = 200
"""Characters of the column."""


class NotDeliveredError(Exception):
    """A message was not delivered, or perhaps was and nobody said so; the text is kept in the database.

    It names kinds and numbers only: what a server answers may quote what it was sent, an address may hold a password.
    """


def said_by(error: BaseException) -> str:
    """Name an unforeseen error without what it says."""
    return f"unforeseen {type(error).__name__}"
