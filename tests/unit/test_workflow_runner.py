"""The stand-in for GitHub's runner says the same as GitHub, or that it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.expressions import ExpressionError, evaluate, substitute
from tests.workflow_jobs import WorkflowRun, run_workflow
from tests.workflow_runner import Event, KilledError, Machine, Run, run_job

CONTEXTS: dict[str, Any] = {
    "github": {"event_name": "push", "head_ref": "", "event": {"number": 3}},
    "vars": {"SET": "yes"},
    "secrets": {},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'it''s'", "it's"),
        ("github.event_name == 'PUSH'", True),
        ("github.event_name != 'push'", False),
        ("github.head_ref || github.event_name", "push"),
        ("github.head_ref && 'x'", ""),
        ("!github.head_ref", True),
        ("!(true && false) && 'y'", "y"),
        ("false && true || true", True),
        ("true || true && false", True),
        ("github.event.pull_request.head.ref", None),
        ("github.event.pull_request.head.ref == ''", True),
        ("secrets.NOT_SET", None),
        ("vars.SET == 'yes'", True),
        ("add(2, add(1, 1))", 4.0),
    ],
)
def test_expressions(expression: str, value: Any) -> None:
    assert evaluate(expression, CONTEXTS, {"add": lambda one, other: one + other}) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "github.evnt_name",
        "hashFiles('x')",
        "githb.ref",
        "'open",
        "1 +",
        "(true",
        "f(",
        "true true",
        "1 == 'a'",
        "github.event.*",
    ],
)
def test_what_is_not_known_is_an_error(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, CONTEXTS, {})


def test_an_object_has_no_text() -> None:
    assert substitute("<${{ github.event.number }} ${{ true }}${{ null }}>", CONTEXTS, {}) == "<3 true>"
    with pytest.raises(ExpressionError):
        substitute("${{ github.event }}", CONTEXTS, {})


def job(tmp_path: Path, steps: str, condition: str = "true", **kill: float) -> Run:
    (tmp_path / "workspace").mkdir()
    path = tmp_path / "workflow.yml"
    path.write_text(
        f"on: push\nenv: {{A: workflow, B: workflow, C: workflow}}\njobs:\n  only:\n    if: {condition}\n"
        f"    timeout-minutes: 1\n    env: {{B: job, C: job}}\n    steps:\n{steps}",
        encoding="utf-8",
    )
    event = Event("push", {"number": 3}, {"ref_name": "main"})
    kills = {name.replace("_", " "): seconds for name, seconds in kill.items()}
    machine = Machine({}, {}, {}, {}, "may-write", "may-read", tmp_path / "artifacts", kills)
    return run_job(path, "only", event, machine, tmp_path / "workspace")


def test_steps_environments_and_files(tmp_path: Path) -> None:
    result = job(
        tmp_path,
        """
      - {name: inner, env: {C: step}, run: 'echo "$A $B $C $GITHUB_REF_NAME"; echo "$PWD" >> "$GITHUB_PATH"'}
      - {name: tool, run: "printf '#!/bin/sh\\\\necho found' > tool-of-mine; chmod +x tool-of-mine; tool-of-mine"}
      - {name: told, run: 'echo hello >> "$GITHUB_STEP_SUMMARY"; false; echo unreachable'}
      - {name: after, run: echo after}
      - {name: anyway, if: "${{ !cancelled() }}", run: echo anyway}
      - {name: only then, if: failure(), run: echo then}
""",
    )
    assert result.steps == {
        "inner": "success",
        "tool": "success",
        "told": "failure",
        "after": "skipped",
        "anyway": "success",
        "only then": "success",
    }
    assert "workflow job step main" in result.log
    assert "found" in result.log
    assert "unreachable" not in result.log
    assert result.summary == "hello\n"
    assert result.failed() == ["told"]


def test_a_job_that_is_not_for_this_event_is_skipped(tmp_path: Path) -> None:
    assert job(tmp_path, "      - {name: a, run: exit 1}\n", "github.event_name == 'pull_request'").skipped


def test_a_runner_can_die(tmp_path: Path) -> None:
    with pytest.raises(KilledError, match="long"):
        job(tmp_path, "      - {name: long, run: 'sleep 60; touch done'}\n", long=0.3)
    assert not (tmp_path / "workspace" / "done").exists()


@pytest.mark.parametrize(
    "step",
    [
        "{name: a, uses: someone/else@v1}",
        "{name: a, run: x, shell: pwsh}",
        "{name: a, run: x, continue-on-error: true}",
    ],
)
def test_what_the_runner_does_not_know_stops_it(tmp_path: Path, step: str) -> None:
    with pytest.raises(AssertionError):
        job(tmp_path, f"      - {step}\n")


def jobs(tmp_path: Path, text: str) -> WorkflowRun:
    """Run a whole workflow, each job in a folder of its own."""
    path = tmp_path / "workflow.yml"
    path.write_text(f"on: push\njobs:\n{text}", encoding="utf-8")
    machine = Machine({}, {}, {}, {}, "may-write", "may-read", tmp_path / "artifacts")
    folders = (tmp_path / str(number) / "workspace" for number in range(9))

    def workspace() -> Path:
        folder = next(folders)
        folder.mkdir(parents=True)
        return folder

    return run_workflow(path, Event("push", {}, {"ref_name": "main"}), machine, workspace, lambda _: None)


HAND_OVER = """
  last:
    needs: first
    if: ${{ !cancelled() && needs.first.result != 'skipped' }}
    timeout-minutes: 1
    permissions: {contents: write}
    env: {TOKEN: "${{ github.token }}", BEFORE: "${{ needs.first.result }}"}
    steps:
      - name: take
        uses: actions/download-artifact@x
        with: {name: things, path: "${{ runner.temp }}/here"}
      - name: look
        if: ${{ !cancelled() }}
        run: echo "$TOKEN $BEFORE"; cat "$RUNNER_TEMP/here/a.txt"; test ! -e in
  first:
    timeout-minutes: 1
    permissions: {contents: read}
    env: {TOKEN: "${{ github.token }}"}
    steps:
      - {name: work, run: 'echo "$TOKEN"; mkdir -p in; echo handed > in/a.txt; FAILS'}
      - name: give
        if: ${{ !cancelled() }}
        uses: actions/upload-artifact@x
        with: {name: things, path: in, if-no-files-found: error}
  then:
    needs: [first]
    timeout-minutes: 1
    steps: [{name: only after success, run: echo then}]
"""


@pytest.mark.parametrize(("end", "outcome"), [("true", "success"), ("false", "failure")])
def test_jobs_wait_hand_over_and_have_tokens_of_their_rights(tmp_path: Path, end: str, outcome: str) -> None:
    run = jobs(tmp_path, HAND_OVER.replace("FAILS", end))
    assert list(run.jobs) == ["first", "last", "then"]
    assert "may-read\n" in run.jobs["first"].log
    assert f"may-write {outcome}\nhanded\n" in run.jobs["last"].log
    assert run.jobs["last"].success
    assert run.jobs["then"].skipped == (end == "false")


def test_what_was_not_handed_over_is_missed(tmp_path: Path) -> None:
    run = jobs(tmp_path, HAND_OVER.replace("mkdir -p in; echo handed > in/a.txt; FAILS", "exit 1"))
    assert run.jobs["first"].failed() == ["work", "give"]
    assert run.jobs["last"].failed() == ["take", "look"]


def test_jobs_that_wait_for_each_other_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="wait for each other"):
        jobs(tmp_path, "  one: {needs: other, steps: []}\n  other: {needs: one, steps: []}\n")
