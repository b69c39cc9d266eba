"""What all pages are made of: a chart with its words and its table, and what is missing with the command for it."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st


def chart(title: str, picture: alt.Chart | alt.LayerChart, table: pd.DataFrame, *, description: str) -> None:
    """Show a chart, with what it says in words, and its figures as a table.

    Parameters
    ----------
    title : str
    picture : altair.Chart or altair.LayerChart
    table : pandas.DataFrame
        The figures of the chart, with columns as people read them.
    description : str
        What a person sees who sees the chart, for those who do not.
    """
    st.subheader(title)
    st.altair_chart(picture.properties(description=description), use_container_width=True)
    st.caption(description)
    with st.expander(f"{title}: the figures"):
        st.dataframe(table, hide_index=True, use_container_width=True)


def missing(what: str, command: str) -> None:
    """Say what is not there, and which command brings it."""
    st.info(f"{what} This brings it:")
    st.code(command, language="shell")
