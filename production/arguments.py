"""Numbers on the command lines of production, and what is said of what is none."""

from __future__ import annotations

import argparse
import re


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
