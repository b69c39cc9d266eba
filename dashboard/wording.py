"""What the watch decided and started, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from production.inference.load_model import LOCAL
from production.watch.names import PIPELINES
from production.watch.wording import HARMED, MEANS
from stages.common.wording import column_in_words, decision_in_words
from stages.monitor.decision import ALERTING

STEPS = {
    "entry": "typing the mentions of a note",
    "validation": "reading a note",
    "review": "deciding on a mention",
}
"""What a person does by hand, by its name in the KPI."""

STRATA = (
    "accepted: the model stands by all that it found. queried: a mention is to be checked."
    " suggested: something may have been missed. silent: nothing was found."
)
"""What the strata of the audit are."""

_FOLLOWS = {
    "trigger": "a retraining was started",
    "held": "no retraining was started",
    "alert": "people were told",
    "over": "people were told that it is over",
}

NO_CHAMPION = (
    "No model was champion here yet. Where nothing is registered, add `--model models`.",
    "python -m production.infer",
)
"""What is missing, and which command brings it."""


def followed(window: Mapping[str, Any]) -> str:
    """Return what followed from a window."""
    said = [_followed(one) for one in window["follows"]]
    if not window["acts"]:
        said.append("not acted on")
    return "; ".join(said) or "nothing"


def in_words(said: str) -> str:
    """Return a decision, or a reason that names one, as people read it.

    >>> in_words("retrain_and_alert"), in_words("too_few_notes")
    ('retrain and alert', 'too few notes to tell')
    """
    return decision_in_words(said).replace("retrain_and_alert", "retrain and alert")


def column_named(column: str) -> str:
    """Return a column of the serving log, or a kind of note, as people read it: its values stand as they are.

    >>> column_named("unknown_share"), column_named("note_type=clinic_letter")
    ('unknown share', 'note type: clinic_letter')
    """
    name, is_kind, value = column.partition("=")
    said = column_in_words(name).replace("_", " ")
    return f"{said}: {value}" if is_kind else said


def alerted(alert: Mapping[str, Any]) -> str:
    """Return what an open alert is about: of a pipeline, that it failed, as its message says.

    >>> alerted({"topic": "drift", "decision": "retrain_and_alert"})
    'drift: retrain and alert'
    >>> alerted({"topic": "data_pipeline", "decision": "unknown"})
    'data_pipeline: failed'
    """
    return f"{alert['topic']}: {'failed' if alert['topic'] in PIPELINES else in_words(alert['decision'])}"


def from_where(version: str) -> str:
    """Say of a version that no registry has where it is from; of one that is registered, nothing.

    >>> from_where("7"), from_where("local-23883e15391a")
    ('', ', the model of a folder, which is not registered')
    """
    return ", the model of a folder, which is not registered" * version.startswith(LOCAL)


def decided(window: Mapping[str, Any]) -> str:
    """Return what was decided, and what it means."""
    decision = window["decision"]
    means = HARMED if window["harmed"] and decision in ALERTING else MEANS.get(decision)
    return f"{in_words(decision)}: {means}" if means else in_words(decision)


def against(reference: str) -> str:
    """Return what a window was held against."""
    return "what the model learned from" if reference == "profile" else "what was served first"


def lasting(minutes: float) -> str:
    """Return minutes as a person says them.

    >>> lasting(4.0), lasting(8 / 60)
    ('4 min', '8 s')
    """
    return f"{minutes:.3g} min" if minutes >= 1 else f"{60 * minutes:.2g} s"


def not_judged(due: str | None) -> str:
    """Say that there is no decision yet, and when the first can be."""
    return "No window of the serving log was judged yet." + (
        f" The first one can be at {due}, not before." if due else ""
    )


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _followed(one: Mapping[str, Any]) -> str:
    why = f" ({one['why']})" if one["why"] else ""
    nobody = one["kind"] in ("alert", "over") and not one["told"]
    what = "nobody was told, for there is no address" if nobody else _FOLLOWS.get(one["kind"], one["kind"])
    return f"{what}{why}, decision {one['number']}"
