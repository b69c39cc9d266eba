"""The options by which a person says how an export is read, the same for every command that reads one."""

from __future__ import annotations

import argparse

from stages.common.errors import ParameterError
from stages.common.labels import load_labels
from stages.prepare.formats.rules import DISCONTINUOUS, OVERLAPS


def add_rules(parser: argparse.ArgumentParser, default: str | None = "refuse") -> None:
    """Add ``--overlaps`` and ``--discontinuous``."""
    parser.add_argument(
        "--overlaps",
        choices=OVERLAPS,
        default=default,
        help="mentions that overlap, of labels with a meaning: refuse the export (default), or keep the longest",
    )
    parser.add_argument(
        "--discontinuous",
        choices=DISCONTINUOUS,
        default=default,
        help="mentions in several parts: refuse the export (default), join the parts, or leave the mention out",
    )


def add_annotates(parser: argparse.ArgumentParser) -> None:
    """Add ``--annotates``."""
    parser.add_argument(
        "--annotates",
        type=labels_in,
        metavar="LABEL,…",
        help="labels of the project that the annotators looked for; default: those that are marked",
    )


def labels_in(listed: str) -> tuple[str, ...]:
    """Return the labels in a list with commas, in the order of the project.

    Raises
    ------
    argparse.ArgumentTypeError
        When one is no label of the project, or when the project's cannot be read.
    """
    names = {name.strip() for name in listed.split(",") if name.strip()}
    try:
        project = load_labels()
    except ParameterError as error:  # options are read before a command begins, and with it its way to end
        raise argparse.ArgumentTypeError(str(error)) from None
    if not names or not names <= set(project):
        raise argparse.ArgumentTypeError(f"give labels of the project, with commas: {','.join(project)}")
    return tuple(label for label in project if label in names)
