"""What commands of production take on their command lines, and what they say of what is none."""

from __future__ import annotations

import argparse
import os
import re
from datetime import datetime

from stages.monitor.times import as_time

WORKERS_A_CORE = 4
"""At most: each has the model in memory."""


def time_argument(given: str) -> datetime:
    """Read a time in ISO 8601; without a zone it is UTC.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is none.
    """
    try:
        return as_time(given)
    except (ValueError, OverflowError):  # the first hour of the year 1, in a zone where it is not that year yet
        raise argparse.ArgumentTypeError(
            "this is no time: write 2026-11-01, or 2026-11-01T08:00+01:00 (UTC without a zone)"
        ) from None


def count_argument(given: str) -> int:
    """Read a whole number from 1 on.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is none.
    """
    if not re.fullmatch("0*[1-9][0-9]{0,8}", given):
        raise argparse.ArgumentTypeError("this is no whole number from 1 on")
    return int(given)


def workers_argument(given: str) -> int:
    """Read how many processes are to work.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is no number, or more than this machine can do anything with.
    """
    cores = os.cpu_count() or 1
    if (workers := count_argument(given)) > (most := cores * WORKERS_A_CORE):
        raise argparse.ArgumentTypeError(
            f"at most {most} can work here, {WORKERS_A_CORE} for each of the machine's cores ({cores})"
        )
    return workers
