"""What a job that runs a branch's code hands to the job that may write: files, collected here and checked there.

`python -m delivery.results FOLDER [--with-data]` collects; `publish`, `propose` and `comment` read with `--results`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from delivery.errors import DeliveryError
from delivery.revision.git import git
from delivery.revision.graph import refuse_stale
from delivery.revision.handed_over import DATA, LOCK, SOURCE, kept_in_git
from delivery.revision.revision import workspace
from delivery.revision.site_cache import private_site_cache
from stages.common.command import run_command
from stages.common.files import replacing, write_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 collected, 1 when the graph is not reproduced, 2 when something is missing."""
    parser = argparse.ArgumentParser(prog="python -m delivery.results", description=__doc__)
    parser.add_argument("folder", type=Path, help="to collect in; report.md and failure.md belong there too")
    parser.add_argument("--with-data", action="store_true", help=f"also {DATA}, where batches were added")
    options = parser.parse_args(arguments)
    return run_command(
        "results", lambda: collect(options.folder, with_data=options.with_data), within=private_site_cache()
    )


def collect(folder: Path, *, with_data: bool, root: Path = Path()) -> None:
    """Copy what the graph wrote and git keeps into a folder.

    Raises
    ------
    DeliveryError
        When the graph is not reproduced.
    """
    refuse_stale(root)
    here = workspace(root)
    for path in (LOCK, *sorted(kept_in_git(here)), *([DATA] if with_data else [])):
        content = here.read(path)
        if content is None:
            raise DeliveryError(f"{path} is not there: run `dvc repro`")
        with replacing(folder / path) as file:
            file.write(content)
    write_json(folder / SOURCE, {"commit": git("rev-parse", "HEAD", root=root).strip()})


if __name__ == "__main__":
    sys.exit(main())
