"""The pages and the way between them: what `streamlit run` runs, for each person and each click."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

import streamlit as st

from stages.common.errors import BeHealthyError

PAGES = (
    ("today", "Today", ":material/today:"),
    ("review", "Review", ":material/rate_review:"),
    ("drift", "Drift", ":material/monitoring:"),
    ("quality", "Quality", ":material/verified:"),
    ("model", "Model", ":material/model_training:"),
    ("try_it", "Try it", ":material/science:"),
    ("data", "Data", ":material/database:"),
)
"""Module below `dashboard.pages`, title and icon."""


def shown(module: str) -> Callable[[], None]:
    """Return what shows a page, or says why it cannot, without a word of a note."""

    def show() -> None:
        try:
            import_module(f"dashboard.pages.{module}").page()
        except BeHealthyError as error:
            st.error(str(error))
        except Exception as error:
            name = type(error).__name__
            sys.stderr.write(f"dashboard: page {module}: stopped by an unforeseen {name}\n")
            st.error(f"This page was stopped by an unforeseen {name}; nothing was written. Load it again, and tell us.")

    return show


def main() -> None:
    """Show the page that was asked for."""
    st.set_page_config(page_title="BeHealthy", page_icon=":material/health_and_safety:", layout="wide")
    pages = [
        st.Page(shown(module), title=title, icon=icon, url_path=module, default=module == "today")
        for module, title, icon in PAGES
    ]
    st.navigation(pages).run()


main()
