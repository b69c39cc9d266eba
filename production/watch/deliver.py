"""Takes one message to its channel, in a process of its own that ends in time: what hangs can be killed.

The message comes on standard input, secrets in the environment. The answer is a line of JSON: no fault, or which kind.
The process ends by itself when its time is over, also when nobody is left who would end it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from production.watch.faults import LONGEST, NotDeliveredError, said_by
from production.watch.names import ISSUE, TRIGGER
from stages.common.command import parse_no_arguments

_TICK = 0.2


@dataclass(frozen=True)
class Request:
    """A message, and what taking it to its channel needs.

    Parameters
    ----------
    channel, message_id : str
    content : dict
    trigger : dict
        Fields of `production.watch.starting.Way`.
    folder : str
        Of the lock.
    """

    channel: str
    message_id: str
    content: dict[str, Any]
    trigger: dict[str, Any]
    folder: str


def deliver(request: Request) -> str | None:
    """Deliver within this process; return the fault."""
    try:
        _to_channel(request)
    except NotDeliveredError as fault:
        return str(fault)[:LONGEST]
    except Exception as error:
        return said_by(error)[:LONGEST]
    return None


def deliver_apart(request: Request, seconds: float, stopping: threading.Event) -> str | None:
    """Deliver in a process of its own; return the fault.

    Parameters
    ----------
    request : Request
    seconds : float
        After which it is killed, or kills itself.
    stopping : threading.Event
        A command that was started is not waited for any longer; it goes on, and its message is asked for again.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "production.watch.deliver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libraries write addresses there
        start_new_session=True,
    )
    end = time.monotonic() + seconds
    given: bytes | None = json.dumps({**asdict(request), "until": time.time() + seconds}).encode()
    while True:
        try:
            output, _ = process.communicate(given, timeout=_TICK)
            late = process.returncode == -signal.SIGALRM  # it killed itself, a moment before it would have been
            return _no_answer(seconds) if late else _fault_in(output)
        except subprocess.TimeoutExpired:
            given = None
        if stopping.is_set() and request.channel == TRIGGER and request.trigger["kind"] == "command":
            return "the sender ended while the command was running"
        if time.monotonic() >= end:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return _no_answer(seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Deliver what comes on standard input."""
    parse_no_arguments("production.watch.deliver", __doc__, arguments)
    content = json.loads(sys.stdin.buffer.read())
    signal.setitimer(signal.ITIMER_REAL, max(content.pop("until") - time.time(), 1e-3))
    logging.disable(logging.CRITICAL)
    print(json.dumps({"fault": deliver(Request(**content))}))
    return 0


def _to_channel(request: Request) -> None:
    content = request.content
    if request.channel == TRIGGER:
        from production.watch.starting import Way, start

        start(Way(**request.trigger), request.message_id, content, Path(request.folder))
    elif request.channel == ISSUE:
        from production.watch.issues import post_issue

        post_issue(content["topic"], content["title"], content["text"], over=content["purpose"] == "over")
    else:
        from production.watch.notifying import notify

        over = content["purpose"] == "over"
        notify(request.channel, request.message_id, content["title"], content["text"], over=over)


def _no_answer(seconds: float) -> str:
    return f"no answer within {seconds:g} s"


def _fault_in(output: bytes) -> str | None:
    try:
        fault = json.loads(output)["fault"]
    except (ValueError, KeyError, TypeError):
        return "the process that sends it ended without an answer"
    return None if fault is None else str(fault)


if __name__ == "__main__":
    sys.exit(main())
