"""The body of a comment or pull request, as GitHub takes it."""

from __future__ import annotations

MARKER = "<!-- behealthy-report -->"
"""First line of the report; by it the comment is found again."""
LONGEST = 65_000
"""Characters; GitHub takes 65,536."""


def compose(report: str | None, failure: str | None) -> str:
    """Return the comment: the marker, what failed, the report; cut at a line where GitHub would refuse it.

    Parameters
    ----------
    report : str or None
        None when there is none, which the comment says.
    failure : str or None
        What failed before it.
    """
    text = "**There is no report**: it could not be made. The job's log says why." if report is None else report
    parts = [MARKER, (failure or "").strip(), text.removeprefix(MARKER).strip()]
    body = "\n\n".join(filter(None, parts)) + "\n"
    if len(body) <= LONGEST:
        return body
    return body[: body.rindex("\n", 0, LONGEST)] + "\n\n*Cut here: the job's summary has the rest.*\n"
