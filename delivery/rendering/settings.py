"""Parameters in one line, as a person would set them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST_CHANGES = 6


def settings_text(changes: Mapping[str, Any]) -> str:
    """Return the first of some parameters in one line as `dvc exp run -S` takes them, and how many more there are."""
    shown = [f"{key}={'null' if value is None else value}" for key, value in list(changes.items())[:_MOST_CHANGES]]
    more = len(changes) - len(shown)
    return " ".join(shown + ([f"and {more} more"] if more else []))
