"""Errors in what the server prints: their kind and place, and never what they say, which may quote a note."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

from stages.common.command import place_of


def keep_errors_short() -> None:
    """Have all loggers and threads of this process print errors short: Streamlit prints those of a page in full."""
    make = logging.getLogRecordFactory()

    def made(*given: Any, **more: Any) -> logging.LogRecord:
        record = make(*given, **more)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.msg, record.args = f"stopped by an unforeseen {place_of(error)}", ()
        record.exc_info = record.exc_text = None
        return record

    logging.setLogRecordFactory(made)
    threading.excepthook = _of_a_thread


def _of_a_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        sys.stderr.write(f"dashboard: a thread was stopped by an unforeseen {place_of(failed.exc_value)}\n")
