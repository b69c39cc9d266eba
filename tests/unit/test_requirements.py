"""What is installed is what was resolved: each requirement has one version and the hashes of its files, no index."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from delivery.registry.model import LIBRARIES, requirements_of
from tests.repository import ROOT, Repository

FOLDERS = ("", "annotation/requirements", "benchmarks", "dags", ".ci/*")
FILES = sorted(
    path.relative_to(ROOT)
    for folder in FOLDERS
    for path in (ROOT.glob(f"{folder}/*.txt") if folder else ROOT.glob("requirements*.txt"))
)
PINNED = re.compile(
    r"[A-Za-z0-9][\w.-]*(\[[\w, -]+\])?==[\w.+!]+( ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)"
)


def faults(text: str) -> list[str]:
    """Name the lines of a requirements file that are neither comments nor a version with its hashes."""
    lines = "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))
    entries = re.split(r"\n(?! )", lines.strip())
    return [entry.split("\n")[0] for entry in entries if not PINNED.fullmatch(entry.rstrip())]


def test_the_files_are_found() -> None:
    assert {"requirements.txt", "annotation/requirements/doccano.txt", ".ci/lint/requirements.txt"} <= set(
        map(str, FILES)
    )


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_requirement_has_a_version_and_hashes(path: Path) -> None:
    assert not faults((ROOT / path).read_text(encoding="utf-8"))
    assert (ROOT / path).with_suffix(".in").is_file()


@pytest.mark.parametrize("line", ["a==1", "a", "a>=1", "--index-url https://example.org/simple", "a @ https://x.org/a"])
def test_a_line_without_version_and_hash_is_a_fault(line: str) -> None:
    hashed = "b==2 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via a"
    assert faults(f"{hashed}\n{line}\n{hashed}\n") == [line]


def test_what_installs_checks_hashes() -> None:
    """Nothing installs but `.ci/install`, and that in one way."""
    installing = re.compile(r"pip install(?![^\n]*--require-hashes)[^\n]*")
    for path in ("Makefile", ".ci/install", ".ci/run", "benchmarks/environment.py", ".devcontainer/devcontainer.json"):
        assert not installing.findall((ROOT / path).read_text(encoding="utf-8")), path
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        assert "pip install" not in path.read_text(encoding="utf-8"), path.name


def test_another_file_than_the_resolved_one_is_refused(tmp_path: Path, source: Repository) -> None:
    """A package of the same name and version, whose bytes are others, from the index that a machine is set to."""
    wheel = tmp_path / "planted-1.0-py3-none-any.whl"
    wheel.write_bytes(b"other bytes")
    required = tmp_path / "required.txt"
    required.write_text(f"planted==1.0 \\\n    --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    machine = source.settings(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path), PATH=_without_uv(tmp_path))
    refused = machine.run(".ci/install", str(tmp_path / "venv"), str(required), fails=True)
    assert "HASH" in refused.err.upper()


def test_where_there_is_no_uv_it_is_installed_first_and_installs(tmp_path: Path, source: Repository) -> None:
    """It and what it installs are wheels of this test; uv's is a script that says how it was called."""
    folder, required = _scripts_with_a_uv_of_our_own(tmp_path)
    index = "https://index.example.org/simple"
    path = _without_uv(tmp_path)
    venv = tmp_path / "venv"
    for place in (path, f"{venv}/bin:{path}"):  # as `make` has it: the second time, what was installed is found first
        machine = source.settings(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path), PIP_INDEX_URL=index, PATH=place)
        told = machine.run(str(folder / "install"), str(venv), str(required)).out
        assert f"called with --require-hashes --requirement {required} for {index}" in told
        assert "with pip" not in told


def test_where_the_uv_of_the_machine_cannot_pip_installs(tmp_path: Path, source: Repository) -> None:
    folder, required = _scripts_with_a_uv_of_our_own(tmp_path)
    path = Path(_without_uv(tmp_path))
    (path / "uv").write_text("#!/usr/bin/env bash\necho 'uv: an old one' >&2\nexit 2\n")
    (path / "uv").chmod(0o755)
    digest = hashlib.sha256((tmp_path / "uv-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    required.write_text(f"uv==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
    machine = source.settings(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path), PATH=str(path))
    told = machine.run(str(folder / "install"), str(tmp_path / "venv"), str(required))
    assert "uv could not; pip tries" in told.err
    assert (tmp_path / "venv/bin/uv").is_file()


def _scripts_with_a_uv_of_our_own(folder: Path) -> tuple[Path, Path]:
    """Copy what installs, with the wheel of this test for its uv; return it, and a file of requirements."""
    scripts = folder / "scripts"
    shutil.copytree(ROOT / ".ci", scripts)
    digest = hashlib.sha256(_wheel_of_uv(folder).read_bytes()).hexdigest()
    (scripts / "uv/requirements.txt").write_text(f"uv==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
    required = folder / "required.txt"
    required.write_text("a==1\n", encoding="utf-8")
    return scripts, required


def _wheel_of_uv(folder: Path) -> Path:
    """Make a wheel whose command `uv` prints the end of its arguments and its index."""
    wheel = folder / "uv-1.0-py3-none-any.whl"
    script = (
        "#!python\nimport os, sys\n"
        "print('called with', *sys.argv[-3:], 'for', os.environ.get('UV_DEFAULT_INDEX'))\n"
    )  # fmt: skip
    about = "uv-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        command = zipfile.ZipInfo("uv-1.0.data/scripts/uv")
        command.external_attr = 0o100755 << 16
        file.writestr(command, script)
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 1.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    return wheel


def _without_uv(folder: Path) -> str:
    path = folder / "bin"
    path.mkdir()
    for name in ("bash", "env"):
        (path / name).symlink_to(str(shutil.which(name)))
    (path / "python3.11").symlink_to(sys.executable)
    return str(path)


def test_a_model_asks_for_versions_without_hashes() -> None:
    """Its list is not the closure, and with hashes pip would take nothing that is not listed."""
    required = requirements_of(ROOT)
    assert [line.split("==")[0] for line in required] == list(LIBRARIES)
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in required)


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".venv-bom/.installed").exists(), reason="its environment was not built: `make bom`")
def test_the_bill_of_materials_is_complete_and_the_same_every_time(tmp_path: Path) -> None:
    """`make bom` validates it against the schema of CycloneDX and fails when it does not hold."""
    made = []
    for epoch in ("1", "1000000000"):
        path = tmp_path / epoch / "bom.json"
        environment = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": epoch, "HOME": str(tmp_path / epoch)}
        subprocess.run(["make", "bom", f"BOM={path}"], cwd=ROOT, env=environment, check=True, capture_output=True)
        made.append(path.read_bytes())
    assert made[0] == made[1]
    bom = json.loads(made[0])
    assert bom["bomFormat"] == "CycloneDX"
    assert "serialNumber" not in bom and "timestamp" not in bom["metadata"]
    pinned = re.findall(r"^([\w.-]+)(?:\[.*\])?==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert sorted((part["name"], part["version"]) for part in bom["components"]) == sorted(pinned)
    assert all(part["externalReferences"][0]["hashes"] for part in bom["components"])
