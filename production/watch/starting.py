"""What starts a retraining: a dispatch on GitHub, a run of Airflow, or a command of this machine.

Each carries the id of its message, so that the same start twice is one: Airflow refuses a second run of this id, a
command that ended well is not run again, and workflows have it in `client_payload.id`.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from production.watch.faults import NotDeliveredError
from stages.common.variables import AIRFLOW_PASSWORD, AIRFLOW_TOKEN, AIRFLOW_USER, ALERTS, TRIGGER_ID

if TYPE_CHECKING:
    from delivery.github.client import GitHub

SOCKET_SECONDS = 10.0
LONGEST_ANSWER = 65_536
"""Bytes of an answer that are read."""
_SECRETS = (ALERTS, AIRFLOW_TOKEN, AIRFLOW_USER, AIRFLOW_PASSWORD)


@dataclass(frozen=True)
class Way:
    """How a retraining is started: fields of `production.watch.params.TriggerParams`, which takes longer to import."""

    kind: str
    event: str
    url: str
    dag: str
    words: list[str]
    seconds: float


def start(trigger: Way, message_id: str, content: Mapping[str, Any], folder: Path) -> None:
    """Start what the parameters say.

    Parameters
    ----------
    trigger : Way
    message_id : str
        The same for the same start.
    content : mapping
        Of the message.
    folder : Path
        Where the lock of the command lies.

    Raises
    ------
    NotDeliveredError
        When nothing was started, or it is not known.
    """
    if trigger.kind == "github":
        dispatch(trigger.event, message_id, content)
    elif trigger.kind == "airflow":
        run_dag(trigger, message_id, content)
    elif trigger.kind == "command":
        run_once(trigger, message_id, folder)
    else:
        raise NotDeliveredError("watch.trigger is none")


def dispatch(event: str, message_id: str, content: Mapping[str, Any], github: GitHub | None = None) -> None:
    """Send a `repository_dispatch`."""
    from delivery.errors import DeliveryError
    from delivery.github.client import connect
    from production.watch.issues import fault_of

    payload = {"id": message_id, "reason": content["reason"], "decision": content["decision"]["number"]}
    try:
        (github or connect()).post("dispatches", {"event_type": event, "client_payload": payload})
    except DeliveryError as error:
        raise NotDeliveredError(fault_of(error)) from None


def run_dag(trigger: Way, message_id: str, content: Mapping[str, Any]) -> None:
    """Have Airflow make a run whose id is the message's; one that is there already is this one."""
    runs = f"{trigger.url}/api/v2/dags/{quote(trigger.dag)}/dagRuns"
    token = os.environ.get(AIRFLOW_TOKEN) or _airflow_token(trigger.url)
    conf = {"id": message_id, "reason": content["reason"], "decision": content["decision"]["number"]}
    status, _ = _ask("POST", runs, token, {"dag_run_id": message_id, "logical_date": None, "conf": conf})
    if status == 409:
        status, _ = _ask("GET", f"{runs}/{message_id}", token)
    if not 200 <= status < 300:
        raise NotDeliveredError(f"Airflow answered {status}")


def _airflow_token(url: str) -> str:
    names = {"username": os.environ.get(AIRFLOW_USER, ""), "password": os.environ.get(AIRFLOW_PASSWORD, "")}
    status, answer = _ask("POST", f"{url}/auth/token", None, names)
    with suppress(ValueError, KeyError, TypeError):
        if 200 <= status < 300:
            return str(json.loads(answer)["access_token"])
    raise NotDeliveredError(f"Airflow gave no token: {status}")


def _ask(method: str, url: str, token: str | None, content: Mapping[str, Any] | None = None) -> tuple[int, bytes]:
    """Ask once; return the status and the beginning of the answer. A redirection is an answer, and not followed."""
    import requests

    def sign(request: Any) -> Any:  # given as `auth`, nothing of a .netrc takes its place
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    try:
        with requests.request(
            method, url, json=content, auth=sign, timeout=SOCKET_SECONDS, allow_redirects=False, stream=True
        ) as answer:
            return answer.status_code, next(answer.iter_content(LONGEST_ANSWER), b"")
    except requests.RequestException as error:
        raise NotDeliveredError(f"Airflow: {type(error).__name__}") from None


def run_once(trigger: Way, message_id: str, folder: Path) -> None:
    """Run the command, unless it ended well for this message already; never two at once.

    The command holds the lock itself: whoever started it may die, and it still runs alone.
    """
    done = folder / ".trigger-done"
    with (folder / ".trigger.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotDeliveredError("the command of another start is still running") from None
        if not (done.is_file() and done.read_text(encoding="ascii") == message_id):
            _run(trigger, message_id, lock.fileno())
            unfinished = done.with_suffix(".new")
            unfinished.write_text(message_id, encoding="ascii")
            unfinished.replace(done)


def _run(trigger: Way, message_id: str, lock: int) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    try:
        process = subprocess.Popen(  # noqa: S603  # of whoever may write params.yaml
            trigger.words,
            env={**environment, TRIGGER_ID: message_id},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # may quote notes
            stderr=subprocess.DEVNULL,
            pass_fds=(lock,),
            start_new_session=True,
        )
    except OSError as error:
        raise NotDeliveredError(f"the command does not start: {type(error).__name__}") from None
    try:
        code = process.wait(trigger.seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise NotDeliveredError(f"the command took longer than {trigger.seconds:g} s") from None
    if code:
        raise NotDeliveredError(f"the command ended with {code}")
