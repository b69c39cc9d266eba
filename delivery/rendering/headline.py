"""What a change comes to in words that need no statistics: how many mentions more or fewer, and what to do."""

from __future__ import annotations

from delivery.changes.changes import Changes, MetricChange
from delivery.rendering.markdown import listed
from delivery.rendering.workload import workload
from stages.common.wording import counted

_NOTHING = ": nothing in the scores against merging"


def headline(changes: Changes) -> str:
    """Return one line: mentions missed and false alarms, more or fewer, whether to merge, and what is more work."""
    beyond = workload(changes)
    nothing = "" if beyond else _NOTHING
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
            line = f"Every test note is scored as before{nothing}"
        case "within noise" if _adds_only(changes):
            line = f"Every test note of before is scored as before{nothing}"
        case _:
            line = f"{_moved(changes)}: {_advice(changes, plain=not beyond)}"
    return "; ".join([line, *beyond])


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


def _advice(changes: Changes, *, plain: bool) -> str:
    if changes.outcome == "worse":
        return "worse, do not merge"
    if changes.worse_labels:
        return f"worse for {listed(changes.worse_labels)}, do not merge"
    if changes.outcome == "better":
        others = changes.headline.method == "unpaired documents"
        alone = "better, may be merged" if plain else "better in the scores"
        return "better there, a person must weigh it" if others else alone
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
