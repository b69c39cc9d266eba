"""The rules between rooms (`[tool.importlinter]` in pyproject.toml) hold, and each notices what breaks it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
BREAKS = [
    ("rooms", "stages/prepare/corpus.py", "delivery.errors"),
    ("rooms", "annotation/add.py", "delivery.revision.git"),
    ("rooms", "delivery/track.py", "production.record"),
    ("stages", "stages/common/files.py", "stages.prepare.corpus"),
    ("stages", "stages/featurize/store.py", "stages.train.extractor"),
    ("stages", "stages/monitor/decision.py", "stages.evaluate.scores"),
    ("delivery", "delivery/changes/metrics.py", "delivery.rendering.markdown"),
    ("delivery", "delivery/registry/gates.py", "delivery.rendering.markdown"),
    ("delivery", "delivery/revision/git.py", "delivery.github.client"),
    ("delivery", "delivery/errors.py", "delivery.revision.git"),
    ("delivery", "delivery/unlisted.py", "delivery.errors"),
    ("github", "delivery/registry/gates.py", "delivery.github.client"),
    ("cycles", "delivery/rendering/markdown.py", "delivery.rendering.tables"),
    ("attributes", "stages/featurize/attributes/words.py", "stages.featurize.store"),
    ("taggers", "stages/train/taggers/chain/crf.py", "stages.train.learning"),
    ("great_expectations", "stages/prepare/corpus.py", "great_expectations"),
    ("evidently", "stages/evaluate/scores.py", "evidently"),
    ("pycaret", "stages/train/learning.py", "pycaret.classification"),
    ("mlflow", "annotation/add.py", "mlflow"),
    ("dvc", "annotation/add.py", "dvc.api"),
    ("pygithub", "delivery/comment.py", "github"),
    ("streamlit", "production/serve.py", "streamlit"),
    ("rooms", "production/serve.py", "dashboard.parts"),
]


def lint(root: Path, contract: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo", "--contract", contract]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("rooms")
    for package in SETTINGS["root_packages"]:
        shutil.copytree(ROOT / package, target / package, ignore=lambda folder, names: [n for n in names if skipped(n)])
    shutil.copy2(ROOT / "pyproject.toml", target)
    return target


def skipped(name: str) -> bool:
    return name == "__pycache__" or ("." in name and not name.endswith(".py"))


@pytest.mark.parametrize("contract", [contract["id"] for contract in SETTINGS["contracts"]])
def test_the_rule_holds(contract: str) -> None:
    result = lint(ROOT, contract)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("contract", "path", "imported"), BREAKS)
def test_the_rule_notices_what_breaks_it(contract: str, path: str, imported: str, copy: Path) -> None:
    module = copy / path
    before = module.read_text(encoding="utf-8") if module.exists() else None
    module.write_text(f"{before or ''}\n\ndef late() -> None:\n    import {imported}\n", encoding="utf-8")
    try:
        result = lint(copy, contract)
    finally:
        if before is None:
            module.unlink()
        else:
            module.write_text(before, encoding="utf-8")
    assert result.returncode == 1, result.stdout + result.stderr
    assert Path(path).stem in result.stdout


def test_every_rule_is_broken_once() -> None:
    assert {contract["id"] for contract in SETTINGS["contracts"]} == {contract for contract, _, _ in BREAKS}
