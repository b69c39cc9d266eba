from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException

from delivery.closure import import_closure
from delivery.extractor_model import (
    ENTRY,
    EXAMPLE,
    LIBRARIES,
    folder_md5,
    log_extractor,
    requirements_of,
)
from delivery.server import DeliveryError, connect
from tests.repository import ROOT

UV = shutil.which("uv")
NOTE = "Known COPD, no asthma. Start tiotropium 18 mcg once daily."


@pytest.fixture(scope="module")
def models() -> Path:
    if not (ROOT / "models" / "model.json").is_file():
        pytest.skip("no model here: run `make repro`")
    return ROOT / "models"


@pytest.fixture(scope="module")
def run_id(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        client = connect()
        experiment = client.create_experiment("behealthy", artifact_location=(folder / "artifacts").as_uri())
        yield client.create_run(experiment).info.run_id


@pytest.fixture(scope="module")
def uri(models: Path, run_id: str) -> str:
    return log_extractor(models, run_id=run_id, root=ROOT)


@pytest.fixture(scope="module")
def downloaded(uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path_factory.mktemp("downloaded"))))


@pytest.fixture(scope="module")
def model(uri: str) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        yield mlflow.pyfunc.load_model(uri)


def test_a_folder_has_the_hash_that_dvc_gives_it(models: Path) -> None:
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())
    recorded = {out["path"]: out["md5"] for out in lock["stages"]["train"]["outs"]}
    assert folder_md5(models) == recorded["models"]


def test_it_is_logged_once(uri: str, models: Path, run_id: str) -> None:
    assert log_extractor(models, run_id=run_id, root=ROOT) == uri


def test_what_was_left_pending_is_no_model(models: Path, run_id: str) -> None:
    client = mlflow.MlflowClient()
    run = client.create_run(client.get_run(run_id).info.experiment_id).info.run_id
    tags = {"models.md5": folder_md5(models)}
    experiment = client.get_run(run).info.experiment_id
    pending = client.create_logged_model(experiment, name="extractor", source_run_id=run, tags=tags)
    assert log_extractor(models, run_id=run, root=ROOT) != pending.model_uri


def test_no_model_no_logging(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(DeliveryError, match="no complete model"):
        log_extractor(tmp_path, run_id=run_id, root=ROOT)


def test_the_model_has_its_bytes_its_code_and_no_pickle(downloaded: Path, models: Path) -> None:
    assert folder_md5(downloaded / "artifacts" / "models") == folder_md5(models)
    code = {str(path.relative_to(downloaded / "code")) for path in (downloaded / "code").rglob("*") if path.is_file()}
    assert code == import_closure(ENTRY, ROOT)
    kinds = {path.suffix for path in downloaded.rglob("*") if path.is_file()}
    assert kinds <= {".parquet", ".npy", ".json", ".py", ".txt", ".yaml", ""}
    assert str(ROOT) not in (downloaded / "MLmodel").read_text()


@pytest.mark.parametrize(
    "notes",
    [[NOTE, ""], pd.Series([NOTE, ""]), pd.Series([NOTE, ""], name="text"), pd.DataFrame({"text": [NOTE, ""], "x": 1})],
    ids=["strings", "series", "named series", "table"],
)
def test_text_in_mentions_out(model: Any, notes: Any) -> None:
    found = model.predict(notes)
    first, second = found["mentions"]
    assert [(NOTE[mention["start"] : mention["end"]], mention["label"]) for mention in first] == [
        ("COPD", "Disease"),
        ("asthma", "Disease"),
        ("tiotropium", "Treatment"),
    ]
    assert all(isinstance(mention["accepted"], bool) and 0 < mention["confidence"] < 1 for mention in first)
    assert second == []
    assert found["sentences"].tolist() == [2, 0]


def test_rows_keep_the_index_of_the_input(model: Any) -> None:
    table = pd.DataFrame({"text": ["Gout.", "Feels well."]}, index=[7, 3])
    assert model.predict(table).index.tolist() == [7, 3]


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        (["Gout in 1961", None], "note 1, counted from 0, is missing"),
        ([float("nan"), "Gout in 1961"], "note 0, counted from 0, is missing"),
        (pd.DataFrame({"text": ["Gout in 1961", 3]}), "note 1, counted from 0, is of type int"),
        (pd.DataFrame({"id": ["Gout in 1961"], "text": ["well"]}), "first column is not named text"),
        ([["Gout in 1961"], [b"x"]], "of type bytes"),
    ],
    ids=["none", "nan", "number", "other column", "bytes"],
)
def test_what_is_no_note_is_refused_without_quoting_any(model: Any, notes: Any, message: str) -> None:
    with pytest.raises(MlflowException, match=message) as refused:
        model.predict(notes)
    refused.value.message = f"Failed to predict data '{notes}'"  # as MLflow's server does
    assert "1961" not in str(refused.value) + refused.value.serialize_as_json()
    assert refused.value.get_http_status_code() == 400


def test_an_ill_typed_input_is_not_quoted(model: Any) -> None:
    with pytest.raises(MlflowException) as refused:
        model.predict(pd.DataFrame({"text": [1961]}))
    assert "1961" not in str(refused.value)


def test_requirements_are_what_inference_loads(models: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from stages.train.extractor import load_extractor\n"
        f"load_extractor(Path({str(models)!r})).extract({EXAMPLE[0]!r})\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    sources = "\n".join((ROOT / path).read_text() for path in import_closure(ENTRY, ROOT))
    installed = packages_distributions()
    direct = {
        installed[name][0].lower()
        for name in loaded.split()
        if name in installed and (f"import {name}" in sources or f"from {name}" in sources)
    }
    assert direct | {"mlflow"} == set(LIBRARIES)


def test_a_requirement_without_a_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("mlflow==3\n")
    with pytest.raises(DeliveryError, match="pins no numba"):
        requirements_of(tmp_path)


@pytest.mark.slow
def test_it_works_with_nothing_but_its_requirements(downloaded: Path, tmp_path: Path) -> None:
    if UV is None:
        pytest.skip("uv is not installed here")
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    install = [UV, "pip", "install", "--quiet", "--python", python, "--requirement", downloaded / "requirements.txt"]
    subprocess.run(install, check=True)
    script = f"import mlflow; print(mlflow.pyfunc.load_model({str(downloaded)!r}).predict([{NOTE!r}]).to_json())"
    settings = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    result = subprocess.run(
        [python, "-c", script], cwd=tmp_path, env=settings, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert '"label":"Treatment"' in result.stdout
