"""Who sits at the desk: whom the proxy names, or, without one, who says so."""

from __future__ import annotations

import os
from collections.abc import Sequence

import streamlit as st

from stages.common.errors import BeHealthyError
from stages.common.variables import REVIEWER_HEADER


class NobodyError(BeHealthyError):
    """It is not known who asks."""


def header() -> str | None:
    """Return the header that is believed, None without a proxy: anybody can send one."""
    return os.environ.get(REVIEWER_HEADER, "").strip() or None


def named_by_proxy(name: str) -> str:
    """Return whom the proxy names.

    Raises
    ------
    NobodyError
        When it names nobody, or there are two names: one of them may be of whoever asked.
    """
    return only(st.context.headers.get_all(name), name)


def only(given: Sequence[str], name: str) -> str:
    """Return the one name in a header."""
    names = [_as_written(one).strip() for one in given]
    if len(names) != 1 or not names[0]:
        raise NobodyError(
            f"the proxy has to name who asks in the header {name}, once, and named"
            f" {'nobody' if not any(names) else 'more than one'}: see {REVIEWER_HEADER} in docs/guides/operator.md"
        )
    return names[0]


def _as_written(value: str) -> str:
    """Undo that a header is read as Latin-1, whatever it was written in."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
