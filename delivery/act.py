"""Do what the monitor decided: `python -m delivery.act DECISION.json [--retrain retrain.yml]`.

none, watch, too few notes to tell: a line in the summary. retrain: a run. retrain_and_alert: a run and an issue.
redevelop; drift, size uncertain: an issue. unknown, or no readable decision: an issue, and exit code 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivery.github.client import GitHub, connect, ensure
from delivery.github.job_summary import summarise
from delivery.github.workflows import dispatch
from delivery.rendering.markdown import code
from delivery.revision.site_cache import private_site_cache
from stages.common.command import DONE, REFUSED, run_command
from stages.common.files import read_json
from stages.common.wording import decision_in_words

LABEL = "behealthy-drift"
LONGEST_REASON = 1000
"""Characters."""
RUNS = frozenset({"retrain", "retrain_and_alert"})
ALERTS = frozenset({"retrain_and_alert", "size_uncertain", "redevelop", "unknown"})
QUIET = frozenset({"none", "watch", "too_few_notes"})
TODO = {
    "retrain_and_alert": "A retraining was started. Look at what drifted, and at the pull request that it opens.",
    "size_uncertain": "The notes did change. Judge a longer window, or look at them: what follows depends on how much.",
    "redevelop": "Retraining is not enough: look at the data and go back to experiments. Nothing was started.",
    "unknown": "Whether the data drifted could not be told: this is not `none`. Mend the log or the monitor.",
}


@dataclass(frozen=True)
class DriftVerdict:
    """What the monitor decided, and why."""

    decision: str
    reasons: tuple[str, ...]

    def markdown(self) -> str:
        """Return it for people, as Markdown in which the reasons, which name columns of a log, are inert."""
        reasons = (f"- {code(reason, LONGEST_REASON)}" for reason in self.reasons)
        return "\n".join([f"**Monitor: {decision_in_words(self.decision)}**", "", *reasons])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 done, 1 when the decision is `unknown`, 2 when something could not be done."""
    parser = argparse.ArgumentParser(
        prog="python -m delivery.act",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("decision", type=Path, help="decision.json of stages.monitor")
    parser.add_argument("--retrain", default="retrain.yml", help="workflow that retrains (default: %(default)s)")
    parser.add_argument("--ref", default=os.environ.get("GITHUB_REF_NAME", "main"), help="branch that it runs on")
    options = parser.parse_args(arguments)
    return run_command("act", lambda: _act(options), within=private_site_cache())


def read_verdict(path: Path) -> DriftVerdict:
    """Return the decision; whatever cannot be read as one, or contradicts itself, is `unknown`."""
    try:
        content = read_json(path)
        decision, listed = content["decision"], content["reasons"]
        alert = content.get("alert", decision in ALERTS)
        if not isinstance(decision, str) or not isinstance(listed, list):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return DriftVerdict("unknown", (f"there is no readable decision ({type(error).__name__}): see the job's log",))
    if decision not in RUNS | ALERTS | QUIET:
        return DriftVerdict("unknown", ("the monitor wrote a decision that is not known here",))
    if alert is not (decision in ALERTS):
        reason = f"the monitor wrote {decision}, and an alert that does not go with it"
        return DriftVerdict("unknown", (reason, *map(str, listed)))
    return DriftVerdict(decision, tuple(map(str, listed)))


def act(verdict: DriftVerdict, github: GitHub, retrain: str, ref: str) -> list[str]:
    """Do it; return what was done, a line each."""
    done = []
    if verdict.decision in RUNS:
        reason = "; ".join([f"monitor: {verdict.decision}", *verdict.reasons])[:LONGEST_REASON]
        dispatch(retrain, ref, {"reason": reason}, github)
        done.append(f"dispatched {retrain} on {ref}")
    if verdict.decision in ALERTS:
        done.append(f"issue {alert(verdict, github)}")
    return done


def alert(verdict: DriftVerdict, github: GitHub) -> str:
    """Open an issue for this kind of decision, or update the open one; return its address."""
    marker = f"<!-- {LABEL}: {verdict.decision} -->"
    body = "\n\n".join([marker, verdict.markdown(), TODO[verdict.decision], f"Last seen: {_run_address()}"]) + "\n"

    def find() -> dict[str, Any] | None:
        issues = github.pages("issues", state="open", labels=LABEL)
        return next(
            (issue for issue in issues if (issue["body"] or "").startswith(marker) and "pull_request" not in issue),
            None,
        )

    new = {"title": f"Monitor: {decision_in_words(verdict.decision)}", "body": body, "labels": [LABEL]}
    issue = ensure(
        find,
        lambda: github.post("issues", new),
        lambda issue: github.patch(f"issues/{issue['number']}", {"body": body}),
        github,
    )
    return str(issue["html_url"])


def _act(options: argparse.Namespace) -> int:
    verdict = read_verdict(options.decision)
    summarise(verdict.markdown())
    print(verdict.markdown())
    if verdict.decision not in QUIET:
        for line in act(verdict, connect(), options.retrain, options.ref):
            print(line)
            summarise(line)
    return REFUSED if verdict.decision == "unknown" else DONE


def _run_address() -> str:
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (os.environ.get(name, "") for name in names)
    return f"{server}/{repository}/actions/runs/{run}" if run else "by hand"


if __name__ == "__main__":
    sys.exit(main())
