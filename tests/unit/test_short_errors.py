"""What a server prints of an error has no word of a note in it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from dashboard.short_errors import keep_errors_short

SECRET = "known asthma"


@pytest.fixture(autouse=True)
def kept_short() -> Iterator[None]:
    factory, hook = logging.getLogRecordFactory(), threading.excepthook
    keep_errors_short()
    yield
    logging.setLogRecordFactory(factory)
    threading.excepthook = hook


def fail() -> None:
    try:
        raise KeyError(SECRET)
    except KeyError:
        raise ValueError(f"cannot read {SECRET}") from None


@pytest.mark.parametrize("name", ["streamlit.error_util", "uvicorn.error"])
def test_a_log_has_the_kind_and_place_of_an_error(name: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(name)
    logger.propagate = True
    try:
        fail()
    except ValueError as error:
        logger.error("Uncaught app execution of %s", SECRET, exc_info=error)
    formatted = logging.Formatter().format(caplog.records[-1])
    assert "ValueError in test_short_errors.py, line" in formatted
    assert SECRET not in formatted


def test_what_is_no_error_is_printed_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("dashboard.test").warning("%s is not available", "Port 1")
    assert caplog.records[-1].getMessage() == "Port 1 is not available"


def test_a_thread_says_no_more(capfd: pytest.CaptureFixture[str]) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    said = capfd.readouterr().err
    assert "ValueError" in said and SECRET not in said
