"""What all pages are made of: a chart with its words and its table, and what is missing with the command for it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from production.database.engine import database_session
from production.terminal import printable
from stages.common.errors import BeHealthyError
from stages.common.pages import render

TEMPLATES = Path(__file__).parent / "templates"
_SIGNS = re.compile(r"[\\`*_{}\[\]<>#|!$~:]")
_COMMANDS = re.compile("`((?:python -m|make) [^`]+)`")
NOTHING = "-"
"""In a cell without a value."""


Picture = alt.Chart | alt.LayerChart | alt.FacetChart


def chart(title: str, picture: Picture, table: pd.DataFrame, *, description: str) -> None:
    """Show a chart, with what it says in words, and its figures as a table.

    Parameters
    ----------
    title : str
    picture : altair.Chart, LayerChart or FacetChart
    table : pandas.DataFrame
        The figures of the chart, with columns as people read them.
    description : str
        What a person sees who sees the chart, for those who do not.
    """
    st.subheader(plain(title))
    st.altair_chart(picture.properties(description=description), width="stretch")
    st.caption(plain(description))
    with st.expander(plain(f"{title}: the figures")):
        st.dataframe(table, hide_index=True, alt=f"{title}: the figures")


def missing(what: str, command: str) -> None:
    """Say what is not there, and which command brings it."""
    st.info(f"{what} This brings it:")
    command_to_copy(command)


def command_to_copy(command: str) -> None:
    """Show a command with a button that copies it; its lines are wrapped, for what scrolls no keyboard reaches."""
    st.code(command, language=None, wrap_lines=True)


def plain(text: str) -> str:
    r"""Return text that Markdown shows as it stands: names come from outside, and an image may load from anywhere.

    >>> print(plain("retrain_and_alert ![x](y)"))
    retrain\_and\_alert \!\[x\](y)
    """
    return _SIGNS.sub(r"\\\g<0>", printable(text))


def refused(error: BeHealthyError, show: Callable[[str], object]) -> None:
    """Show what was refused, and each command that it names with a button that copies it."""
    show(str(error))
    for command in _COMMANDS.findall(str(error)):
        command_to_copy(command)


@contextmanager
def section(title: str) -> Iterator[None]:
    """Show a part of a page under its heading; what is wrong with it is said there, and the other parts are shown."""
    st.header(title)
    try:
        with database_session():
            yield
    except BeHealthyError as error:
        refused(error, st.warning)
    except Exception as error:
        unforeseen(f"section {title}", error)


def unforeseen(place: str, error: Exception) -> None:
    """Say that there was an error that nobody thought of: its kind alone, for what it says may quote a note."""
    name = type(error).__name__
    sys.stderr.write(f"dashboard: {place}: stopped by an unforeseen {name}\n")
    st.error(f"This was stopped by an unforeseen {name}; nothing was written. Load the page again, and tell us.")


def table(rows: Sequence[Mapping[str, Any]], caption: str) -> None:
    """Show a table that screen readers read and that scrolls by itself where a screen is narrow.

    Streamlit's own tables take cells for Markdown, which may load an image from anywhere; here they are text.

    Parameters
    ----------
    rows : sequence of mapping
        With the same keys, which are the names of the columns. Numbers stand to the right, by thousands.
    caption : str
        What the table is.
    """
    columns = list(rows[0]) if rows else []
    numbers = {name for name in columns if any(_is_number(row[name]) for row in rows)}
    cells = [[(name, _cell(row[name])) for name in columns] for row in rows]
    st.html(render(TEMPLATES / "table.html", caption=caption, columns=columns, numbers=numbers, rows=cells))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else printable(str(value))
