"""A change as Markdown, section by section, the most important first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from delivery.changes.bootstrap import Difference
from delivery.changes.changes import Changes, MetricChange
from delivery.changes.directions import NO_CASES
from delivery.changes.mentions import KINDS, MentionChanges
from delivery.rendering.figures import Bar, bars_as_text
from delivery.rendering.headline import headline, tally
from delivery.rendering.markdown import GITHUB_LIMIT, code, details, joined, listed, plain, shortened, table
from delivery.rendering.posted import MARKER
from delivery.rendering.scope import compared
from delivery.rendering.scores import beside_table, deciding_table, other_metrics
from delivery.rendering.tables import NONE, metric_table, split_rows
from delivery.rendering.verdict import notes, verdict_line
from stages.common.wording import counted, decision_in_words

_NO_DIFFERENCE = Difference(0.0, 0.0, 0.0)
_FEW = 3
_MOST_ROWS = 40
_MOST_FINDINGS = 25
_MOST_EXAMPLES = 20


@dataclass(frozen=True)
class Report:
    """A change and what could be found out beside it.

    Parameters
    ----------
    changes : Changes
    mentions : MentionChanges or None
        None where the predictions cannot be read.
    examples : bool
        Whether clinical text may be shown.
    batches : (list of str, list of str) or None
        Names in the old and the new revision.
    images : dict of str to str
        Title by address.
    run_url : str or None
        Of the MLflow run.
    lacking : int
        Commits of the old revision that the new one does not have.
    left_out : sequence of str
        What the report lacks, and why.
    """

    changes: Changes
    mentions: MentionChanges | None = None
    examples: bool = False
    batches: tuple[list[str], list[str]] | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    run_url: str | None = None
    lacking: int = 0
    left_out: Sequence[str] = ()


def render(report: Report, limit: int = GITHUB_LIMIT) -> str:
    """Return the report, at most `limit` bytes long."""
    changes = report.changes
    sections = [
        _summary(report),
        notes(changes, report.lacking),
        compared(changes),
        _gate(changes),
        deciding_table(changes),
        _pictures(report),
        beside_table(changes),
        _params(changes),
        _data(report),
        _mentions(report),
        _below(changes, "F1 by type of note", "evaluation.note_types", ".f1"),
        _below(changes, "Behaviour, share of cases passed", "behaviour", ".rate"),
        _untested(changes),
        other_metrics(changes),
        _drift(changes),
        _how_to_read(report),
    ]
    return joined(sections, limit)


def _summary(report: Report) -> str:
    changes = report.changes
    facts = [f"{code(changes.old.name)} → {code(changes.new.name)}"]
    if changes.documents:
        facts.append(f"{changes.documents.common:,} common test documents")
    facts.append({True: "gate passed", False: "gate failed", None: "gate not run"}[changes.gate])
    decision = changes.metrics.get("decision.decision")
    if decision and decision.new and decision.fresh:
        facts.append(f"monitor: {_decisions(decision)}")
    if report.run_url:
        facts.append(f"[MLflow run]({report.run_url})")
    verdict = " ".join(filter(None, [verdict_line(changes), tally(changes) if _is_compared(changes) else ""]))
    return f"{MARKER}\n### {headline(changes)}\n\n{verdict}\n\n{' · '.join(facts)}"


def _is_compared(changes: Changes) -> bool:
    return changes.outcome not in ("gate failed", "not judged", "first result", "no interval")


def _gate(changes: Changes) -> str:
    checks = changes.under("validation.checks")
    names = {name.rsplit(".", 1)[0] for name, change in checks.items() if change.new is not None}
    listed = changes.value("validation.expectations.failed") or []
    rows = [
        [
            code(name),
            code(changes.value(f"validation.checks.{name}.severity") or "error"),
            code(changes.value(f"validation.checks.{name}.count")),
            code(changes.value(f"validation.checks.{name}.message") or "", longest=200),
        ]
        for name in sorted(names | set(map(str, listed)))
    ]
    if not rows:
        return ""
    kept, more = shortened(rows, _MOST_FINDINGS)
    body = table(["check", "severity", "count", "what and what to do"], kept, right=[2]) + more
    return f"### Gate\n\n{body}" if changes.gate is False else details(f"Gate: {counted(len(rows), 'finding')}", body)


def _pictures(report: Report) -> str:
    bars = bars_of(report.changes)
    if report.changes.outcome == "unchanged":
        return ""
    if report.images:
        return "\n".join(f"![{title}]({address})" for address, title in report.images.items())
    return f"```text\n{bars_as_text(bars)}\n```" if bars else ""


def bars_of(changes: Changes) -> list[Bar]:
    """Return the differences of strict F1 that are drawn."""
    return [
        Bar(plain(change.name.split(".")[2], 24) + " F1", change.difference, change.judgement)
        for change in [changes.headline, *changes.labels][:12]
        if change.difference and change.judgement and change.difference != _NO_DIFFERENCE
    ]


def _params(changes: Changes) -> str:
    rows = [[code(name), _setting(old), _setting(new)] for name, (old, new) in changes.params.items()]
    if not rows:
        return "Parameters: none changed."
    if len(rows) <= _FEW:
        return "Parameters: " + "; ".join(f"{name} {old} → {new}" for name, old, new in rows) + "."
    kept, more = shortened(rows, _MOST_ROWS)
    return details(f"Parameters changed: {len(rows):,}", table(["parameter", "old", "new"], kept) + more)


def _data(report: Report) -> str:
    changes = report.changes
    rows = list(split_rows(changes))
    hashes = [
        [code(path), _setting(old and old[:12]), _setting(new and new[:12])]
        for path, (old, new) in changes.hashes.items()
    ]
    parts = []
    if report.batches:
        old, new = report.batches
        added, gone = ([name for name in names if name not in others] for names, others in ((new, old), (old, new)))
        parts.append(f"Batches: {len(new):,}; new: {listed(added)}; gone: {listed(gone)}.")
    if rows:
        columns = ["split", "", "old", "new", "share old", "share new"]
        parts.append(table(columns, rows[:_MOST_ROWS], right=[2, 3, 4, 5]))
    parts.append(table(["data", "old", "new"], hashes[:_MOST_ROWS]) if hashes else "No data changed.")
    annotations = "annotations changed" if "data/annotations" in changes.hashes else "annotations unchanged"
    return details(f"Data: {annotations}", "\n\n".join(parts))


def _mentions(report: Report) -> str:
    changes, mentions = report.changes, report.mentions
    if changes.outcome in ("gate failed", "not judged"):
        return ""
    if changes.outcome == "unchanged" and (mentions is None or mentions.rows.empty):
        return ""
    if changes.documents and not changes.documents.common:
        return ""
    if mentions is not None:
        gone, new = changes.changed_labels
        mentions = mentions.without([*gone, *new])
        scored = [label for change in changes.labels if (label := change.name.split(".")[-2]) not in (*gone, *new)]
        labels = list(dict.fromkeys([*scored, *sorted(set(mentions.rows["label"]))]))
        rows = [[code(label), *(f"{mentions.count(label, kind):,}" for kind in KINDS)] for label in labels]
        body = "Mention by mention, on the common test documents."
    elif changes.mentions:
        rows = [
            [code(each.label), f"{each.won:,}", f"{each.lost:,}", f"{each.alarms_gone:,}", f"{each.alarms_new:,}"]
            for each in changes.mentions
        ]
        body = "At least: from counts by document, where a mention won and one lost in the same document cancel out."
    else:
        return ""
    body += "\n\n" + table(["label", *KINDS], rows[:_MOST_ROWS], right=[1, 2, 3, 4])
    if mentions is not None and report.examples:
        body += _examples(mentions)
    return details("Mentions won and lost", body)


def _examples(mentions: MentionChanges) -> str:
    parts = []
    for kind, rows in mentions.rows.groupby("kind", sort=False):
        cells = [
            [
                code(row.label),
                code(row.text),
                code(f"…{row.before}[{row.text}]{row.after}…", longest=160),
                code(row.document),
            ]
            for row in rows.head(_MOST_EXAMPLES).itertuples()
        ]
        left = len(rows) - len(cells)
        more = f"\n\n… and {left:,} more." if left else ""
        parts.append(
            f"\n\n**{str(kind).capitalize()}**\n\n{table(['label', 'mention', 'where', 'document'], cells)}{more}"
        )
    return "".join(parts)


def _below(changes: Changes, title: str, prefix: str, ending: str) -> str:
    metrics = [change for name, change in changes.under(prefix).items() if name.endswith(ending)]
    fresh = [change for change in metrics if change.fresh]
    changed = [change for change in fresh if change.changed]
    if not changed:
        return f"{title}: none of {len(fresh):,} changed." if fresh else ""
    return details(f"{title}: {len(changed):,} of {len(fresh):,} changed", metric_table(changed, _MOST_ROWS))


def _untested(changes: Changes) -> str:
    """Name the labels for which `stages.evaluate.behaviour` has no cases."""
    labels = [
        name.removeprefix(NO_CASES).removesuffix(".kind")
        for name, change in changes.under("behaviour").items()
        if name.startswith(NO_CASES) and name.endswith(".kind") and change.new is not None
    ]
    return f"No cases of behaviour were written for {listed(labels)}." if labels else ""


def _drift(changes: Changes) -> str:
    decision = changes.metrics.get("decision.decision")
    if decision is None:
        return ""
    if not decision.fresh:
        return details("Drift decision: not recomputed", f"Was {code(decision.old or NONE)}.")
    reasons = [f"- {code(reason, longest=300)}" for reason in (changes.value("decision.reasons") or [])[:_MOST_ROWS]]
    said = f"{_decisions(decision)}: what the monitor says of the incoming notes."
    return details("Drift decision", "\n".join([said, "", *reasons]))


def _decisions(decision: MetricChange) -> str:
    old, new = (decision_in_words(str(side or NONE)) for side in (decision.old, decision.new))
    return f"{code(old)} → {code(new)}" if decision.changed and decision.old else code(new)


def _how_to_read(report: Report) -> str:
    intervals = sum(change.difference is not None for change in report.changes.metrics.values())
    lines = [
        "- Missed: annotated, and not marked with exactly its boundaries and its label. False alarm: marked, and not "
        "annotated so. A mention with a wrong boundary is both.",
        "- Recall is the share of annotated mentions that were found, precision of marked ones that are right; F1 is "
        "their harmonic mean.",
        "- ↑ higher is better, ↓ lower is better. A verdict needs a 95% interval that does not hold 0.",
        "- Intervals of strict scores: documents drawn with replacement, the same for both revisions.",
        "- With *: wider, since unpaired (types of note: both intervals combined; behaviour: shares of cases).",
        "- *noise unknown*: nothing in git tells the change from noise; it is no finding. *Other documents*: old and "
        "new are not of the same notes.",
        f"- {counted(intervals, 'interval')}; of intervals about nothing, one in twenty misses 0 by luck. "
        "The verdict rests on strict F1.",
        *(f"- Left out: {reason}." for reason in report.left_out),
    ]
    return details("How to read this" + (", and what was left out" if report.left_out else ""), "\n".join(lines))


def _setting(value: Any) -> str:
    return NONE if value is None else code(value)
