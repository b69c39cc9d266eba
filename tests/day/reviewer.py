"""A reviewer who follows the gold annotations, and takes the time that a person takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stages.common.documents import Mention

CHARACTERS_PER_SECOND = 20.0
ACCEPT_SECONDS, CHANGE_SECONDS, MISSED_SECONDS = 1.5, 6.0, 8.0


def decisions(task: Mapping[str, Any], gold: set[Mention]) -> dict[str, Any]:
    """Return what is to be said of a note, as `production.review done` takes it.

    What is annotated is accepted; of a span with other ends or another label, the annotated one is put in its place;
    anything else is rejected, and what nothing was shown of is added.
    """
    open_spans = set(gold)
    found = {"mentions": [], "suggestions": []}
    for kind in ("mentions", "suggestions"):
        exact = [one for one in task[kind] if _mention(one) in open_spans]
        open_spans -= {_mention(one) for one in exact}
        found[kind] = [{"number": one["number"], "decision": "accept"} for one in exact]
    taken = {(kind, one["number"]) for kind, some in found.items() for one in some}
    for one in task["mentions"]:
        if ("mentions", one["number"]) not in taken:
            found["mentions"].append(_mended(one, open_spans))
    missed = [mention._asdict() for mention in sorted(open_spans)]
    return {**found, "missed": missed, "seconds": round(_seconds(task, found, missed), 1)}


def _mention(shown: Mapping[str, Any]) -> Mention:
    return Mention(shown["start"], shown["end"], shown["label"])


def _mended(shown: Mapping[str, Any], open_spans: set[Mention]) -> dict[str, Any]:
    """Return a change to an annotated span that it overlaps with, which is then no more open; else a rejection."""
    near = sorted(one for one in open_spans if one.start < shown["end"] and shown["start"] < one.end)
    if not near:
        return {"number": shown["number"], "decision": "reject"}
    open_spans.discard(near[0])
    return {"number": shown["number"], "decision": "change", **near[0]._asdict()}


def _seconds(task: Mapping[str, Any], found: Mapping[str, Any], missed: list[Any]) -> float:
    return len(task["text"]) / CHARACTERS_PER_SECOND + sum(_spent(found, missed))


def _spent(found: Mapping[str, Any], missed: list[Any]) -> Iterator[float]:
    for one in (*found["mentions"], *found["suggestions"]):
        yield ACCEPT_SECONDS if one["decision"] == "accept" else CHANGE_SECONDS
    yield MISSED_SECONDS * len(missed)
