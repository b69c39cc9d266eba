from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException

from delivery.errors import DeliveryError
from delivery.registry.closure import import_closure
from delivery.registry.model import (
    ENTRY,
    EXAMPLE,
    LIBRARIES,
    LIMITS,
    log_extractor,
    requirements_of,
)
from delivery.registry.server import connect
from delivery.revision.hashes import folder_md5
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
        ([None], "note 0, counted from 0, is missing"),
        ([1961], "note 0, counted from 0, is of type int"),
        (pd.DataFrame({"text": [1961]}), "note 0, counted from 0, is of type int"),
        (pd.DataFrame({"text": ["Gout in 1961", ["Gout in 1961"]]}), "note 1, counted from 0, is of type list"),
        (["well", "Gout in 1961" + " " * 100_000], "note 1, counted from 0, has 100012 characters, more than 100000"),
        (["Gout in 1961 " * 7_000] * 20, "notes up to 10, counted from 0, have more than 1000000 characters"),
        ([""] * 10_000 + ["Gout in 1961"], "notes up to 10000, counted from 0, .* each counted as 100 at least"),
        (["well", "Gout in 1961 \ud83d"], "note 1, counted from 0, has half a character at offset 13"),
    ],
    ids=[
        "none", "nan", "number", "other column", "bytes", "only none", "only number", "table of numbers", "list",
        "long note", "long request", "many notes", "half a character",
    ],
)  # fmt: skip
def test_what_is_no_note_is_refused_without_quoting_any(model: Any, notes: Any, message: str) -> None:
    with pytest.raises(MlflowException, match=message) as refused:
        model.predict(notes)
    refused.value.message = f"Failed to predict data '{notes}'"  # as MLflow's server does
    assert "1961" not in str(refused.value) + refused.value.serialize_as_json()
    assert refused.value.get_http_status_code() == 400


def test_a_note_as_long_as_the_limit_is_read(model: Any) -> None:
    assert len(model.predict(["Gout. " + "x" * (LIMITS["note_characters"] - 6)])) == 1


