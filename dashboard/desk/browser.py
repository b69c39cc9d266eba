"""The desk in the browser: a component of Streamlit's without a build, made of the files beside this one.

It is no shadow tree: what is selected in one is read differently by each browser. Its styles begin with `.desk`.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent
SCRIPTS = ("text", "state", "clock", "words", "view", "commands", "desk")
"""One module in this order; each is short enough to read."""


def script() -> str:
    """Return the module that the browser runs."""
    return "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)


DESK = st.components.v2.component(
    "behealthy.desk",
    html=(HERE / "desk.html").read_text(encoding="utf-8"),
    css=(HERE / "desk.css").read_text(encoding="utf-8"),
    js=script(),
    isolate_styles=False,
)
"""Shows `Sitting.shown` and sends `sent`: a draft, done, back or next."""
