"""The files of a commit beside the working tree: its code from git, its data and model from DVC."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from delivery.extractor_model import folder_md5
from delivery.revisions import Revision
from delivery.server import DeliveryError


def export_code(revision: Revision, target: Path) -> None:
    """Write what git has of a commit into a folder.

    Raises
    ------
    DeliveryError
        When git cannot.
    """
    command = ["git", "archive", "--format=tar", str(revision.sha)]
    result = subprocess.run(command, cwd=revision.root, capture_output=True, check=False)
    if result.returncode:
        raise DeliveryError(f"git cannot export {revision.name}: {result.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
        archive.extractall(target, filter="data")


def fetch_output(revision: Revision, path: str, target: Path) -> None:
    """Write an output folder of a commit to `target`, from DVC's cache or its remote, and check its bytes.

    Raises
    ------
    DeliveryError
        When `dvc.lock` does not know it, neither cache nor remote has it, or its bytes are others.
    """
    expected = revision.hashes().get(path)
    if expected is None:
        raise DeliveryError(f"dvc.lock at {revision.name} has no {path}: run `dvc repro` there and commit dvc.lock")
    command = [sys.executable, "-m", "dvc", "get", "--quiet", str(revision.root.resolve()), path]
    result = subprocess.run(
        [*command, "--rev", str(revision.sha), "--out", str(target)],
        capture_output=True,
        check=False,
        cwd=target.parent,
    )
    if result.returncode or not target.is_dir():
        reason = result.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise DeliveryError(
            f"{path} of {revision.name} is neither in DVC's cache nor in the remote ({reason[0]}): `dvc push` where it "
            f"was made, or check that commit out and `dvc repro`"
        )
    if folder_md5(target) != expected:
        raise DeliveryError(f"{path} of {revision.name} is damaged in DVC's cache: `dvc fetch` it again")
