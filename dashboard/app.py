"""The pages and the way between them; `dashboard/entry/streamlit_app.py` shows them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import streamlit as st

from dashboard.parts import refused, unforeseen
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


ICON = Path(__file__).with_name("icon.png")
"""A file of our own: an icon that is named, Streamlit has the browser fetch from a host of Google's."""

STYLE = Path(__file__).parent / "templates/everywhere.css"

UNSPELLED = "<script>document.documentElement.spellcheck = false</script>"
"""No spelling is checked: some browsers send what is written away."""


def shown(module: str) -> Callable[[], None]:
    """Return what shows a page, or says why it cannot, without a word of a note."""

    def show() -> None:
        try:
            import_module(f"dashboard.pages.{module}").page()
        except BeHealthyError as error:
            refused(error, st.error)
        except Exception as error:
            unforeseen(f"page {module}", error)

    return show


def main() -> None:
    """Show the page that was asked for."""
    st.set_page_config(page_title="BeHealthy", page_icon=ICON, layout="wide")
    pages = [
        st.Page(shown(module), title=title, icon=icon, url_path=module, default=module == "today")
        for module, title, icon in PAGES
    ]
    page = st.navigation(pages)
    st.html(STYLE)
    st.html(UNSPELLED, unsafe_allow_javascript=True)
    page.run()
