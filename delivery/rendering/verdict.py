"""The verdict on a change in one line, and what a reader must know before trusting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from delivery.changes.changes import HEADLINE, Changes, Outcome
from delivery.rendering.headline import errors, traded
from delivery.rendering.markdown import code, listed
from delivery.rendering.tables import interval_text, number_text, values_text
from stages.common.wording import counted

_WORDS: Mapping[Outcome, str] = {
    "gate failed": "Gate failed",
    "not judged": "Not judged",
    "first result": "First result",
    "no interval": "No verdict",
    "unchanged": "Unchanged",
    "better": "Better",
    "worse": "Worse",
    "within noise": "Within noise",
}


_BY_NAME = " (under a key since decision 19, by a hash of their identifiers before)"
_RENAMED = (
    f" The annotations are the same: either the two commits name the documents in different ways{_BY_NAME}, which"
    " happens once, or they split them in different ways."
)


def verdict_line(changes: Changes) -> str:
    """Say in one line what the change comes to."""
    return f"**{_WORDS[changes.outcome]}**{_why(changes)}"


def _why(changes: Changes) -> str:
    headline = changes.headline
    match changes.outcome:
        case "gate failed":
            return f": {errors(changes)}; nothing behind the gate was run."
        case "not judged":
            foreign = f"the metrics do not belong to this change. Out of date: {listed(list(changes.stale))}"
            return f": {foreign if changes.stale else 'there are no metrics'}. Run `dvc repro` and commit."
        case "first result":
            interval = " to ".join(number_text(changes.value(f"{HEADLINE}_{end}")) for end in ("low", "high"))
            return f": strict F1 {number_text(headline.new)} (95% {interval}); nothing to compare with."
        case "no interval":
            return f": strict F1 {values_text(headline)}, but without counts by document noise cannot be told."
        case "unchanged":
            return f": strict F1 {number_text(headline.new)}, with the same counts in each test document."
    return _compared(changes)


def _compared(changes: Changes) -> str:
    headline = changes.headline
    worse = _traded(changes) + (f" **Worse** for {listed(changes.worse_labels)}." if changes.worse_labels else "")
    assert headline.difference is not None
    interval = f"{headline.difference.difference:+.4f}, 95% {interval_text(headline.difference)}"
    common = " → ".join(map(number_text, headline.common)) if headline.common else ""
    if headline.method == "unpaired documents":
        documents = "documents without a common name" if _are_same_annotations(changes) else "other documents"
        if common:
            over_all = values_text(headline)
            return f": strict F1 of the common labels {common} on {documents} ({interval}); of all {over_all}.{worse}"
        return f": strict F1 {values_text(headline)} on {documents} ({interval}).{worse}"
    if _is_over_all(changes):
        return f": strict F1 {values_text(headline)} ({interval}).{worse}"
    common = f"{common} ({interval})" if common else interval
    return f": strict F1 on the common documents and labels {common}; over all {values_text(headline)}.{worse}"


def _traded(changes: Changes) -> str:
    """Say what an F1 within noise hides: precision and recall that moved beyond it."""
    moved = [
        f"{change.name.split('.')[-1]} **{change.judgement}** ({change.difference.difference:+.4f})"
        for change in traded(changes)
        if change.difference
    ]
    return f" But {' and '.join(moved)}." if moved else ""


def _is_over_all(changes: Changes) -> bool:
    """Tell whether both values are over what the difference is over."""
    documents = changes.documents
    return bool(documents and not documents.only_old and not documents.only_new and not any(changes.changed_labels))


def notes(changes: Changes, lacking: int = 0) -> str:
    """Say what keeps the comparison from being plain: stale stages, other documents or labels, a base that moved on."""
    return "\n>\n".join(f"> {note}" for note in [*_noteworthy(changes), *_moved_on(changes, lacking)])


def _moved_on(changes: Changes, lacking: int) -> Iterator[str]:
    if lacking:
        yield (
            f"{code(changes.old.name)} has {counted(lacking, 'commit')} that {code(changes.new.name)} lacks: "
            "what they changed looks undone here. `--merge-base` compares with where the branch left."
        )


def _noteworthy(changes: Changes) -> Iterator[str]:
    if changes.stale:
        reasons = "; ".join(f"{code(name)}: {code(reason)}" for name, reason in list(changes.stale.items())[:10])
        yield f"Not recomputed since the change ({reasons}): what these stages report is not compared."
    if changes.stale_base and not changes.stale:
        name, reason = next(iter(changes.stale_base.items()))
        yield f"The base's own metrics are out of date ({code(name)}: {code(reason)}): compare with care."
    documents = changes.documents
    if documents and changes.renamed:
        yield (
            f"The two commits name the test documents in different ways{_BY_NAME}. The annotations are the same, and so"
            f" are the counts of all {documents.common:,}, one by one: they are taken for the same documents."
        )
    if documents and (documents.only_old or documents.only_new):
        yield (
            f"Other test documents: {documents.only_new:,} new, {documents.only_old:,} gone. "
            + (
                f"Strict scores are over the {documents.common:,} in both; "
                "all other figures are of each side's own documents."
                if documents.common
                else "None in common: intervals are not paired, and the documents may differ in difficulty."
                + (_RENAMED if _are_same_annotations(changes) and not documents.common else "")
            )
        )
    if documents and documents.annotated_anew:
        yield f"{documents.annotated_anew:,} common test documents have another number of annotated mentions."
    for side, labels in zip(("gone", "new"), changes.changed_labels, strict=True):
        if labels:
            yield f"Labels {side}: {listed(labels)}. Micro scores are over the labels of both."


def _are_same_annotations(changes: Changes) -> bool:
    return "data/annotations" not in changes.hashes
