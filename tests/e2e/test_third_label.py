"""A third label is a change to configuration and annotations only: from a corpus to what is served and watched."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from stages.common.files import read_table, write_table
from stages.common.tables import serving_log
from stages.monitor.decision import SEVERITIES
from tests.maccrobat import MACCROBAT, THREE, add_maccrobat, labels_of
from tests.repository import LIGHT, Repository, clone

pytestmark = [
    pytest.mark.corpora,
    pytest.mark.slow,
    pytest.mark.skipif(not MACCROBAT.is_dir(), reason=f"MACCROBAT is not at {MACCROBAT}"),
]

LABELS = labels_of(THREE)
MODEL = "models:/behealthy-extractor@champion"
SMALL = (
    *LIGHT,
    "train.family=stacked",
    "train.learning_curve=[]",
    "train.crf.iterations=4",
    "train.span.folds=2",
    "train.span.trees=20",
    "train.acceptance.models=[]",
    "train.acceptance.precision=0.3",  # what so small a model can keep: a model that accepts nothing is refused
    "prepare.test=0.4",  # so that the profile has enough documents that training has not seen
    "monitor.columns=[tokens, unknown_tokens, mentions, confidence]",
)
"""The family that is shipped, made small; of the serving log, what case reports have: they bring no metadata."""

LENIENT = {
    "calibration_error": 1.0,
    "minimum_functionality": 0.0,
    "minimum_documents": 10,
    "rounds": 3,
    "round_seconds": 0.1,
    "throughput": 0.2,
}
"""Bounds for a model that takes seconds to train, on a machine that does other things."""

MAY_CHANGE = (
    *("params.yaml", "data/annotations.dvc", "dvc.lock", "metrics/", "plots/"),
    *("annotation/label_studio/config.xml", "annotation/label_studio/adjudication.xml"),
    "delivery/registry/gate.yaml",
)
"""Parameters, annotations, what follows from them, what is generated from the labels, and the lenient bounds."""

_PREDICT = """
import json, sys, mlflow
served = mlflow.pyfunc.load_model(sys.argv[1])
print(json.dumps(served.predict(json.load(open(sys.argv[2])))["mentions"].tolist()))
"""


@pytest.fixture(scope="module")
def symptoms(source: Repository, workshop: Path) -> Repository:
    """A clone that looks for symptoms as well, in case reports; its graph is run and committed on `main`."""
    repository = clone(source, workshop / "symptoms")
    repository.fetch_seed()
    add_maccrobat(repository, THREE, workshop / "maccrobat.csv")
    repository.set_params(*SMALL)
    repository.python("-m", "annotation.label_studio.interface")
    bounds = yaml.safe_load(repository.text("delivery/registry/gate.yaml")) | LENIENT
    (repository.root / "delivery/registry/gate.yaml").write_text(yaml.safe_dump(bounds), encoding="utf-8")
    repository.dvc("repro", timeout=20 * 60)
    repository.commit("Look for symptoms as well")
    repository.git("update-ref", "refs/remotes/origin/main", "main")  # as if it had been merged
    return repository


@pytest.fixture(scope="module")
def champion(symptoms: Repository) -> Repository:
    """The same, its model registered and promoted in the file of MLflow at its root."""
    assert "version 1 of" in symptoms.python("-m", "delivery.register").out
    assert "no champion yet" in symptoms.python("-m", "delivery.promote").out
    return symptoms


def held_out_texts(repository: Repository) -> list[str]:
    documents = pd.read_parquet(repository.root / "data/prepared/documents.parquet")
    return documents.loc[documents["split"] == "test", "text"].tolist()


def test_no_code_changed(source: Repository, symptoms: Repository) -> None:
    changed = symptoms.git("diff", "--name-only", source.git("rev-parse", "HEAD").strip(), "HEAD").split()
    assert {"params.yaml", "data/annotations.dvc", "annotation/label_studio/config.xml"} <= set(changed)
    assert [name for name in changed if not name.startswith(MAY_CHANGE)] == []
    assert 'value="Symptom"' in symptoms.text("annotation/label_studio/config.xml")


def test_a_second_version_is_judged_by_each_label(champion: Repository) -> None:
    tree = champion.git("rev-parse", "HEAD^{tree}").strip()
    same = champion.git("commit-tree", tree, "-p", "HEAD", "-m", "The same model again").strip()
    champion.python("-m", "delivery.register", "--rev", same)
    judged = champion.python("-m", "delivery.promote").out
    assert all(f"passed  strict F1, {label}: +0.0000" in judged for label in LABELS), judged


def test_the_served_model_finds_all_three(champion: Repository, workshop: Path) -> None:
    # Away from the repository: the model brings the code that it runs with. The kernels are those of its home.
    outside = Repository(workshop / "served").settings(MLFLOW_TRACKING_URI=f"sqlite:///{champion.root}/mlflow.db")
    outside.root.mkdir()
    texts, notes = held_out_texts(champion), outside.root / "notes.json"
    notes.write_text(json.dumps(texts), encoding="utf-8")
    answered = json.loads(outside.python("-P", "-c", _PREDICT, MODEL, str(notes)).out.splitlines()[-1])
    assert len(answered) == len(texts)
    mentions = [mention for mentions in answered for mention in mentions]
    assert {mention["label"] for mention in mentions} == set(LABELS)


def test_symptoms_are_watched(symptoms: Repository, tmp_path: Path) -> None:
    assert "symptoms" in symptoms.json("metrics/drift.json")["columns"]
    assert "fault" not in symptoms.json("metrics/drift.json")["columns"]["symptoms"]
    assert symptoms.json("metrics/decision.json")["decision"] in set(SEVERITIES) - {"unknown"}
    profile = read_table(symptoms.root / "data/serving/profile.parquet")
    window = profile[profile["symptoms"].notna()].assign(symptoms=lambda rows: rows["symptoms"] * 4)
    write_table(tmp_path / "window.parquet", window, serving_log(LABELS))
    symptoms.python("-m", "stages.monitor", "--log", str(tmp_path / "window.parquet"), "--json", str(tmp_path))
    assert json.loads((tmp_path / "decision.json").read_text(encoding="utf-8"))["column"] == "symptoms"


def test_a_record_still_pairs_its_two_sides(symptoms: Repository, tmp_path: Path) -> None:
    notes, record = tmp_path / "notes.jsonl", tmp_path / "record.parquet"
    lines = [json.dumps({"id": f"{place}", "text": text}) for place, text in enumerate(held_out_texts(symptoms))]
    notes.write_text("\n".join(lines) + "\n", encoding="utf-8")
    built = symptoms.python("-m", "production.record", "build", str(notes), "--to", str(record)).out
    assert built.startswith(f"record: {len(lines)} notes") and len(pd.read_parquet(record))


def test_the_report_says_that_the_label_is_new(source: Repository, symptoms: Repository) -> None:
    before = source.git("rev-parse", "HEAD").strip()
    report = symptoms.python("-m", "delivery.report", "--base", before).out
    assert "Labels new: Symptom" in report.replace("`", "")
