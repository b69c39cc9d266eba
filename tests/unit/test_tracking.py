"""What a run holds of a commit: from a small graph of real DVC, on MLflow's SQLite store."""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from delivery.errors import DeliveryError
from delivery.registry import tracking
from delivery.registry.dataset import dataset_of
from delivery.registry.run_metrics import first_screen, numbers
from delivery.registry.run_view import VIEW
from delivery.registry.server import EXPERIMENT, connect, sqlite_file
from delivery.registry.tracking import MODEL, track
from delivery.revision.dvc_files import DvcFiles, NotReadableError, Remote
from delivery.revision.experiments import committed_at, find
from delivery.revision.revision import workspace
from delivery.track import main
from tests.commits import write_annotations
from tests.repository import ROOT, Repository, copy

GRAPH = """\
stages:
  validate:
    cmd: python make.py validate
    deps: [make.py]
    metrics: [metrics/validation.json: {cache: false}]
  train:
    cmd: python make.py train
    deps: [make.py]
    params: [train]
    outs: [models, plots/attributes.csv, plots/learning_curve.csv]
  evaluate:
    cmd: python make.py evaluate
    deps: [make.py, models]
    outs: [metrics/documents.csv: {cache: false}]
    metrics: [metrics/evaluation.json: {cache: false}]
plots:
- attributes: {template: attributes, x: weight, y: {plots/attributes.csv: attribute}}
- learning_curve: {template: linear, x: documents, y: {plots/learning_curve.csv: f1}}
"""

