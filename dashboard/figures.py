"""Figures with their intervals, as pages write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

NOTHING = "not known"


def figure(label: str, value: str, about: str) -> None:
    """Show a figure in a box of its own, and what it means under it."""
    with st.container(border=True, height="stretch"):
        st.metric(label, value)
        st.caption(about)


def estimated(found: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Return a value, and its interval.

    >>> estimated({"hours": 46.4, "hours_low": 44.6, "hours_high": 48.4}, "hours")
    ('46', '45 to 48')
    """
    value, low, high = (found.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return NOTHING, "no interval"
    return f"{value:,.0f}", "no interval" if low is None or high is None else f"{low:,.0f} to {high:,.0f}"


def share(found: Mapping[str, Any], name: str) -> str:
    """Return a share with its interval, in percent."""
    ends = [found.get(f"{name}{end}") for end in ("", "_low", "_high")]
    return _with_ends([None if end is None else f"{end:.0%}" for end in ends])


def audited(one: Mapping[str, Any] | None) -> str:
    """Return an estimate of a share with its interval, or why there is none."""
    if one is None or one["value"] is None:
        return one["reason"] if one and one["reason"] else NOTHING
    return _with_ends([f"{one[end]:.3f}" for end in ("value", "low", "high")])


def _with_ends(ends: list[str | None]) -> str:
    value, low, high = ends
    if value is None:
        return NOTHING
    return value if low is None or high is None else f"{value} ({low} to {high})"
