"""What an alert says: what, since when, how sure, what to do, where to look. Names of columns and numbers; no text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from production.terminal import on_one_line
from production.watch.finding import Finding
from production.watch.names import PIPELINES
from production.watch.outbox import Envelope
from stages.common.wording import decision_in_words

LONGEST_REASON, MOST_REASONS, MOST_FIGURES = 300, 8, 8
_FIGURE = re.compile("[a-z][a-z0-9_]{0,39}")
ABOUT = {
    "drift": "do the notes change?",
    "learned": "are these the notes that the model learned from?",
    "undelivered": "did every message reach its channel?",
    **dict.fromkeys(PIPELINES, "did the pipeline run through?"),
}
MEANS = {
    "retrain_and_alert": "the notes changed so much that the model should learn anew, and a person look",
    "size_uncertain": "the notes did change, and how much could not be told",
    "redevelop": "the notes changed so much that retraining is not enough, or the change does harm",
    "unknown": "it could not be told, which is no all-clear",
}
HARMED = "people who read a random sample found that fewer accepted mentions are right than was promised"
TODO = {
    "retrain_and_alert": "Look at what changed; where a retraining was started, at its pull request or its run.",
    "size_uncertain": "The notes did change. Judge a longer window, or look at them: what follows depends on how much.",
    "redevelop": "Retraining is not enough: look at the data and go back to experiments. Nothing was started.",
    "unknown": "It could not be told: this is not `none`. Mend what the reasons name.",
}
PROMISE = (
    "At once: have accepted mentions looked at too, or go back to the version before (`python -m delivery.rollback`):"
    " docs/runbook.md, section promise."
)
UNDELIVERED = "Mend the channel, then `python -m production.watch send --again`."
FAILED = (
    "Open the run in Airflow: the red task's log ends with what is wrong and its remedy. Mend that, and clear the task."
)
OVER = "Nothing. This is over."
_PREFIX = {"opened": "", "worse": "worse: ", "changed": "now: ", "reminder": "still: ", "over": "over: "}


def title(finding: Finding, purpose: str) -> str:
    """Return the first line."""
    broken = ", the promise is broken" if finding.harmed and purpose != "over" else ""
    return f"BeHealthy: {_PREFIX[purpose]}{finding.topic}: {_said(finding)}{broken}"


def content(finding: Finding, envelope: Envelope, opened: str, started: str = "") -> str:
    """Return the lines of an alert.

    Parameters
    ----------
    finding : Finding
    envelope : Envelope
        Of the message; its id and decision end the text.
    opened : str
        Since when the alert is open.
    started : str
        Whether a retraining was started, and why not.
    """
    over = envelope.purpose == "over"
    todo = OVER if over else " ".join(filter(None, [started, _todo(finding)]))
    lines = [
        f"What: {finding.topic} ({ABOUT.get(finding.topic, 'see the runbook')}): {_what(finding)}",
        f"Since: open since {opened}; notes from {finding.since:%Y-%m-%d %H:%M} to {finding.until:%Y-%m-%d %H:%M} UTC,"
        f" model version {finding.model_version}",
        "How sure:",
        *(f"- {line}" for line in _certainty(finding)),
        f"What to do: {todo}",
        "Where to look: `python -m production.watch status`, `python -m production.decisions list`;"
        f" docs/runbook.md, section {finding.topic}",
        f"Decision {envelope.decision.number}, hash {envelope.decision.hash}",
        f"Message {envelope.message_id}",
    ]
    return "\n".join(lines)


def _what(finding: Finding) -> str:
    """Return the decision, and what it means, for who does not know the words."""
    said = _said(finding)
    if finding.topic in ("undelivered", *PIPELINES) or not finding.alerting:
        return said
    return f"{said}: {HARMED if finding.harmed else MEANS.get(finding.decision, 'see the runbook')}"


def _said(finding: Finding) -> str:
    """Return the decision; of a pipeline, whether it runs through."""
    if finding.topic in PIPELINES:
        return "failed" if finding.alerting else "runs through"
    return decision_in_words(finding.decision)


def _todo(finding: Finding) -> str:
    if finding.topic in PIPELINES:
        return FAILED
    if finding.topic == "undelivered":
        return UNDELIVERED
    todo = TODO.get(finding.decision, "See the runbook.")
    return f"{PROMISE} {todo}" if finding.harmed else todo


def shortened(reasons: Sequence[str]) -> list[str]:
    """Return reasons, a line each, none too long; a reason has names of columns and numbers only."""
    lines = [on_one_line(reason) for reason in reasons[:MOST_REASONS]]
    cut = [line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…" for line in lines]
    more = len(reasons) - len(cut)
    return [*cut, f"and {more} more"] if more > 0 else cut


def _certainty(finding: Finding) -> list[str]:
    """Return the reasons, and those figures that are numbers; others may be values of notes."""
    numbers = {
        name: value
        for name, value in finding.figures.items()
        if _FIGURE.fullmatch(name) and isinstance(value, int | float) and not isinstance(value, bool)
    }
    shown = [f"{name.replace('_', ' ')}: {value:,.6g}" for name, value in list(numbers.items())[:MOST_FIGURES]]
    return [*shortened(finding.reasons), *shown]