@pytest.mark.parametrize("limit", ["0", "-1", "true", '"many"', "1.5"])
def test_a_limit_that_is_none_is_refused_when_the_model_is_loaded(
    downloaded: Path, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_PYFUNC_INFERENCE_CONFIG", f'{{"note_characters": {limit}}}')
    with pytest.raises(MlflowException, match="note_characters of the model's configuration is neither"):
        mlflow.pyfunc.load_model(str(downloaded))


def test_limits_are_chosen_where_it_is_served(downloaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_PYFUNC_INFERENCE_CONFIG", '{"note_characters": 600000, "request_characters": null}')
    served = mlflow.pyfunc.load_model(str(downloaded))
    assert len(served.predict(["x" * 600_000] * 2)) == 2
    with pytest.raises(MlflowException, match="more than 600000"):
        served.predict(["x" * 600_001])


def test_the_first_request_compiles_nothing(downloaded: Path) -> None:
    """Nor do notes of every kind: those of the seed batch, with mentions, abbreviations and terms, and odd ones.

    It runs on the code of the working tree, whose loops were compiled before: what counts is which of them are loaded.
    """
    script = (
        "import json, sys, mlflow, stages.train.extractor\n"
        f"model = mlflow.pyfunc.load_model({str(downloaded)!r})\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "def compiled():\n"
        "    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith('stages.')]\n"
        "    found = [one for module in modules for one in vars(module).values() if isinstance(one, Dispatcher)]\n"
        "    return sum(len(one.signatures) for one in found)\n"
        "before = compiled()\n"
        "suggested = sum(map(len, model.predict(json.load(sys.stdin))['suggestions']))\n"
        "print(before, compiled(), suggested)"
    )
    texts = pd.read_parquet(ROOT / "data/prepared/documents.parquet")["text"].tolist()
    odd = ["", " ", "\n", "x", "Gout", "Gout.\nGout.", "é", "((", "COPD (COPD)", "5 mg"]
    result = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps([*odd, *texts]), cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    before, after, suggested = map(int, result.stdout.split())
    assert before == after > 10
    assert suggested


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
    assert direct | {"mlflow", "pandas"} == set(LIBRARIES)  # these two carry the notes in and the mentions out


def test_a_requirement_without_a_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("mlflow==3\n")
    with pytest.raises(DeliveryError, match="pins no llvmlite"):
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


# ---- as MLflow serves it ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(downloaded: Path) -> Iterator[Any]:
    """MLflow's own application with the model in it, as `mlflow models serve` starts it."""
    from mlflow.pyfunc import scoring_server

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants another client than the one that MLflow brings
        from starlette.testclient import TestClient

    plain = scoring_server.invocations
    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(str(downloaded))), raise_server_exceptions=False)
    yield client
    scoring_server.invocations = plain


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "request_",
    [
        {"inputs": [NOTE]},
        {"instances": [NOTE]},
        {"dataframe_records": [{"text": NOTE}]},
        {"dataframe_split": {"columns": ["text", "x"], "data": [[NOTE, 1]]}},
    ],
    ids=lambda request: next(iter(request)),
)
def test_each_form_of_a_request_is_answered(server: Any, request_: dict) -> None:
    answer = server.post("/invocations", content=json.dumps(request_), headers=JSON)
    assert answer.status_code == 200
    assert len(answer.json()["predictions"][0]["mentions"]) == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"inputs": [null]}', "note 0, counted from 0, is missing"),
        ('{"inputs": ["well", 1961]}', "note 1, counted from 0, is of type int"),
        ('{"inputs": [NaN]}', "note 0, counted from 0, is missing"),
        ('{"inputs": [["Gout in 1961", "x"]]}', "note 0, counted from 0, is of type list"),
        ('{"inputs": [{"text": "Gout in 1961"}]}', "note 0, counted from 0, is an object and no text"),
        ('{"instances": [{"note": "Gout in 1961"}]}', "is an object and no text"),
        ('{"inputs": "Gout in 1961"}', "no list but of type str"),
        ('{"inputs": []}', "there is no note"),
        ('{"inputs": ["Gout in 1961"', "the request is no JSON (line 1, column 27)"),
        ('Gout in 1961', "the request is no JSON (line 1, column 1)"),
        ('{"inputs": ["Gout in 1961\\ud83d"]}', "half a character at offset 12"),
        (b'{"inputs": ["Gout in 1961 \xff"]}', "no JSON that can be read"),
        ('{"inputs": ' + "[" * 100_000, "no JSON that can be read"),
        ('["Gout in 1961"]', "exactly one of inputs, instances, dataframe_records, dataframe_split"),
        ('{"Gout in 1961": 1}', "exactly one of inputs"),
        ('{"inputs": ["a"], "instances": ["Gout in 1961"]}', "exactly one of inputs"),
        ('{"messages": ["Gout in 1961"]}', "exactly one of inputs"),
        ('{"dataframe_records": [{"note": "Gout in 1961"}]}', "there is no column text"),
        ('{"dataframe_records": [{"text": "a"}, {"note": "Gout in 1961"}]}', "note 1, counted from 0, is missing"),
        ('{"dataframe_records": "Gout in 1961"}', "no list of objects"),
        ('{"dataframe_split": {"columns": ["Gout in 1961"], "data": [["a"]]}}', "first column is not named text"),
        ('{"dataframe_split": {"columns": ["text"], "data": "Gout in 1961"}}', "a list of rows"),
        ('{"dataframe_split": {"columns": ["text"], "data": [[]]}}', "note 0, counted from 0, is missing"),
        (json.dumps({"inputs": ["Gout in 1961" + " " * 100_000]}), "has 100012 characters, more than 100000"),
        (json.dumps({"inputs": ["Gout in 1961 " * 7_000] * 20}), "more than 1000000 characters"),
        ('{"inputs": ["' + "Gout in 1961" * 800_000 + '"]}', "the request has 9600016 bytes, more than 8000000"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_over_http_what_is_no_note_is_refused_and_never_quoted(
    server: Any, body: str | bytes, message: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = server.post("/invocations", content=body, headers=JSON)
    assert answer.status_code == 400
    assert message in answer.json()["message"]
    captured = capfd.readouterr()
    assert "1961" not in answer.text + caplog.text + captured.out + captured.err


def test_no_file_of_the_machine_is_read(server: Any, tmp_path: Path) -> None:
    """MLflow opens the file that a lone string names."""
    (tmp_path / "notes.json").write_text(json.dumps([NOTE]), encoding="utf-8")
    answer = server.post("/invocations", content=json.dumps({"inputs": str(tmp_path / "notes.json")}), headers=JSON)
    assert answer.status_code == 400


@pytest.mark.parametrize("kind", ["text/csv", "application/vnd.apache.parquet", "text/plain", None])
def test_only_json_is_read(server: Any, kind: str | None) -> None:
    answer = server.post("/invocations", content="text\nGout in 1961\n", headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == 400
    assert "application/json" in answer.json()["message"]
    assert "1961" not in answer.text


def test_a_failure_of_the_model_itself_is_not_quoted(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.train.extractor import Extractor

    def fail(self: Any, texts: list[str]) -> None:
        raise KeyError(texts[0])

    monkeypatch.setattr(Extractor, "extract_all", fail)
    answer = server.post("/invocations", content='{"inputs": ["Gout in 1961"]}', headers=JSON)
    assert answer.status_code == 500
    assert answer.json()["message"] == "the model failed on a note of this request"
    assert "1961" not in answer.text
