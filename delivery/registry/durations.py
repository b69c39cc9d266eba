"""When an experiment began, from what DVC leaves in `.dvc/tmp`; a commit by hand leaves nothing that would tell.

DVC writes the file of an execution when it begins, and commits the experiment when it has ended.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from delivery.revision.experiments import Experiment, committed_at

_EXECUTIONS = ".dvc/tmp/exps/run/*/*.run"


def began_at(experiment: Experiment) -> int | None:
    """Return when an experiment was begun, in milliseconds since 1970.

    None where that is not known: it ran in another clone, the file system keeps no times of birth, or DVC's
    folder was emptied or copied.
    """
    end = committed_at(experiment.revision)
    executions = _executions(experiment.revision.root)
    births = [_born_at(path) for path, about in executions if _is_of(about, experiment)]
    # The name may have been used before, and a copied file is younger than its experiment.
    return max((born for born in births if born is not None and born <= end), default=None)


def _is_of(about: dict[str, Any], experiment: Experiment) -> bool:
    """Tell by name: what DVC named itself is known, to an execution in the queue, by its ref alone."""
    ref = str(about.get("result_ref") or "").rsplit("/", 1)[-1]
    return about.get("baseline_rev") == experiment.baseline and experiment.revision.name in (about.get("name"), ref)


def _executions(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(root.glob(_EXECUTIONS)):
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # DVC is writing it, or has just removed it
            continue
        if isinstance(about, dict):
            yield path, about


def _born_at(path: Path) -> int | None:
    try:
        status = path.stat()
    except OSError:
        return None
    if (born := getattr(status, "st_birthtime", None)) is not None:  # macOS
        return int(born * 1000)
    try:
        told = subprocess.run(["stat", "--format=%W", str(path)], capture_output=True, text=True, check=False).stdout
    except OSError:
        return None
    return 1000 * int(told) if told.strip().isdigit() and int(told) else None
