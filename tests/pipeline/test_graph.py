"""The graph as its users drive it: no-op, experiments, the queue, comparisons, the gate, a new batch, parameters."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.pages import loads
from tests.repository import Repository, add_batch, copy, write_notes

STAGES = ["prepare", "validate", "featurize", "train", "evaluate", "monitor"]
EVALUATION = "metrics/evaluation.json"
UP_TO_DATE = "Data and pipelines are up to date."
QUEUE_LIMIT = 240  # seconds
RETOLD = 12  # notes of the seed that come again with a sentence more


@pytest.fixture
def lab(light: Repository, tmp_path: Path) -> Repository:
    """A reproduced and committed repository to do anything with."""
    return copy(light, tmp_path / "lab")


def ran(output: str) -> list[str]:
    """Return the stages that a `dvc repro` ran."""
    return [stage for stage in STAGES if f"Running stage '{stage}'" in output]


# ---- what is declared -----------------------------------------------------------------------------


def test_every_stage_is_listed_with_what_it_does(light: Repository) -> None:
    graph = light.yaml("dvc.yaml")["stages"]
    assert list(graph) == STAGES
    listed = dict(line.split(maxsplit=1) for line in light.dvc("stage", "list").out.splitlines())
    assert listed == {name: stage["desc"] for name, stage in graph.items()}


def test_metrics_are_in_git_and_the_rest_in_the_cache(light: Repository) -> None:
    tracked = light.git("ls-files").splitlines()
    for name, stage in light.yaml("dvc.yaml")["stages"].items():
        for out in [*stage.get("outs", []), *stage.get("metrics", [])]:
            path = next(iter(out)) if isinstance(out, dict) else out
            in_git = any(file == path or file.startswith(f"{path}/") for file in tracked)
            assert in_git == path.startswith("metrics/"), f"{name}: {path}"


def test_the_artifact_is_an_output_that_can_be_fetched_by_version(lab: Repository, tmp_path: Path) -> None:
    outs = [out for stage in lab.yaml("dvc.yaml")["stages"].values() for out in stage.get("outs", [])]
    assert lab.yaml("dvc.yaml")["artifacts"]["extractor"]["path"] in outs
    lab.git("tag", "--annotate", "--message", "registered", "extractor@v1.0.0")
    lab.dvc("artifacts", "get", str(lab.root), "extractor", "--rev", "v1.0.0", "--out", str(tmp_path / "fetched"))
    for path in (path for path in (lab.root / "models").rglob("*") if path.is_file()):
        assert (tmp_path / "fetched" / path.relative_to(lab.root / "models")).read_bytes() == path.read_bytes()


def test_documents_in_git_have_the_names_that_only_the_data_can_make(light: Repository) -> None:
    documents = pd.read_parquet(light.root / "data/prepared/documents.parquet")
    named = set(pd.read_csv(light.root / "metrics/documents.csv", dtype=str)["document"])
    assert named == set(documents.loc[documents["split"] == "test", "public_name"])
    assert not named & {hashlib.sha256(name.encode()).hexdigest()[:16] for name in documents["document"]}


# ---- running it -----------------------------------------------------------------------------------


def test_nothing_runs_when_nothing_changed(light: Repository) -> None:
    started = time.monotonic()
    output = light.dvc("repro").out
    print(f"no-op dvc repro: {time.monotonic() - started:.1f} s")
    assert not ran(output)
    assert UP_TO_DATE in output
    assert not light.changes()


def test_running_a_stage_changes_no_dependency(lab: Repository) -> None:
    """A stage that writes into its own code folder (a compiled cache, say) would run forever."""
    lab.python("-m", "stages.validate")
    assert UP_TO_DATE in lab.dvc("repro").out


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("prepare.salt=1", "prepare.salt"),
        ("prepare.tset=0.3", "prepare.tset"),
        ("train.crf.runs=2.5", "train.crf.runs"),
        ("prepare.dev=0.9", "dev + test must be below 1"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(lab: Repository, setting: str, key: str) -> None:
    lab.set_params(setting)
    result = lab.dvc("repro", fails=True)
    assert key in result.text
    assert "Traceback" not in result.text


# ---- experiments ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def experiment(light: Repository, workshop: Path) -> tuple[Repository, str]:
    """`light` with an experiment in its workspace, and what `dvc exp run` printed."""
    repository = copy(light, workshop / "experiment")
    output = repository.dvc("exp", "run", "--name", "two-runs", "-S", "train.crf.runs=2").out
    return repository, output


@pytest.fixture(scope="module")
def compared(experiment: tuple[Repository, str], workshop: Path) -> Repository:
    """Two commits: HEAD~1 is `light`, HEAD the experiment."""
    repository = copy(experiment[0], workshop / "compared")
    repository.commit("Two runs")
    return repository


def test_an_experiment_moves_the_metrics_and_the_commit_can_be_had_back(
    light: Repository, experiment: tuple[Repository, str], tmp_path: Path
) -> None:
    lab = copy(experiment[0], tmp_path / "lab")
    assert ran(experiment[1]) == ["train", "evaluate", "monitor"]
    assert lab.git("rev-parse", "HEAD") == light.git("rev-parse", "HEAD")
    assert lab.yaml("params.yaml")["train"]["crf"]["runs"] == 2
    assert lab.f1() != light.f1()
    after = lab.results()

    lab.git("checkout", "--quiet", "--", ".")
    lab.dvc("checkout")
    assert lab.results() == light.results()
    assert not ran(lab.dvc("repro").out)

    lab.dvc("exp", "apply", "two-runs")
    assert lab.results() == after


def test_queued_experiments_run_their_own_code_and_parameters(lab: Repository) -> None:
    """The workspace is broken after queueing: installed packages would make the workers import it."""
    wanted = {"one": 1, "three": 3}
    for name, iterations in wanted.items():
        lab.dvc("exp", "run", "--queue", "--name", name, "-S", f"train.crf.iterations={iterations}")
    stage = lab.root / "stages" / "train" / "__main__.py"
    stage.write_text("raise SystemExit('the code of the workspace')\n", encoding="utf-8")
    try:
        lab.dvc("queue", "start", "--jobs", "2")
        states = lab.wait_for_queue(QUEUE_LIMIT)
    finally:
        lab.dvc("queue", "stop", "--kill")
    failed = [name for name, state in states.items() if state != "Success"]
    assert set(states) == set(wanted)
    assert not failed, "\n".join(lab.dvc("queue", "logs", name).text for name in failed)
    shown = experiments(lab)
    assert {name: params_of(shown[name])["train"]["crf"]["iterations"] for name in wanted} == wanted
    scores = {name: f1_of(shown[name]) for name in wanted}
    assert len(set(scores.values())) == len(wanted), scores


def experiments(repository: Repository) -> dict[str, Any]:
    """Return the data of every experiment of `dvc exp show --json` by its name."""
    shown = json_of(repository, "exp", "show", "--json")
    named = [(entry["name"], entry["revs"]) for entry in shown[1]["experiments"] or []]
    return {name: revs[0]["data"] for name, revs in named}


def json_of(repository: Repository, *command: str) -> Any:
    return json.loads(repository.dvc(*command).out)


def params_of(data: dict[str, Any]) -> Any:
    return data["params"]["params.yaml"]["data"]


def f1_of(data: dict[str, Any]) -> float:
    return float(data["metrics"][EVALUATION]["data"]["strict"]["micro"]["f1"])


# ---- comparing two commits ------------------------------------------------------------------------


def test_experiments_are_shown_as_json_and_csv(light: Repository, compared: Repository) -> None:
    shown = json_of(compared, "exp", "show", "--json", "--num", "2")
    workspace, head, before = (entry["data"] for entry in shown)
    assert f1_of(workspace) == f1_of(head) == compared.f1()
    assert f1_of(before) == light.f1()
    assert params_of(before)["train"]["crf"]["runs"] == 1

    rows = list(csv.DictReader(io.StringIO(compared.dvc("exp", "show", "--csv", "--num", "2").out)))
    column = next(name for name in rows[0] if name.endswith("strict.micro.f1"))
    assert {float(row[column]) for row in rows} == {compared.f1(), light.f1()}


def test_metrics_and_parameters_are_compared_between_commits(light: Repository, compared: Repository) -> None:
    metrics = json_of(compared, "metrics", "diff", "--json", "HEAD~1", "HEAD")[EVALUATION]["strict.micro.f1"]
    assert (metrics["old"], metrics["new"]) == (light.f1(), compared.f1())
    params = json_of(compared, "params", "diff", "--json", "HEAD~1", "HEAD")
    assert params == {"params.yaml": {"train.crf.runs": {"old": 1, "new": 2, "diff": 1}}}
    assert "strict.micro.f1" in compared.dvc("metrics", "diff", "--md", "HEAD~1").out


def test_plots_of_two_commits_are_drawn_together(compared: Repository, tmp_path: Path) -> None:
    compared.dvc("plots", "diff", "HEAD~1", "HEAD", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots" / "index.html").read_text(encoding="utf-8")
    # Without a span model there is nothing to compare models of acceptance on.
    drawn = [title for title in titles(compared) if not title.startswith("Would a reviewer")]
    assert len(drawn) == len(titles(compared)) - 1
    for title in drawn:
        assert title in page
    assert '"HEAD~1"' in page.replace(" ", "")
    assert '"HEAD"' in page.replace(" ", "")


def test_every_declared_plot_is_drawn(reproduced: Repository, tmp_path: Path) -> None:
    reproduced.dvc("plots", "show", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots" / "index.html").read_text(encoding="utf-8")
    assert not [title for title in titles(reproduced) if title not in page]
    assert '<meta charset="utf-8">' in page  # attributes are named with more than ASCII
    assert page.count("vegaEmbed('#") == len(titles(reproduced))
    assert not loads(page)  # Vega is in the page: it draws without a network


def test_every_plot_has_its_columns_and_rows(reproduced: Repository) -> None:
    """DVC leaves a plot out with a warning, and exit code 0, when a column is missing."""
    for entry in reproduced.yaml("dvc.yaml")["plots"]:
        for name, plot in entry.items():
            for path, columns in plot["y"].items():
                table = pd.read_csv(reproduced.root / path)
                assert len(table) > 0, name
                assert {plot["x"], *([columns] if isinstance(columns, str) else columns)} <= set(table.columns), name


def titles(repository: Repository) -> list[str]:
    return [plot["title"] for entry in repository.yaml("dvc.yaml")["plots"] for plot in entry.values()]


# ---- the gate -------------------------------------------------------------------------------------


def test_a_bound_of_the_gate_stops_the_graph(lab: Repository) -> None:
    features = lab.yaml("dvc.lock")["stages"]["featurize"]
    lab.set_params("validate.label_share=[0.45, 0.55]", "featurize.epochs=2")
    for attempt in (lab.dvc("repro", fails=True), lab.dvc("repro", fails=True)):
        assert ran(attempt.out) == ["validate"]
    verdict = lab.json("metrics/validation.json")
    assert verdict["passed"] is False
    assert verdict["expectations"]["failed"] == ["labels.share_is_in_bounds"]
    assert lab.yaml("dvc.lock")["stages"]["featurize"] == features

    lab.set_params("validate.label_share=[0.05, 0.95]")
    assert ran(lab.dvc("repro", "featurize").out)[-1] == "featurize"
    assert lab.json("metrics/validation.json")["passed"] is True


def test_a_leak_between_splits_stops_the_graph_before_anything_is_learned(lab: Repository, tmp_path: Path) -> None:
    """The seed's own notes again, as a batch of test documents."""
    (tmp_path / "again.jsonl").write_text("\n".join(seed_notes(lab)[:40]), encoding="utf-8")
    add_batch(lab, tmp_path / "again.jsonl", "again", "--split", "test")
    output = lab.dvc("repro", fails=True)
    assert ran(output.out) == ["prepare", "validate"]
    assert lab.json("metrics/validation.json")["passed"] is False
    assert "documents.text_in_one_split" in lab.json("metrics/validation.json")["expectations"]["failed"]


