"""What a command says in the summary of the job that runs it."""

from __future__ import annotations

import os
from pathlib import Path


def summarise(markdown: str) -> None:
    """Append to the job's summary, where there is a job."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown.rstrip("\n") + "\n\n")
