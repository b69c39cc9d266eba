"""What the watch decided and started, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from production.watch.wording import HARMED, MEANS
from stages.common.wording import decision_in_words
from stages.monitor.decision import ALERTING

_FOLLOWS = {
    "trigger": "a retraining was started",
    "held": "no retraining was started",
    "alert": "people were told",
    "over": "people were told that it is over",
}


def followed(window: Mapping[str, Any]) -> str:
    """Return what followed from a window."""
    said = [_followed(one) for one in window["follows"]]
    if not window["acts"]:
        said.append("told, not acted on")
    return "; ".join(said) or "nothing"


def decided(window: Mapping[str, Any]) -> str:
    """Return what was decided, and what it means."""
    decision = window["decision"]
    means = HARMED if window["harmed"] and decision in ALERTING else MEANS.get(decision)
    return f"{decision_in_words(decision)}: {means}" if means else decision_in_words(decision)


def against(reference: str) -> str:
    """Return what a window was held against."""
    return "what the model learned from" if reference == "profile" else "what was served first"


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _followed(one: Mapping[str, Any]) -> str:
    why = f" ({one['why']})" if one["why"] else ""
    return f"{_FOLLOWS.get(one['kind'], one['kind'])}{why}, decision {one['number']}"
