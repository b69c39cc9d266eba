"""Numbers on the command lines of production, and what is said of what is none."""

from __future__ import annotations

import argparse
import os
import re

WORKERS_A_CORE = 4
"""At most: each has the model in memory."""


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
