"""What the gate has to say: one finding per check that did not come out clean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

SHOWN = 5
"""How many document identifiers a message names."""


@dataclass(frozen=True)
class Finding:
    """A check that did not come out clean.

    Parameters
    ----------
    check : str
        Name of the check; `great_expectations/README.md` says what it protects.
    severity : {"error", "warning"}
        An error stops the graph, a warning is reported.
    count : int
        How many rows, mentions or documents are affected.
    message : str
        Count, the first document identifiers and what to do; never text of a note.
    summary : str
        The message without identifiers: what may go to git.
    """

    check: str
    severity: Severity
    count: int
    message: str
    summary: str = ""


def finding(check: str, severity: Severity, count: int, summary: str, documents: Iterable[str] = ()) -> Finding:
    """Build a finding whose message names the first of `documents`.

    Parameters
    ----------
    check : str
    severity : {"error", "warning"}
    count : int
    summary : str
        One sentence with the count, and what to do.
    documents : iterable of str
        Identifiers in the order in which they should be looked at; repetitions are dropped.
    """
    ids = list(dict.fromkeys(documents))
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    where = f" [documents: {', '.join(ids[:SHOWN])}{more}]" if ids else ""
    return Finding(check, severity, count, summary + where, summary)
