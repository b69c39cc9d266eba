"""Several workers, each a process of its own; one that dies is started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from stages.common.command import COULD_NOT, DONE

RESTARTS = 1000
"""How often in all; what kills a worker is not the notes, whose model has its own process."""


def supervise(workers: Sequence[Sequence[str]]) -> int:
    """Run workers until each has ended by itself; return the worst exit code.

    Parameters
    ----------
    workers : sequence of sequence of str
        The arguments of ``python -m production.infer`` of each, for one worker.
    """
    running = [_start(arguments) for arguments in workers]
    codes: list[int] = []
    restarts, stopping = 0, False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        for process, _arguments in running:
            process.send_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        while running:
            for process, arguments in list(running):
                code = process.poll()
                if code is None:
                    continue
                running.remove((process, arguments))
                if code < 0 and not stopping and restarts < RESTARTS:
                    restarts += 1
                    print(f"infer: a worker was ended by signal {-code}; starting another", file=sys.stderr, flush=True)
                    running.append(_start(arguments))
                elif stopping and code == -signal.SIGTERM:  # it was not at work yet
                    codes.append(DONE)
                else:
                    codes.append(code if code >= 0 else COULD_NOT)
            time.sleep(0.1)
    finally:
        for process, _arguments in running:
            process.terminate()
        signal.signal(signal.SIGTERM, before)
    return max(codes, default=0)


def _start(arguments: Sequence[str]) -> tuple[subprocess.Popen[bytes], Sequence[str]]:
    return subprocess.Popen([sys.executable, "-m", "production.infer", *arguments]), arguments
