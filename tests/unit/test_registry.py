"""What the registry keeps is what was sent; what Python leaves beside code that is served from there is no change."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pytest

from delivery.errors import DeliveryError
from delivery.registry.model import FILES
from delivery.registry.registry import download_source
from delivery.revision.hashes import folder_md5


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model in a registry of files."""
    folder = tmp_path / "kept"
    for name in ("artifacts/models/model.json", "code/stages/train/taggers/chain/kernels.py"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("{}")

    def download(source: str, dst_path: str) -> str:
        return str(shutil.copytree(folder, Path(dst_path) / "copy"))

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", download)
    return folder


def downloaded(kept: Path, sent: str, target: Path) -> Path:
    client: Any = SimpleNamespace(get_logged_model=lambda _: SimpleNamespace(tags={FILES: sent}))
    return download_source(client, "models:/m-1", folder_md5(kept / "artifacts/models"), target, "version 1")


def test_a_model_that_was_served_from_where_it_is_kept_is_still_what_was_sent(kept: Path, tmp_path: Path) -> None:
    sent = folder_md5(kept)
    cache = kept / "code/stages/train/__pycache__"
    cache.mkdir()
    (cache / "kernels.emissions-19.py311.nbi").write_bytes(b"compiled")
    copy = downloaded(kept, sent, tmp_path / "target")
    assert not list(copy.rglob("__pycache__"))  # nobody runs what came with it


@pytest.mark.parametrize(
    "name", ["artifacts/models/model.json", "code/stages/train/taggers/chain/kernels.py", "code/more.py"]
)
def test_a_model_whose_files_changed_is_refused(kept: Path, tmp_path: Path, name: str) -> None:
    sent = folder_md5(kept)
    (kept / name).write_text("[]")
    with pytest.raises(DeliveryError, match="incomplete, or not those that were sent"):
        downloaded(kept, sent, tmp_path / "target")
