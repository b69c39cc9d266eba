"""What a change did, as Markdown for a pull request: which metric moved, is it beyond noise, what was won and lost.

Works from git alone; what lies in DVC's cache or remote makes it fuller, where it may be read.
Exit code 0: the report was made, whatever it says. With --fail-if-worse, 1: worse, or not to be told.
2: no report could be made.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from delivery.changes.changes import Changes, changes_between
from delivery.changes.mentions import MentionChanges, mention_changes
from delivery.errors import DeliveryError
from delivery.registry.runs import run_url
from delivery.rendering.figures import draw_change
from delivery.rendering.sections import Report, bars_of, render
from delivery.revision.dvc_files import DvcFiles, NotReadableError
from delivery.revision.experiments import find
from delivery.revision.revision import Revision, checked_out, commits_missing, common_ancestor
from delivery.revision.site_cache import private_site_cache
from stages.common.command import DONE, REFUSED, run_command
from stages.common.files import write_text

_ADDRESS = re.compile(r"https?://[^\s()<>\[\]{}\\\"'`|]+")


@dataclass(frozen=True)
class Options:
    """What the command was asked; see `--help`."""

    base: str
    head: str | None
    merge_base: bool
    out: Path | None
    with_examples: bool
    git_only: bool
    images: Path | None
    images_url: str | None
    run_url: str | None
    fail_if_worse: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report."""
    options = Options(**vars(_parser().parse_args(arguments)))
    return run_command("report", lambda: _report(options), within=private_site_cache())


def _report(options: Options) -> int:
    report = collect(options)
    text = render(report)
    if options.out:
        write_text(options.out, text)
    else:
        sys.stdout.buffer.write(text.encode())
    return REFUSED if options.fail_if_worse and report.changes.bad else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m delivery.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", default="main", help="commit or DVC experiment to compare with (default: main)")
    parser.add_argument("--head", help="what is compared (default: what is checked out)")
    parser.add_argument("--merge-base", action="store_true", help="compare with where the head left the base")
    parser.add_argument("--out", type=Path, help="file of the report (default: standard output)")
    parser.add_argument("--with-examples", action="store_true", help="show the mentions: CLINICAL TEXT")
    parser.add_argument("--git-only", action="store_true", help="ask neither DVC's cache nor its remote")
    parser.add_argument("--images", type=Path, help="folder for plots as PNG; without it, they are drawn in text")
    parser.add_argument("--images-url", help="address under which that folder can be seen; else its relative path")
    parser.add_argument("--run-url", help="address of the MLflow run; else it is looked up where a server is set")
    parser.add_argument("--fail-if-worse", action="store_true", help="exit 1 when worse, or when it cannot be told")
    return parser


def collect(options: Options) -> Report:
    """Find out everything that the report shows.

    Raises
    ------
    DeliveryError
        When a revision cannot be read, or an address is none.
    """
    for address in (options.run_url, options.images_url):
        _check_address(address)
    new = checked_out() if options.head is None else find(options.head)
    old = find(options.base)
    left_out: list[str] = []
    if options.merge_base:
        old = common_ancestor(old, new)
    lacking = commits_missing(old, new)
    changes = changes_between(old, new)
    stores = DvcFiles(old, git_only=options.git_only), DvcFiles(new, git_only=options.git_only)
    mentions, batches = _mentions(stores, left_out), _batches(stores, left_out)
    images = _images(options, changes, stores, left_out)
    address = options.run_url or _run(new, left_out)
    reasons = tuple(dict.fromkeys(left_out))
    return Report(changes, mentions, options.with_examples, batches, images, address, lacking, reasons)


_Stores = tuple[DvcFiles, DvcFiles]


def _mentions(stores: _Stores, left_out: list[str]) -> MentionChanges | None:
    try:
        return mention_changes(*stores)
    except NotReadableError as error:
        left_out.append(f"mentions one by one: {error}")
        return None


def _batches(stores: _Stores, left_out: list[str]) -> tuple[list[str], list[str]] | None:
    try:
        return stores[0].batches(), stores[1].batches()
    except NotReadableError as error:
        left_out.append(f"names of the batches: {error}")
        return None


def _images(options: Options, changes: Changes, stores: _Stores, left_out: list[str]) -> dict[str, str]:
    if options.images is None:
        return {}
    titles, missing = draw_change(options.images, bars_of(changes), *stores)
    if missing:
        left_out.append(f"curves: {missing}")
    folder = Path(os.path.relpath(options.images, options.out.parent if options.out else Path())).as_posix()
    base = options.images_url.rstrip("/") if options.images_url else quote(folder)
    return {f"{base}/{name}": title for name, title in titles.items()}


def _run(new: Revision, left_out: list[str]) -> str | None:
    try:
        return run_url(new)
    except DeliveryError as error:
        left_out.append(f"link to the MLflow run: {error}")
        return None


def _check_address(address: str | None) -> None:
    """Refuse what would not stay inside a Markdown link."""
    if address is not None and not _ADDRESS.fullmatch(address):
        raise DeliveryError(
            f"{address!r} is no address: give one that starts with https:// and has no spaces or brackets"
        )


if __name__ == "__main__":
    sys.exit(main())