MAKE = """\
import json, pathlib, sys, yaml
for name in ("metrics", "models", "plots", "reports/data_docs", "predictions"):
    pathlib.Path(name).mkdir(parents=True, exist_ok=True)
def write(name, text): pathlib.Path(name).write_text(text)
params = yaml.safe_load(open("params.yaml"))["train"]
if sys.argv[1] == "train":
    write("models/model.json", json.dumps(params["seed"]))
    write("plots/attributes.csv", "label,attribute,weight\\nDisease,w0=scurvy,1.5\\n")
    write("plots/learning_curve.csv", "documents,f1\\n10,0.5\\n20,0.6\\n")
if sys.argv[1] == "validate":
    verdict = json.dumps({"passed": True, "expectations": {"failed": []}})
    write("metrics/validation.json", verdict)
    write("reports/data_docs/index.html", "<p>counts</p>")
    write("reports/data_docs/validation.json", verdict)
if sys.argv[1] == "evaluate":
    seed = json.loads(pathlib.Path("models/model.json").read_text())
    strict = {"micro": {"f1": 0.5 + seed / 100, "f1_low": 0.4}, "Disease": {"f1": 0.25, "recall": 0.2}}
    errors = {"label": 3}
    evaluation = {"strict": strict, "note": "scurvy?", "share": None, "errors": errors}
    write("metrics/evaluation.json", json.dumps(evaluation))
    write("metrics/documents.csv", "document,label,tp,fp,fn\\n0,Disease,1,0,0\\n")
    write("reports/errors.html", "scurvy")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    root = tmp_path_factory.mktemp("tracking") / "made"
    root.mkdir()
    repository = Repository(root)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.git("config", "user.name", "Tester")
    repository.git("config", "user.email", "tester@example.org")
    repository.dvc("init", "--quiet")
    (root / "dvc.yaml").write_text(GRAPH)
    (root / "make.py").write_text(MAKE)
    many = "".join(f"  p{number:03}: {number}\n" for number in range(120))
    (root / "params.yaml").write_text(f"train:\n  seed: 1\n  clusters: [64, 256]\n{many}")
    (root / ".gitignore").write_text("/models\n/plots\n/reports\n/predictions\n/mlflow.db\n/mlruns\n")
    repository.dvc("repro", "--quiet")
    repository.commit("First results")
    return repository


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A laid out store, copied for each test: laying it out takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def repository(made: Repository, store: Path, tmp_path: Path) -> Repository:
    repository = copy(made, tmp_path / "repository")
    shutil.copyfile(store, repository.root / "mlflow.db")
    return repository


@pytest.fixture
def client(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of the repository's own file, as a user has it; the model is logged as a file."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(repository.root)
    made = connect()

    def log_extractor(models: Path, *, run_id: str, root: Path) -> str:
        assert (root / "make.py").is_file()  # the code of the commit
        made.log_artifacts(run_id, str(models), "model")
        return f"models:/m-{(models / 'model.json').read_text()}"

    monkeypatch.setattr(tracking, "log_extractor", log_extractor)
    return made


def tracked(client: MlflowClient, name: str = "HEAD", remote: Remote | None = None) -> Run:
    return client.get_run(track(find(name), client=client, remote=remote))


def artifacts(client: MlflowClient, run: Run, folder: str = "") -> list[str]:
    found: list[str] = []
    for one in client.list_artifacts(run.info.run_id, folder or None):
        found += artifacts(client, run, one.path) if one.is_dir else [one.path]
    return sorted(found)


def everything(client: MlflowClient) -> list[Run]:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def test_a_run_says_what_it_was_made_of_and_what_came_out(client: MlflowClient, repository: Repository) -> None:
    run = tracked(client)
    sha = repository.git("rev-parse", "HEAD").strip()
    assert run.data.params["train.clusters"] == "[64, 256]"
    assert len(run.data.params) == 122
    assert run.data.metrics == {
        "strict_f1": 0.51,
        "strict_f1_low": 0.4,
        "evaluation.strict.micro.f1": 0.51,
        "evaluation.strict.Disease.f1": 0.25,
        "validation.passed": 1.0,
    }
    lock = repository.yaml("dvc.lock")["stages"]["train"]["outs"]
    expected = {
        "git.sha": sha,
        "mlflow.source.git.commit": sha,
        "models.md5": next(out["md5"] for out in lock if out["path"] == "models"),
        "gate": "passed",
        MODEL: "models:/m-1",
    }
    assert expected.items() <= run.data.tags.items()
    assert (run.info.run_name, run.info.status) == (sha[:10], "FINISHED")


def test_its_artifacts_are_complete_and_none_has_words_of_a_note(client: MlflowClient, repository: Repository) -> None:
    run = tracked(client)
    assert artifacts(client, run) == [
        "dvc.lock",
        "dvc.yaml",
        "metrics/all.csv",
        "metrics/documents.csv",
        "metrics/evaluation.json",
        "metrics/validation.json",
        "model/model.json",
        "params.yaml",
        "plots/learning_curve.csv",
        "plots/learning_curve.png",
        "reports/data_docs/index.html",
        "reports/data_docs/validation.json",
    ]
    assert (repository.root / "mlruns").is_dir()
    assert "scurvy" not in str(run.data.tags) + str(run.data.params)


def test_the_numbers_that_are_no_metrics_of_the_run_are_in_a_table(client: MlflowClient, tmp_path: Path) -> None:
    run = tracked(client)
    table = pd.read_csv(client.download_artifacts(run.info.run_id, "metrics/all.csv", str(tmp_path)))
    found = dict(zip(table["metric"], table["value"], strict=True))
    assert found["evaluation.errors.label"] == 3
    assert {name: value for name, value in run.data.metrics.items() if "." in name}.items() <= found.items()
    assert "evaluation.errors.label" not in run.data.metrics


def test_of_the_projects_own_metrics_a_handful_is_on_the_first_screen() -> None:
    found = numbers(workspace(ROOT))
    shown = first_screen(found)
    assert len(found) > 100
    assert 10 <= len(shown) <= 15
    strict = [found[f"evaluation.strict.micro.f1{end}"] for end in ("", "_low", "_high")]
    assert [shown[f"strict_f1{end}"] for end in ("", "_low", "_high")] == strict


def test_the_table_of_runs_is_offered_with_f1_and_its_interval_as_columns(client: MlflowClient) -> None:
    assert main(["--rev", "HEAD"]) == 0
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    kept = experiment.tags[VIEW].removeprefix("deflate;")
    columns = json.loads(zlib.decompress(base64.b64decode(kept)))["selectedColumns"]
    assert {f"metrics.`strict_f1{end}`" for end in ("", "_low", "_high")} <= set(columns)
    assert f"viewStateShareKey={VIEW.rsplit('.', 1)[1]}," in (ROOT / "Makefile").read_text()


def test_the_annotations_are_its_data_set_without_a_row(client: MlflowClient, repository: Repository) -> None:
    assert tracked(client).inputs.dataset_inputs == []  # it has no data/annotations.dvc
    write_annotations(repository.root, "aa" * 16)
    repository.commit("With data")
    (found,) = tracked(client).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("data/annotations", "aa" * 16)
    assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "training")]
    assert found.dataset.schema is None
    (repository.root / "data/annotations/ward-3").mkdir(parents=True)
    assert dataset_of(workspace(repository.root)).dataset.name == "ward-3"  # type: ignore[union-attr]
    params = (
        repository.text("params.yaml") + "prepare: {batches: [" + ", ".join(f"ward-{n}" for n in range(90)) + "]}\n"
    )
    (repository.root / "params.yaml").write_text(params)
    name = dataset_of(workspace(repository.root)).dataset.name  # type: ignore[union-attr]
    assert name.startswith("ward-0, ward-1, ")
    assert (len(name), name[-1]) == (200, "…")


def test_a_second_time_adds_nothing(client: MlflowClient) -> None:
    first = tracked(client)
    assert tracked(client).to_dictionary() == first.to_dictionary()
    assert len(everything(client)) == 1


def test_an_experiment_keeps_its_name_and_its_baseline(client: MlflowClient, repository: Repository) -> None:
    baseline = repository.git("rev-parse", "HEAD").strip()
    repository.dvc("exp", "run", "--quiet", "--name", "shy-lynx", "-S", "train.seed=7")
    repository.git("checkout", "--quiet", ".")
    repository.dvc("checkout", "--quiet")
    assert main([]) == 0
    runs = {run.info.run_name: run for run in everything(client)}
    assert set(runs) == {baseline[:10], "shy-lynx"}
    lynx = runs["shy-lynx"].data
    assert (lynx.tags["dvc.experiment"], lynx.tags["dvc.baseline"]) == ("shy-lynx", baseline)
    assert (lynx.params["train.seed"], lynx.metrics["evaluation.strict.micro.f1"]) == ("7", pytest.approx(0.57))
    assert lynx.tags[MODEL] == "models:/m-7"
    assert lynx.tags["mlflow.note.content"] == "train.seed=7"
    took = runs["shy-lynx"].info.end_time - runs["shy-lynx"].info.start_time
    assert 0 <= took < 300_000
    assert runs["shy-lynx"].info.end_time == committed_at(find("shy-lynx"))
    assert runs[baseline[:10]].info.end_time is None  # nobody knows how long that took
    assert main([]) == 0
    assert len(everything(client)) == 2


@pytest.mark.slow
def test_two_that_lay_out_the_file_of_the_runs_at_once_leave_one_run(made: Repository, tmp_path: Path) -> None:
    """From nothing: MLflow's own migrations fail when two processes begin them at once."""
    repository = copy(made, tmp_path / "repository").settings(PYTHONPATH=str(ROOT))
    lose_models(repository)  # what is logged as a model needs the whole project
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: repository.python("-m", "delivery.track"), range(2)))
    assert results[0].out == results[1].out
    assert len(everything(MlflowClient(f"sqlite:///{repository.root}/mlflow.db"))) == 1