# ---- a new batch ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grown(light: Repository, workshop: Path) -> Repository:
    """`light` with a second batch of new notes and of old ones retold, reproduced; not committed."""
    repository = copy(light, workshop / "grown")
    export = workshop / "notes.jsonl"
    write_notes(export, 60)
    with export.open("a", encoding="utf-8") as file:
        for line in seed_notes(light)[:RETOLD]:
            note = json.loads(line)
            file.write(json.dumps({**note, "text": f"{note['text']} Read back and agreed."}) + "\n")
    add_batch(repository, export, "second")
    repository.dvc("repro", timeout=600)
    return repository


def seed_notes(repository: Repository) -> list[str]:
    return repository.text("data/annotations/seed-notes/export/notes.jsonl").splitlines()


def documents(repository: Repository) -> pd.DataFrame:
    return pd.read_parquet(repository.root / "data/prepared/documents.parquet").set_index("document")


def test_a_new_batch_moves_no_old_document_and_moves_the_metrics(light: Repository, grown: Repository) -> None:
    before, after = documents(light), documents(grown)
    assert set(after["batch"]) == {"seed-notes", "second"}
    old = after[after["batch"] == "seed-notes"]
    pd.testing.assert_frame_equal(old, before)
    new = after[after["batch"] == "second"]
    assert set(new["split"]) == {"train", "dev", "test"}
    assert new["group"].isin(old["group"]).sum() == RETOLD, "a note retold belongs where the first one is"
    assert json_of(grown, "metrics", "diff", "--json")[EVALUATION]["strict.micro.f1"]["diff"] != 0
    assert {" M dvc.lock", " M data/annotations.dvc"} <= set(grown.changes().splitlines())


def test_the_batches_to_use_are_chosen_by_a_parameter(light: Repository, grown: Repository, tmp_path: Path) -> None:
    lab = copy(grown, tmp_path / "lab")
    lab.set_params("prepare.batches=[second]")
    lab.dvc("repro", "prepare")
    assert set(documents(lab)["batch"]) == {"second"}
    lab.set_params("prepare.batches=[seed-notes]")
    lab.dvc("repro", "prepare")
    pd.testing.assert_frame_equal(documents(lab), documents(light))
    lab.set_params("prepare.batches=[third]")
    assert "no batch named third; there are: seed-notes, second" in lab.dvc("repro", fails=True).text
