"""What `actions/upload-artifact` and `actions/download-artifact` do, between the jobs of one run, in a folder.

The actions zip regular files: an archive of theirs keeps no links, no owners and no modes. A test may put anything
into the folder between two jobs.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

_UPLOAD = {"name", "path", "retention-days", "overwrite", "if-no-files-found"}
_DOWNLOAD = {"name", "path"}


def upload(store: Path, workspace: Path, inputs: Mapping[str, str]) -> None:
    """Keep a folder of the workspace under a name."""
    assert set(inputs) <= _UPLOAD, f"{set(inputs) - _UPLOAD} is not known to this runner"
    source, target = workspace / inputs["path"], store / inputs["name"]
    assert inputs["if-no-files-found"] == "error", "the default only warns"
    if not source.is_dir() or not any(path.is_file() for path in source.rglob("*")):
        raise FileNotFoundError(f"No files were found with the provided path: {inputs['path']}")
    assert inputs.get("overwrite") == "true" or not target.exists(), "an artifact is there: the job was run again"
    shutil.rmtree(target, ignore_errors=True)
    # Files whose names begin with a dot are left out unless asked for.
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*"))


def download(store: Path, workspace: Path, inputs: Mapping[str, str]) -> None:
    """Put what was kept under a name where the inputs say."""
    assert set(inputs) <= _DOWNLOAD, f"{set(inputs) - _DOWNLOAD} is not known to this runner"
    source = store / inputs["name"]
    if not source.exists():
        raise FileNotFoundError(f"Artifact not found for name: {inputs['name']}")
    shutil.copytree(source, workspace / inputs["path"], symlinks=True, dirs_exist_ok=True)


ACTIONS = {"actions/upload-artifact": upload, "actions/download-artifact": download}