def test_a_report_left_from_another_run_is_not_attached(client: MlflowClient, repository: Repository) -> None:
    verdict = repository.root / "reports/data_docs/validation.json"
    verdict.write_text(verdict.read_text().replace("true", "false"))
    assert not [name for name in artifacts(client, tracked(client)) if name.startswith("reports")]


def test_a_report_of_other_inputs_is_not_attached_though_its_metrics_are_alike(
    client: MlflowClient, repository: Repository
) -> None:
    (repository.root / "make.py").write_text(MAKE + "# other code\n")
    repository.dvc("repro", "--quiet", "validate")
    assert not [name for name in artifacts(client, tracked(client)) if name.startswith("reports")]


def lose_models(repository: Repository) -> list[tuple[Path, bytes]]:
    md5 = workspace(repository.root).hashes()["models"]
    path = repository.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    lost = [(path, path.read_bytes())]
    path.unlink()
    return lost


def test_a_model_that_cannot_be_had_is_said_and_added_when_it_can(client: MlflowClient, repository: Repository) -> None:
    lost = lose_models(repository)
    without = tracked(client)
    assert without.data.tags[MODEL].startswith("absent: models (")
    assert tracked(client).data.tags == without.data.tags
    for path, content in lost:
        path.write_bytes(content)
    run = tracked(client)
    assert (run.info.run_id, run.data.tags[MODEL]) == (without.info.run_id, "models:/m-1")
    assert run.info.status == "FINISHED"
    assert len(everything(client)) == 1


