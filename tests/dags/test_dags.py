"""What Airflow reads in `dags/`: quick to import, whole, and each task a command of the repository. `make lint-dags`.

Airflow reads it in its own environment, by a script; what its words mean is held against this one.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from production.watch.names import PIPELINES
from tests.repository import ROOT

AIRFLOW = ROOT / ".venv-airflow/bin/python"
STEPS = {
    "data_pipeline": ["reviewed_notes", "new_annotations", "versioned", "cleaned", "validation_check", "prepared"],
    "training_pipeline": ["encode_features", "get_trained_model", "track", "register", "approve", "promote"],
    "inference_pipeline": ["encode_data", "input_features_check", "load_model", "prediction_col_check"],
    "monitoring_pipeline": ["read_log", "drift_report", "decision", "trigger"],
}
"""The steps of the case study, each after the one before it."""
SECONDS = 1.0
"""That importing a file may take at most, while Airflow itself is imported."""


def read(folder: Path, home: Path) -> dict[str, Any]:
    assert AIRFLOW.is_file(), "its environment was not built: `make lint-dags` does it"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
    }
    done = subprocess.run(
        [AIRFLOW, ROOT / ".ci/read-dags", folder], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read(ROOT / "dags", tmp_path_factory.mktemp("airflow"))


def tasks(bag: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for dag_id, dag in bag["dags"].items():
        for task_id, task in dag["tasks"].items():
            yield f"{dag_id}.{task_id}", task


def test_the_four_are_read_without_a_fault_and_quickly(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert set(bag["dags"]) == set(STEPS) == set(PIPELINES)
    assert set(bag["files"]) == {f"{name}.py" for name in STEPS}
    assert max(bag["files"].values()) < SECONDS


@pytest.mark.parametrize("name", STEPS)
def test_a_file_has_under_60_lines_and_no_logic(name: str) -> None:
    text = (ROOT / f"dags/{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert not [word for word in ("def ", "class ", "lambda", "\nif ", "    if ", "import os") if word in text]


@pytest.mark.parametrize("name", STEPS)
def test_the_steps_have_their_names_and_their_order(bag: dict[str, Any], name: str) -> None:
    found = bag["dags"][name]["tasks"]
    before: set[str] = set()
    for step in STEPS[name]:
        earlier = before_of(found, step)
        assert before <= earlier, (step, earlier)
        before = {*before, step}


def test_what_the_dashboard_shows_is_computed_after_the_windows_whatever_these_were(bag: dict[str, Any]) -> None:
    """Beside the other steps and not behind them: a run is what its last tasks were, and it would hide a red one."""
    found = bag["dags"]["monitoring_pipeline"]["tasks"]
    step = found["rolled_up"]
    assert (step["after"], step["rule"]) == (["drift_report"], "TriggerRule.ALL_DONE")
    assert not [name for name, task in found.items() if "rolled_up" in task["after"]]


def before_of(found: dict[str, Any], step: str) -> set[str]:
    direct = set(found[step]["after"])
    return direct.union(*(before_of(found, one) for one in direct))


def test_each_pipeline_runs_once_at_a_time_and_makes_up_for_nothing(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        assert (dag["catchup"], dag["runs"]) == (False, 1), name
        assert dag["tags"], name
        assert dag["tells_over"], name
        for word in ("**Does**", "**Runs**", "**Needs**", "**Red**"):
            assert word in dag["doc"], name


def test_each_task_has_owner_timeout_doc_and_people_who_are_told(bag: dict[str, Any]) -> None:
    for name, task in tasks(bag):
        assert task["owner"] not in ("", "airflow"), name
        assert task["doc"], name
        assert 0 < task["seconds"] <= 7 * 86_400, name
        assert task["tells"], name
        if task["kind"] == "Command":
            assert task["retries"] == 3, name
            assert task["backoff"] > 1, name


def test_assets_wake_the_next_pipeline(bag: dict[str, Any]) -> None:
    woken = {dag["woken_by"]: name for name, dag in bag["dags"].items() if dag["woken_by"]}
    assert woken == {"annotations": "training_pipeline", "decision": "data_pipeline"}
    outlets = {asset: name for name, task in tasks(bag) for asset in task["outlets"]}
    assert outlets == {"annotations": "data_pipeline.prepared", "decision": "monitoring_pipeline.trigger"}


class UnderstoodError(Exception):
    """A command read its arguments."""


def test_each_command_and_its_options_are_there(bag: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    parse = argparse.ArgumentParser.parse_args

    def understand(parser: argparse.ArgumentParser, *given: Any) -> Any:
        parse(parser, *given)
        raise UnderstoodError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", understand)
    monkeypatch.chdir(ROOT)
    modules = set()
    for name, task in tasks(bag):
        words = task["words"][6:] if task["words"][:1] == ["flock"] else task["words"]
        if not words or words[0] == "dvc":
            continue
        program, flag, module, *arguments = words
        assert (program, flag) == ("python", "-m"), name
        target = importlib.import_module(module)
        if hasattr(target, "__path__"):
            target = importlib.import_module(f"{module}.__main__")
        with pytest.raises(UnderstoodError):
            target.main(arguments)
        modules.add(module)
    assert {"production.infer", "production.pipelines", "delivery.decline", "production.watch"} <= modules


def test_what_writes_the_work_tree_waits_for_whoever_does(bag: dict[str, Any]) -> None:
    alone = {name.split(".")[1] for name, task in tasks(bag) if task["words"][:1] == ["flock"]}
    assert alone == {
        *("new_annotations", "versioned", "cleaned", "validation_check"),
        *("encode_features", "get_trained_model", "publish"),
    }


def test_a_new_clone_has_what_they_wait_at(bag: dict[str, Any]) -> None:
    """`.dvc/tmp` comes with the first command of DVC, and the first task is none."""
    (place,) = {task["words"][5] for _, task in tasks(bag) if task["words"][:1] == ["flock"]}
    kept = subprocess.run(["git", "ls-files", place], cwd=ROOT, check=True, capture_output=True, text=True)
    assert kept.stdout


def test_what_was_not_delivered_is_tried_again(bag: dict[str, Any]) -> None:
    """Elsewhere exit code 1 is a judgement, here it is a server that did not take a message."""
    again = {name for name, task in tasks(bag) if task["kind"] == "Command" and task["refused"] is None}
    assert again == {"monitoring_pipeline.trigger", "data_pipeline.versioned"}


def test_what_is_printed_stays_in_the_log_but_for_the_registered_version(bag: dict[str, Any]) -> None:
    kept = [name for name, task in tasks(bag) if task["pushes"] and task["kind"] == "Command"]
    assert kept == ["training_pipeline.register"]


def test_nothing_is_promoted_past_a_person(bag: dict[str, Any]) -> None:
    """Each way to `promote` leads over the question and the answer; a failure, or no answer, stops there."""
    found = bag["dags"]["training_pipeline"]["tasks"]
    assert found["promote"]["after"] == ["answered"]
    assert found["promote"]["rule"].lower().endswith("all_success")
    assert found["answered"]["after"] == ["approve"]
    assert found["answered"]["rule"].lower().endswith("none_failed")
    assert found["approve"]["after"] == ["person_needed"]
    assert found["approve"]["kind"] == "ApprovalOperator"
    assert found["approve"]["rule"].lower().endswith("all_success")
    assert found["approve"]["retries"] == 0
    commit = found["person_needed"]["words"][-1]
    assert "register" in commit  # HEAD may be another one when somebody answers
    assert found["promote"]["words"][2:6] == ["production.pipelines", "promote", "--rev", commit]
    assert commit in found["decline"]["words"]


@pytest.mark.parametrize(
    ("answer", "approved"),
    [
        (None, ""),
        ({"chosen_options": ["Approve"], "responded_at": "2026-11-30T14:00:00+00:00"}, "2026-11-30T14:00:00+00:00"),
        ({"chosen_options": ["Reject"], "responded_at": "2026-11-30T14:00:00+00:00"}, ""),
    ],
)
def test_the_answer_and_the_commit_are_those_of_the_run(bag: dict[str, Any], answer: Any, approved: str) -> None:
    said = {"approve": answer, "register": "register: version 7 of behealthy-extractor is commit 0123456789ab (x, y)"}
    task = SimpleNamespace(xcom_pull=lambda task_ids: said[task_ids])
    words = bag["dags"]["training_pipeline"]["tasks"]["promote"]["words"]
    rendered = [Environment(undefined=StrictUndefined).from_string(word).render(ti=task) for word in words]
    assert rendered[-3:] == ["--rev", "0123456789ab", f"--approved={approved}"]
    assert "production.pipelines" in rendered


MASKED = """
from airflow.sdk._shared.secrets_masker import redact
from settings import environment
environment()
told = "load_model", "xkcd-936-horse", "slack://TOKEN_A/TOKEN_B", "a-key-of-twenty"
print(*map(redact, told))
"""


def test_a_part_of_a_secret_is_masked_as_the_whole(tmp_path: Path) -> None:
    """A library that fails may name one address, or the password in it, and not all that the variable holds."""
    extra = {
        "BEHEALTHY_ALERTS": "ops=mailtos://me:xkcd-936-horse@clinic.example chat=slack://TOKEN_A/TOKEN_B",
        "AWS_SECRET_ACCESS_KEY": "a-key-of-twenty",
    }
    given = {"AIRFLOW_CONN_BEHEALTHY": json.dumps({"conn_type": "generic", "extra": extra}), "PATH": os.environ["PATH"]}
    given |= {"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "dags"), "HOME": str(tmp_path)}
    done = subprocess.run([AIRFLOW, "-c", MASKED], env=given, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["load_model", "***", "***", "***"]


def test_a_file_with_a_fault_is_found(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from airflow.sdk import DAG\nimport nothing_of_this_name\n")
    assert "nothing_of_this_name" in str(read(tmp_path, tmp_path)["errors"])
