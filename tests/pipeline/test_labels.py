"""A corpus of one label goes through the whole graph: configuration and annotations change, no code and no bound."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stages.common.tables import serving_log
from stages.monitor.serving import profile_schema
from tests.repository import LIGHT, ROOT, Repository, add_batch, clone

NCBI = ROOT.parent / "shared" / "data" / "ncbi-disease"
NOTES = {"train": ("NCBItrainset_corpus.txt", 120), "test": ("NCBIdevelopset_corpus.txt", 40)}
ONE_LABEL = (
    "prepare.batches=[ncbi-train, ncbi-test]",
    *LIGHT,
)

pytestmark = [
    pytest.mark.corpora,
    pytest.mark.slow,
    pytest.mark.skipif(not NCBI.is_dir(), reason=f"NCBI-disease is not at {NCBI}"),
]


def first_notes(path: Path, number: int) -> str:
    """Return the first notes of a PubTator file, which empty lines part."""
    notes = re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip())
    return "\n\n".join(notes[:number]) + "\n"


@pytest.fixture(scope="module")
def diseases(source: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A clone that looks for diseases only, with a slice of NCBI-disease; the graph is run in it."""
    repository = clone(source, tmp_path_factory.mktemp("labels") / "diseases")
    repository.fetch_seed()
    repository.set_params(*ONE_LABEL)
    repository.look_for("Disease")
    for split, (name, number) in NOTES.items():
        export = repository.root / f"{split}.txt"
        export.write_text(first_notes(NCBI / name, number), encoding="utf-8")
        add_batch(repository, export, f"ncbi-{split}", "--split", split, format="pubtator")
        export.unlink()
    repository.dvc("repro", timeout=20 * 60)
    return repository


def test_the_gate_passes_without_another_bound(diseases: Repository) -> None:
    gate = diseases.json("metrics/validation.json")
    assert gate["passed"] is True and gate["errors"] == 0
    assert diseases.yaml("params.yaml")["validate"] == Repository(ROOT).yaml("params.yaml")["validate"]


def test_everything_measured_is_of_the_one_label(diseases: Repository) -> None:
    assert list(diseases.json("metrics/evaluation.json")["strict"]) == ["micro", "Disease"]
    assert diseases.json("models/model.json")["labels"] == ["Disease"]
    assert {line.split(",")[1] for line in diseases.text("metrics/documents.csv").splitlines()[1:]} == {"Disease"}
    behaviour = diseases.json("metrics/behaviour.json")
    assert "common_diseases" in behaviour and not [name for name in behaviour if "treatment" in name]
    assert "Treatment" not in diseases.text("plots/confusion.csv")
    columns = diseases.json("metrics/drift.json")["columns"]
    assert "diseases" in columns and "treatments" not in columns and "mentions" not in columns
    for name, schema in (("log", serving_log(["Disease"])), ("profile", profile_schema(["Disease"]))):
        assert pq.read_schema(diseases.root / f"data/serving/{name}.parquet").names == schema.names


def test_it_learns_something_and_explains_itself(diseases: Repository) -> None:
    assert diseases.f1() > 0.4
    shown = diseases.python("-m", "production.explain", "A patient with familial breast cancer.").out
    assert "Disease" in shown and "Treatment" not in shown


def test_a_record_of_pairs_is_refused_with_a_remedy(diseases: Repository) -> None:
    build = ("-m", "production.record", "build", "data/incoming/notes.jsonl", "--to", str(diseases.root.parent / "r"))
    refused = diseases.python(*build, fails=True)
    assert refused.status == 2 and "record.treatment of params.yaml is Treatment" in refused.err


def test_another_label_makes_the_graph_stale_from_the_first_stage(diseases: Repository) -> None:
    assert "up to date" in diseases.dvc("status").out
    before = diseases.text("params.yaml")
    try:
        diseases.set_params("labels=[Disease, Treatment]")
        status = diseases.dvc("status").out
    finally:
        (diseases.root / "params.yaml").write_text(before, encoding="utf-8")
    assert [line[:-1] for line in status.splitlines() if re.fullmatch(r"\w+:", line)] == [
        "prepare",
        "validate",
        "train",
        "evaluate",
        "monitor",
    ]
