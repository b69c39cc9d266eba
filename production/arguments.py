"""Numbers and models on the command lines of production, and what is said of what is neither."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from stages.common.errors import BeHealthyError

WORKERS_A_CORE = 4
"""At most: each has the model in memory."""

REGISTRY = "models:/"
CHAMPION = "champion"
CURRENT_MODEL = "a model folder, with the code of this repository, or models:/NAME@champion (default: the latter)"
"""What `current_model_argument` takes, for the help."""
_ADDRESS = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")


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


def port_argument(given: str) -> int:
    """Read a port; 0 is any that is free.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is none.
    """
    if not given.isascii() or not given.isdigit() or int(given) > 65535:
        raise argparse.ArgumentTypeError("this is no port: 0 to 65535")
    return int(given)


def version_of(address: str) -> str | None:
    """Return the alias or the number that an address of the registry names; None for a model folder.

    Raises
    ------
    BeHealthyError
        When it begins like an address, and is none of our model.
    """
    if not address.startswith(REGISTRY):
        return None
    from delivery.registry.server import MODEL

    parts = _ADDRESS.fullmatch(address)
    if parts is None or parts["name"] != MODEL:
        raise BeHealthyError(f"{address} is no address of a model: write models:/{MODEL}@champion or models:/{MODEL}/1")
    return parts["alias"] or parts["version"]


def current_model_argument(given: str) -> Path | None:
    """Read the model whose results are to be current: a folder, or None for the registry's champion.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is another version. Its results would be current though the registry calls another one champion, until
        a worker that follows the registry writes: what is current would depend on who came last.
    """
    try:
        version = version_of(given)
    except BeHealthyError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if version not in (None, CHAMPION):
        raise argparse.ArgumentTypeError(
            f"current results are the champion's, and {given} may be another version: make it champion"
            " (`python -m delivery.promote`, or `python -m delivery.rollback --to VERSION` where it was before);"
            " `python -m production.infer --shadow challenger` asks the challenger beside it"
        )
    return Path(given) if version is None else None
