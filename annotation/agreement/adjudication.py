"""From disputes to tasks for an adjudicator, and from what the adjudicator decided to one annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from annotation.add import map_labels
from annotation.agreement.disputes import Stretch, is_open, settled, stretches_of
from annotation.agreement.panel import Panel, difference
from stages.common.documents import Document, Mention
from stages.common.errors import AnnotationError

DISPUTED = "?"
"""Ends the label of a mention that the adjudicator has to decide."""

_CONTEXT = 60


class Task(NamedTuple):
    """A document to adjudicate, and for each of its mentions the share of the annotators who marked it."""

    document: Document
    confidences: list[float]


def tasks_of(panel: Panel, *, majority: bool) -> list[Task]:
    """Make a task of each document with an open dispute; the others need no person.

    What is agreed keeps its label. Of what is disputed, the version with the most votes is proposed,
    its labels ended by `DISPUTED`: a decision takes that mark away, so that none is forgotten.
    """
    tasks = []
    for versions in panel.shared.values():
        stretches = stretches_of(versions)
        if not any(is_open(stretch, majority=majority) for stretch in stretches):
            continue
        marked: list[tuple[Mention, float]] = []
        for stretch in stretches:
            disputed = is_open(stretch, majority=majority)
            version = stretch.proposal if disputed else settled(stretch)
            share = len(stretch.versions[version]) / stretch.annotators
            mark = DISPUTED if disputed else ""
            marked += [(mention._replace(label=mention.label + mark), share) for mention in version]
        document = next(iter(versions.values()))
        mentions = tuple(mention for mention, _ in marked)
        tasks.append(Task(replace(document, mentions=mentions), [round(share, 4) for _, share in marked]))
    return tasks


def resolve(
    panel: Panel, adjudicated: Sequence[Document], mapping: Mapping[str, str], *, majority: bool
) -> list[Document]:
    """Return one annotation of each document.

    Adjudicated documents as the adjudicator left them; of the others what is agreed; documents of
    one annotator as they are.

    Parameters
    ----------
    panel : Panel
    adjudicated : sequence of Document
        Labels as in their export.
    mapping : mapping of str to str
        From these labels to those of the project.
    majority : bool

    Raises
    ------
    AnnotationError
        When a dispute is still open, in an adjudicated document or because the document was not
        adjudicated; when an adjudicated document is not one of these, or has another text.
    """
    decided = {document.id: document for document in adjudicated}
    for document in adjudicated:
        _refuse_undecided(document, panel)
    decided = {document.id: document for document in map_labels(list(decided.values()), dict(mapping))}
    resolved = []
    for name, versions in panel.documents.items():
        original = next(iter(versions.values()))
        mentions = decided[name].mentions if name in decided else _agreed(versions, majority=majority)
        resolved.append(replace(original, mentions=mentions, sentences=None))
    return resolved


def _refuse_undecided(document: Document, panel: Panel) -> None:
    if document.id not in panel.documents:
        raise AnnotationError(
            "was adjudicated, and is in none of the exports", "Give the same exports again", document=document.id
        )
    text = next(iter(panel.documents[document.id].values())).text
    if document.text != text:
        raise AnnotationError(
            "was adjudicated with another text than it was annotated with",
            "Adjudicate the file that --adjudicate wrote",
            document=document.id,
            offset=difference(document.text, text),
        )
    for mention in document.mentions:
        if mention.label.endswith(DISPUTED):
            raise AnnotationError(
                f"a disputed mention is not decided yet: its label still ends in {DISPUTED}",
                "Give it the label that holds, or delete it",
                document=document.id,
                offset=mention.start,
            )


def _agreed(versions: Mapping[str, Document], *, majority: bool) -> tuple[Mention, ...]:
    stretches = stretches_of(versions)
    still_open = [stretch for stretch in stretches if is_open(stretch, majority=majority)]
    if still_open:
        raise AnnotationError(
            "is disputed, and was not adjudicated",
            "Write the tasks with --adjudicate, and give what becomes of them as --resolve",
            document=still_open[0].document,
            offset=still_open[0].start,
        )
    return tuple(mention for stretch in stretches for mention in settled(stretch))


def disagreements(panel: Panel, disputes: Sequence[Stretch]) -> pd.DataFrame:
    """List disputes with their text, for the adjudicator's eyes only.

    Returns
    -------
    DataFrame
        Columns ``document``, ``start``, ``end``, ``kind``, ``before``, ``text``, ``after``, and one for
        each annotator: what was marked; ``(nothing)``; empty where the document was not annotated.
    """
    rows = []
    for dispute in disputes:
        text = next(iter(panel.documents[dispute.document].values())).text
        before, inside, after = (
            text[max(0, dispute.start - _CONTEXT) : dispute.start],
            text[dispute.start : dispute.end],
            text[dispute.end : dispute.end + _CONTEXT],
        )
        views = dict.fromkeys(panel.annotators, "")
        for version, annotators in dispute.versions.items():
            shown = " + ".join(f"{label}: {text[start:end]}" for start, end, label in version) or "(nothing)"
            views |= dict.fromkeys(annotators, shown)
        rows.append(
            (dispute.document, dispute.start, dispute.end, dispute.kind, before, inside, after, *views.values())
        )
    names = ["document", "start", "end", "kind", "before", "text", "after", *panel.annotators]
    return pd.DataFrame(rows, columns=names)
