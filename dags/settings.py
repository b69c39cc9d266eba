"""What the pipelines share: where the project is, how a command of it runs, who is told when one fails.

Airflow has an environment of its own and imports nothing of the project: a task is one command line, run by the
project's interpreter in the project's folder. Its environment is made from nothing and the connection `behealthy`,
whose extra fields are variables: no secret stands in a file here, in a task's definition or in a log.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, BaseOperator, Connection, CronTriggerTimetable
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.log import mask_secret

HOME = Path(os.environ.get("BEHEALTHY_HOME") or Path(__file__).resolve().parents[1])
BIN = HOME / ".venv/bin"
BRANCH = "main"
CONNECTION = "behealthy"
OWNER, TAG = "clinical-nlp", "behealthy"
START = datetime(2026, 1, 1, tzinfo=UTC)

NOTES, INBOX = "data/production/arriving", "data/production/inbox"
SERVING_LOG = "data/production/serving-log"
REVIEWED_NOTES = 20
"""Notes of a batch: with fewer, the next run looks again."""

REFUSED = 1
"""The exit code of what was judged, and the answer is no: tried again it would be the same."""
NOBODY = 40
"""The exit code of `production.pipelines approval` where nobody has to approve."""
COMMIT = "{{ ti.xcom_pull(task_ids='register').split(' is commit ')[1].split()[0] }}"
"""That the run registered: whatever is checked out days later, that one is approved, promoted or declined."""
APPROVED = (
    "{% set said = ti.xcom_pull(task_ids='approve') or {} %}"
    "{{ said['responded_at'] if 'Approve' in said.get('chosen_options', ()) else '' }}"
)
"""When a person approved; empty where nobody did, or nobody was asked."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TELLING = 300
"""Seconds that telling people may take."""
ALONE = ("flock", "--timeout", "3600", "--conflict-exit-code", "75", ".dvc")
"""Before a command that writes the work tree: two pipelines wait for each other, where DVC would fail. (A new clone has
no `.dvc/tmp`.)"""

ANNOTATIONS = Asset("annotations", uri="behealthy://annotations")
DECISION = Asset("decision", uri="behealthy://decision")


class Command(BaseOperator):
    """One command of the repository.

    Parameters
    ----------
    words : sequence of str
        Program and arguments; no shell reads them.
    skips : collection of int
        Exit codes that skip what follows, instead of failing.
    refused : int, optional
        The exit code of a refusal; None for a program that has none.
    """

    template_fields = ("words",)

    def __init__(
        self, *, words: Sequence[str], skips: Collection[int] = (), refused: int | None = REFUSED, **options: Any
    ) -> None:
        super().__init__(**options)
        self.words, self.skips, self.refused, self.hook = list(words), list(skips), refused, SubprocessHook()

    def execute(self, context: Any) -> str:
        """Run it; return the last line that it printed."""
        result = self.hook.run_command(self.words, env=environment(), cwd=str(HOME))
        if result.exit_code in self.skips:
            raise AirflowSkipException(result.output)
        if result.exit_code == self.refused:
            raise AirflowFailException("refused, and not tried again: the log says why")
        if result.exit_code:
            raise AirflowException(f"exit code {result.exit_code}: the log says why")
        return str(result.output)

    def on_kill(self) -> None:
        """End it with the task."""
        self.hook.send_sigterm()


def environment() -> dict[str, str]:
    """Return what a command is given: the connection's variables, and nothing of Airflow's own; values are masked."""
    given = {str(name): str(value) for name, value in Connection.get(CONNECTION).extra_dejson.items()}
    for value in given.values():
        for secret in (value, *secrets_of(value)):
            mask_secret(secret)
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TZ", "TMPDIR") if name in os.environ}
    quiet = {"DO_NOT_TRACK": "1", "DVC_NO_ANALYTICS": "1", "GX_ANALYTICS_ENABLED": "false"}
    path = f"{BIN}:{os.environ.get('PATH', os.defpath)}"
    return {**kept, **quiet, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path, **given}


def secrets_of(value: str) -> list[str]:
    """Return what of a value may be told by itself: each of several addresses, and the passwords in them."""
    words = value.split()
    addresses = [word[word.index("=") + 1 :] for word in words if "=" in word.partition("://")[0]]
    passwords = [word.partition("://")[2].rpartition("@")[0].partition(":")[2] for word in words]
    return [*words, *addresses, *filter(None, passwords)]


def tell(state: str, context: Any, *options: str) -> None:
    """Have people told by a command, which opens an alert or closes it; what it says is in the log."""
    run, pipeline = context["run_id"], context["dag"].dag_id
    words = ["python", "-m", "production.pipelines", state, pipeline, f"--run={run}", *options]
    said = subprocess.run(  # noqa: S603  # no shell
        words, env=environment(), cwd=HOME, timeout=TELLING, check=False, text=True, capture_output=True
    )
    print(said.stdout, said.stderr, f"exit code {said.returncode}", sep="\n")


def tell_failed(context: Any) -> None:
    """Open the alert of the pipeline."""
    tell("failed", context, f"--task={context['task_instance'].task_id}")


def tell_passed(context: Any) -> None:
    """Close it."""
    tell("passed", context)


def step(task_id: str, *words: str, doc: str, alone: bool = False, **options: Any) -> Command:
    """Return a task that is one command, `python -m` with these words; `alone`: no other writes the work tree."""
    return Command(task_id=task_id, words=(*(ALONE if alone else ()), "python", "-m", *words), doc_md=doc, **options)


def woken(asset: Asset, cron: str) -> AssetOrTimeSchedule:
    """Return a schedule that an asset wakes, and the clock: what an event lost, the next sweep finds."""
    return AssetOrTimeSchedule(assets=asset, timetable=CronTriggerTimetable(cron, timezone="UTC"))


def pipeline(dag_id: str, schedule: Any, doc: str, timeout: timedelta = HOUR) -> DAG:
    """Return a pipeline: one run at a time, none for times that have passed."""
    defaults = {
        "owner": OWNER,
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timeout,
        "do_xcom_push": False,
        "on_failure_callback": tell_failed,
    }
    return DAG(
        dag_id,
        schedule=schedule,
        start_date=START,
        catchup=False,
        max_active_runs=1,
        default_args=defaults,
        doc_md=doc,
        description=doc.strip().splitlines()[0],
        tags=[TAG],
        on_success_callback=tell_passed,
    )
