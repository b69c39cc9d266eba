"""MACCROBAT, case reports in brat with 41 entity types, as the project's own labels: two of them, or three."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.repository import ROOT, Repository, add_batch

MACCROBAT = ROOT.parent / "shared" / "data" / "maccrobat"
TWO = {"Disease_disorder": "Disease", "Medication": "Treatment", "Therapeutic_procedure": "Treatment"}
THREE = {**TWO, "Sign_symptom": "Symptom"}


def labels_of(meanings: Mapping[str, str]) -> list[str]:
    """Return the labels that entity types are mapped to, in the order of reports."""
    return list(dict.fromkeys(meanings.values()))


def mapping_of(meanings: Mapping[str, str], path: Path) -> Path:
    """Write a mapping that ignores the other types of MACCROBAT."""
    lines = (line for file in sorted(MACCROBAT.glob("*.ann")) for line in file.read_text().splitlines())
    types = sorted({line.split("\t")[1].split(" ")[0] for line in lines if line.startswith("T")})
    path.write_text("source_label,label\n" + "".join(f"{name},{meanings.get(name, '')}\n" for name in types))
    return path


def add_maccrobat(repository: Repository, meanings: Mapping[str, str], mapping: Path) -> None:
    """Make its labels those of the project, and add it as the only batch that is used."""
    repository.set_params(f"labels=[{', '.join(labels_of(meanings))}]", "prepare.batches=[maccrobat]")
    choices = ("--overlaps", "longest", "--discontinuous", "join")
    table = str(mapping_of(meanings, mapping))
    add_batch(repository, MACCROBAT, "maccrobat", "--labels", table, *choices, format="brat")
