"""An exploratory profile of a batch, as pages for a person: `python -m annotation.profile BATCH`.

Notes, tokens and mentions are counted here; the pages are drawn by fg-data-profiling (once called
pandas-profiling, then ydata-profiling), which lives in an environment of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from stages.common.command import run_command
from stages.common.documents import METADATA
from stages.common.errors import BeHealthyError, RequestError
from stages.prepare.batches import load_batches
from stages.prepare.corpus import prepare
from stages.prepare.params import load_params
from stages.prepare.tables import Tables

ANNOTATIONS = Path("data/annotations")
REPORTS = Path("reports/profile")
PYTHON = Path(".venv-profile/bin/python")
PAGES = Path(__file__).with_name("profile_pages.py")


def profile_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """Return what the pages describe: a row per note, per token, per mention.

    Words and mentions are in lower case and without their surroundings, so that they are counted;
    the text of a note is in none of the tables.

    Returns
    -------
    dict of str to DataFrame
        By page: ``notes``, ``tokens``, ``mentions``.
    """
    tokens, mentions = tables.tokens, tables.mentions
    by_note = tokens.groupby("document")
    sizes = {"sentences": by_note["sentence"].max() + 1, "tokens": by_note.size()}
    labels = mentions.groupby(["document", "label"]).size().unstack(fill_value=0)
    notes = tables.documents.set_index("document")
    notes = notes[[name for name in METADATA if notes[name].notna().any()]].assign(
        characters=notes["text"].str.len(),
        **{name: counts.reindex(notes.index, fill_value=0) for name, counts in sizes.items()},
        **{f"mentions_{label}": counts.reindex(notes.index, fill_value=0) for label, counts in labels.items()},
    )
    return {
        "notes": notes.reset_index(drop=True),
        "tokens": pd.DataFrame(
            {
                "word": tokens["text"].str.lower(),
                "tag": tokens["tag"],
                "characters": tokens["end"] - tokens["start"],
                "place_in_sentence": tokens["token"],
                "sentence": tokens["sentence"],
            }
        ),
        "mentions": pd.DataFrame(
            {
                "mention": mentions["text"].str.lower(),
                "label": mentions["label"],
                "source_label": mentions["source_label"],
                "characters": mentions["end"] - mentions["start"],
                "words": mentions["text"].str.count(r"\S+"),
                "on_token_boundaries": mentions["aligned"],
            }
        ),
    }


def profile(name: str, annotations: Path = ANNOTATIONS, reports: Path = REPORTS) -> list[Path]:
    """Write the pages of a batch below `reports`.

    Raises
    ------
    AnnotationError
        When there is no such batch, or it cannot be read.
    BeHealthyError
        When the environment of the profiler is missing, or it fails.
    """
    if not PYTHON.is_file():
        raise BeHealthyError("the profiler has an environment of its own, which is missing: `make profile` builds it")
    batches = [batch for batch in load_batches(annotations) if batch.name == name]
    if not batches:
        known = ", ".join(batch.name for batch in load_batches(annotations))
        raise RequestError(f"there is no such batch in {annotations}", f"Choose one of: {known}", batch=name)
    tables = prepare(batches, load_params().model_copy(update={"batches": []}))
    target = reports / name
    target.mkdir(parents=True, exist_ok=True)
    print(f"profile: drawing the pages of {name}, which takes up to a minute", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for page, frame in profile_tables(tables).items():
            frame.to_parquet(Path(folder) / f"{page}.parquet")
        _draw(Path(folder), target, name)
    return sorted(target.glob("*.html"))


def _draw(tables: Path, target: Path, name: str) -> None:
    # On its own, away from this environment's packages and switches; and nothing is reported to anybody.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tables),
        "LANG": "C.UTF-8",
        "YDATA_PROFILING_NO_ANALYTICS": "True",
        "DO_NOT_TRACK": "1",
        "MPLBACKEND": "Agg",
    }
    command = [str(PYTHON.absolute()), "-I", str(PAGES), str(tables), str(target.absolute()), name]
    result = subprocess.run(  # noqa: S603 (both paths are the repository's own)
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    if result.returncode:
        last = result.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        kind = last[0].split(":")[0]  # the rest may quote a value
        raise BeHealthyError(f"fg-data-profiling failed ({kind}): rebuild it with `rm -r .venv-profile; make profile`")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 written, 1 the batch is refused, 2 there is nothing to profile or nothing to profile with."""
    parser = argparse.ArgumentParser(prog="python -m annotation.profile", description=(__doc__ or "").split(":")[0])
    parser.add_argument("batch", help="name of a batch in data/annotations")
    parser.add_argument("--annotations", type=Path, default=ANNOTATIONS, help="folder of the batches")
    parser.add_argument("--to", type=Path, default=REPORTS, help="folder of the pages; keep it out of git")
    options = parser.parse_args(arguments)

    def work() -> None:
        for page in profile(options.batch, options.annotations, options.to):
            print(page)
        print("profile: these pages show words and mentions of the notes: they are for this machine, not for git")

    return run_command("profile", work)


if __name__ == "__main__":
    sys.exit(main())
