"""Say the report where the reviewer reads: one comment on the pull request, kept up to date, and the job's summary.

`python -m delivery.comment --file reports/report.md [--failure reports/failure.md] [--summary-only]`, or with
`--results FOLDER` what another job handed over (`delivery.results`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delivery.errors import DeliveryError
from delivery.github.client import GitHub, connect, ensure
from delivery.github.job_summary import summarise
from delivery.rendering.posted import MARKER, compose
from delivery.revision.handed_over import read
from delivery.revision.site_cache import private_site_cache
from stages.common.command import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 said, 2 not said, or there was no report to say."""
    parser = argparse.ArgumentParser(prog="python -m delivery.comment", description=__doc__)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--file", type=Path, help="the report, as Markdown")
    given.add_argument("--results", type=Path, help="folder that another job handed over, report and failure in it")
    parser.add_argument("--failure", type=Path, help="what failed, as Markdown; goes first, if the file is there")
    parser.add_argument("--number", type=int, help="of the pull request; default: from the job's event or branch")
    parser.add_argument("--summary-only", action="store_true", help="no comment: a fork's token cannot write one")
    options = parser.parse_args(arguments)
    return run_command("comment", lambda: _say(options), within=private_site_cache())


def post(github: GitHub, number: int, body: str) -> str:
    """Create the comment or update it; return its address. Should there be two, keep the first."""
    path = f"issues/{number}/comments"
    login = github.login()

    def find() -> dict[str, Any] | None:
        own = [comment for comment in github.pages(path) if _is_own(comment, login)]
        for superfluous in own[1:]:
            github.delete(f"issues/comments/{superfluous['id']}")
        return own[0] if own else None

    comment = ensure(
        find,
        lambda: github.post(path, {"body": body}),
        lambda comment: github.patch(f"issues/comments/{comment['id']}", {"body": body}),
        github,
    )
    return str(comment["html_url"])


def pull_request(github: GitHub) -> int | None:
    """Return the number of the job's pull request: of its event, else the open one of its branch, else None."""
    event = os.environ.get("GITHUB_EVENT_PATH")
    if event and Path(event).is_file():
        number = json.loads(Path(event).read_text(encoding="utf-8")).get("pull_request", {}).get("number")
        if number is not None:
            return int(number)
    branch = os.environ.get("GITHUB_HEAD_REF") or os.environ.get("GITHUB_REF_NAME")
    if not branch:
        raise DeliveryError("neither an event nor a branch says which pull request it is: give --number")
    pulls = github.pages("pulls", state="open", head=f"{github.owner}:{branch}")
    return next((int(pull["number"]) for pull in pulls), None)


def _say(options: argparse.Namespace) -> int:
    report, failure = _texts(options)
    body = compose(report, failure)
    summarise(body)
    if not options.summary_only:
        github = connect()
        number = options.number or pull_request(github)
        print(post(github, number, body) if number else "no open pull request: the report is in the summary only")
    if report is None:
        raise DeliveryError(f"{options.file or 'the report'} is not there: python -m delivery.report makes it")
    return 0


def _texts(options: argparse.Namespace) -> tuple[str | None, str | None]:
    """Return report and failure, each None where there is none."""
    if options.results is None:
        report, failure = (
            path.read_text(encoding="utf-8") if path and path.is_file() else None
            for path in (options.file, options.failure)
        )
        return report, failure
    if not options.results.exists():
        return None, None
    results = read(options.results)
    return results.report, results.failure


def _is_own(comment: dict[str, Any], login: str | None) -> bool:
    """Tell our comment from one that quotes it: the marker comes first, and the author is us."""
    user = comment.get("user") or {}
    ours = user.get("login") == login if login else user.get("type") == "Bot"
    return ours and str(comment.get("body", "")).startswith(MARKER)


if __name__ == "__main__":
    sys.exit(main())
