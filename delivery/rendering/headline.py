"""What a change comes to in words that need no statistics: how many mentions more or fewer, and what to do."""

from __future__ import annotations

from delivery.changes.changes import Changes, MetricChange
from delivery.rendering.markdown import listed
from stages.common.wording import counted

_NOTHING = "nothing in the scores against merging"
_NOTHING_OF = ".accepts_nothing"


def headline(changes: Changes) -> str:
    """Return one line: mentions missed and false alarms, more or fewer, and whether to merge."""
    match changes.outcome:
        case "gate failed":
            line = f"The gate refused the data ({errors(changes)}): do not merge"
        case "not judged":
            problem = "These results are not of this change" if changes.stale else "There are no results"
            line = f"{problem}: do not merge before `dvc repro`"
        case "first result":
            line = f"First result: {_first(changes)}nothing to compare with"
        case "no interval":
            line = "Nobody can tell this change from luck: do not merge"
        case "unchanged":
            line = f"Every test note is scored as before: {_NOTHING}"
        case "within noise" if _adds_only(changes):
            line = f"Every test note of before is scored as before: {_NOTHING}"
        case _:
            line = f"{_moved(changes)}: {_advice(changes)}"
    return f"{line}{_silence(changes)}"


def _silence(changes: Changes) -> str:
    """Say of which labels a person has to look at every mention."""
    if changes.outcome in ("gate failed", "not judged"):
        return ""
    if changes.value("evaluation.acceptance.accepts_nothing"):
        return "; **nothing is accepted without a person**"
    rows = changes.under("evaluation.acceptance.labels")
    labels = [name.removesuffix(_NOTHING_OF) for name, row in rows.items() if name.endswith(_NOTHING_OF) and row.new]
    return f"; **nothing of {listed(labels)} is accepted without a person**" if labels else ""


def tally(changes: Changes) -> str:
    """Return the counts behind the headline as a sentence; empty where the revisions share no test document."""
    group = changes.group("both")
    if group is None or group.old is None or group.new is None:
        return ""
    old, new = group.old, group.new
    annotated = _arrow(old.tp + old.fn, new.tp + new.fn)
    notes = counted(len(group.names), "test note")
    moved = f"missed {old.fn:,} → {new.fn:,}, false alarms {old.fp:,} → {new.fp:,}"
    return f"Of {annotated} annotated mentions in {notes}: {moved}."


def traded(changes: Changes) -> list[MetricChange]:
    """Return what an F1 within noise hides: precision and recall that moved beyond it."""
    if changes.outcome != "within noise":
        return []
    scores = [changes.metrics.get(f"evaluation.strict.micro.{name}") for name in ("precision", "recall")]
    return [change for change in scores if change and change.judgement not in (None, "within noise")]


def errors(changes: Changes) -> str:
    """Return how many errors the gate found."""
    return counted(changes.value("validation.errors") or 0, "error")


def _advice(changes: Changes) -> str:
    if changes.outcome == "worse":
        return "worse, do not merge"
    if changes.worse_labels:
        return f"worse for {listed(changes.worse_labels)}, do not merge"
    if changes.outcome == "better":
        others = changes.headline.method == "unpaired documents"
        return "better there, a person must weigh it" if others else "better, may be merged"
    if any(change.judgement == "worse" for change in traded(changes)):
        return "one traded for the other, a person must weigh it"
    return "may be luck, no reason to merge"


def _moved(changes: Changes) -> str:
    group = changes.group("both")
    if group is None or group.old is None or group.new is None:
        return "Scored on other test notes than before"
    missed, alarms = group.new.fn - group.old.fn, group.new.fp - group.old.fp
    noun = "false alarm" if abs(alarms) == 1 else "false alarms"
    line = f"{_more(missed, 'missed')}, {_more(alarms, noun)}"
    return line[0].upper() + line[1:]


def _adds_only(changes: Changes) -> bool:
    """Tell whether nothing is read otherwise, and there are only other documents or labels."""
    if not changes.mentions or changes.documents is None or changes.documents.annotated_anew:
        return False
    return not any(each.won or each.lost or each.alarms_gone or each.alarms_new for each in changes.mentions)


def _more(difference: int, what: str) -> str:
    if difference == 0:
        return f"as many {what}"
    return f"{abs(difference):,} {'more' if difference > 0 else 'fewer'} {what}"


def _first(changes: Changes) -> str:
    group = changes.group("new")
    if group is None or group.new is None:
        return ""
    new = group.new
    mentions = counted(new.tp + new.fn, "mention")
    return f"{new.fn:,} of {mentions} missed, {counted(new.fp, 'false alarm')}; "


def _arrow(old: int, new: int) -> str:
    return f"{new:,}" if old == new else f"{old:,} → {new:,}"
