"""The code graph is the DVC graph: a stage's `deps` cover what it imports, and name nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from delivery.registry.closure import import_closure as closure_of
from tests.closure import import_closure

ROOT = Path(__file__).parents[2]
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
ORDER = list(GRAPH)


def code_deps(stage: str) -> list[str]:
    return [dep for dep in GRAPH[stage]["deps"] if dep.startswith("stages/")]


def covered(path: str, deps: list[str]) -> bool:
    return any(path == dep or path.startswith(f"{dep}/") for dep in deps)


def uncovered(stage: str, root: Path = ROOT) -> set[str]:
    deps = code_deps(stage)
    return {path for path in import_closure(f"stages.{stage}", root) if not covered(path, deps)}


@pytest.mark.parametrize("stage", ORDER)
def test_everything_imported_is_a_dependency(stage: str) -> None:
    assert not uncovered(stage), f"add these to the deps of {stage} in dvc.yaml"


@pytest.mark.parametrize("stage", ORDER)
def test_every_code_dependency_is_imported(stage: str) -> None:
    closure = import_closure(f"stages.{stage}", ROOT)
    idle = [dep for dep in code_deps(stage) if not any(covered(path, [dep]) for path in closure)]
    assert not idle, f"remove these from the deps of {stage} in dvc.yaml"


@pytest.mark.parametrize("stage", ORDER)
def test_of_other_stages_only_folders_imported_whole_are_listed_whole(stage: str) -> None:
    folders = {dep for dep in code_deps(stage) if (ROOT / dep).is_dir()} - {f"stages/{stage}", "stages/common"}
    imported = import_closure(f"stages.{stage}", ROOT)
    listed = {str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.py")}
    assert listed <= imported, "list the modules of another stage one by one"


@pytest.mark.parametrize("stage", ORDER)
def test_no_later_stage_is_imported(stage: str) -> None:
    later = {f"stages/{other}" for other in ORDER[ORDER.index(stage) + 1 :]}
    assert not {path for path in import_closure(f"stages.{stage}", ROOT) if covered(path, list(later))}


@pytest.mark.parametrize("stage", ORDER)
def test_a_stage_depends_on_no_parameters_but_those_it_is_given(stage: str) -> None:
    """So an edit to the parameters of one stage makes no other stage stale; the gate alone reads those of prepare."""
    files = {path for path in import_closure(f"stages.{stage}", ROOT) if path.endswith("/params.py")}
    assert files - {"stages/common/params.py"} == {
        f"stages/{name}/params.py" for name in GRAPH[stage]["params"] if name != "labels"
    }


@pytest.mark.parametrize("stage", ["evaluate", "monitor"])
def test_what_only_learns_or_is_only_looked_at_makes_no_later_stage_stale(stage: str) -> None:
    """Of train, later stages need what serves: no leaderboard, no learning curve, nothing that asks for PyCaret."""
    needed = {path for path in import_closure(f"stages.{stage}", ROOT) if path.startswith("stages/train/")}
    above = {path for path in needed if not path.startswith(("stages/train/taggers/", "stages/train/assertion/"))}
    of_evaluate = ["clustered"] if stage == "evaluate" else []
    assert above == {f"stages/train/{name}.py" for name in ("__init__", "acceptance", "extractor", *of_evaluate)}
    assert not any("pycaret" in (ROOT / path).read_text() for path in needed)


def test_what_only_a_type_checker_reads_is_no_dependency(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "a.py").write_text(
        "import typing\nif typing.TYPE_CHECKING:\n    import stages.b\nelse:\n    import stages.c\n"
    )
    for name in "bc":
        (tmp_path / "stages" / f"{name}.py").write_text("")
    assert closure_of("stages.a", tmp_path) == {"stages/a.py", "stages/c.py"}


def test_the_ground_floor_imports_no_stage() -> None:
    for module in sorted((ROOT / "stages" / "common").glob("*.py")):
        text = module.read_text()
        assert not any(f"stages.{stage}" in text for stage in ORDER), module.name


def test_no_stage_imports_a_room_around_it() -> None:
    rooms = ("annotation", "delivery", "production", "dags", "dashboard", "benchmarks", "tests")
    for module in sorted((ROOT / "stages").rglob("*.py")):
        lines = module.read_text().splitlines()
        faults = [
            line
            for line in lines
            if line.lstrip().startswith(tuple(f"{w} {r}" for w in ("from", "import") for r in rooms))
        ]
        assert not faults, module


def test_an_import_that_is_not_listed_is_found(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path / "stages" / "prepare" / "segmentation.py"
    target.write_text(
        target.read_text()
        + f"{os.linesep}def late() -> None:{os.linesep}    import stages.train.taggers.chain.crf{os.linesep}"
    )
    assert "stages/train/taggers/chain/crf.py" in uncovered("prepare", tmp_path)


@pytest.mark.parametrize("stage", ["train", "evaluate", "monitor"])
def test_a_new_family_needs_nothing_in_dvc_yaml(stage: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests/toy_family.py", tmp_path / "stages/train/taggers/toy.py")
    registry = tmp_path / "stages/train/taggers/tagger.py"
    line = '    "toy": "stages.train.taggers.toy:ToyTagger",\n'
    registry.write_text(registry.read_text().replace("FAMILIES = {\n", f"FAMILIES = {{\n{line}"))
    assert line in registry.read_text()
    assert not uncovered(stage, tmp_path)