def test_a_remote_that_failed_is_not_asked_for_every_commit(repository: Repository, tmp_path: Path) -> None:
    lose_models(repository)
    files = DvcFiles(find("HEAD", repository.root), remote=Remote())
    again = DvcFiles(files.revision, remote=files.remote)
    with pytest.raises(NotReadableError, match="neither in the cache nor can it be fetched"):
        files.copy("models", tmp_path / "a")
    with pytest.raises(NotReadableError, match="the remote failed before"):
        again.copy("models", tmp_path / "b")
    again.copy("plots/learning_curve.csv", tmp_path / "c")  # that one is cached
    assert not (tmp_path / "a").exists()


def test_a_damaged_output_is_refused(repository: Repository, tmp_path: Path) -> None:
    md5 = workspace(repository.root).hashes()["plots/learning_curve.csv"]
    path = repository.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    path.chmod(0o644)
    path.write_text(path.read_text().replace("0.5", "0.9"))
    with pytest.raises(NotReadableError, match=r"plots/learning_curve\.csv does not have the MD5"):
        DvcFiles(find("HEAD", repository.root)).copy("plots/learning_curve.csv", tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_failing_model_leaves_no_run(
    client: MlflowClient, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(models: Path, *, run_id: str, root: Path) -> str:
        raise DeliveryError("not loadable")

    monkeypatch.setattr(tracking, "log_extractor", broken)
    with pytest.raises(DeliveryError, match="not loadable"):
        tracked(client)
    assert not everything(client)
    assert main(["--rev", "HEAD"]) == 2


def test_what_has_no_run_says_why(
    client: MlflowClient, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeliveryError, match="commit it first"):
        track(workspace(), client=client)
    repository.git("rm", "--quiet", "metrics/evaluation.json")
    repository.commit("Results taken out")
    with pytest.raises(DeliveryError, match=r"HEAD has no metrics/evaluation\.json"):
        tracked(client)
    assert main(["--rev", "nowhere"]) == 2
    assert "git knows no commit nowhere" in capsys.readouterr().err


def test_an_experiment_deleted_on_the_server_is_an_error_with_the_remedy(client: MlflowClient) -> None:
    tracked(client)
    client.delete_experiment(tracking.experiment_of(client))
    with pytest.raises(DeliveryError, match="restore it"):
        tracked(client)


def test_an_absent_server_is_said_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], repository: Repository
) -> None:
    monkeypatch.chdir(repository.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    assert main([]) == 2
    error = capsys.readouterr().err
    assert "http://127.0.0.1:9 does not answer" in error
    assert "secret" not in error


def test_the_file_of_a_sqlite_address() -> None:
    assert sqlite_file("sqlite:////tmp/a/mlflow.db") == Path("/tmp/a/mlflow.db")
    assert sqlite_file("http://127.0.0.1:5000") is None
