"""Which labels a batch annotates, and what it marks that is no mention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.formats.rules import IGNORED


def marks_in(documents: Iterable[Document]) -> int:
    """Count what an export marks, whatever its mapping makes of it."""
    return sum(len(document.mentions) + len(document.left_out) for document in documents)


def left_out_of(documents: Iterable[Document]) -> dict[str, dict[str, int]]:
    """Count what is no mention, by reason and by label of the source, both in order; empty where all is kept."""
    counts = Counter((item.reason, item.label) for document in documents for item in document.left_out)
    by_reason: dict[str, dict[str, int]] = {}
    for (reason, label), count in sorted(counts.items()):
        by_reason.setdefault(reason, {})[label] = count
    return by_reason


def told(left_out: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a line for each reason, with the labels of the source and how often each was left out.

    >>> told({"ignored": {"Age": 154, "Sex": 143}})
    ['297 ignored (Age 154, Sex 143)']
    """
    return [
        f"{sum(counts.values()):,} {reason} ({', '.join(f'{label} {count:,}' for label, count in counts.items())})"
        for reason, counts in left_out.items()
    ]


def with_labels(
    documents: Sequence[Document], mapping: Mapping[str, str], labels: Sequence[str] | None, project: Sequence[str]
) -> list[Document]:
    """Say of each document which labels of the project its annotators looked for.

    Parameters
    ----------
    documents : sequence of Document
        Of one batch, labels as in the source.
    mapping : mapping of str to str
    labels : sequence of str or None
        As `batch.yaml` has them. None: those that are marked anywhere in the batch, or all where none is.
    project : sequence of str
        Labels of the project, in order.

    Raises
    ------
    AnnotationError
        When a mention has a label that is not among `labels`; names the first.
    """
    marked: dict[str, tuple[Document, int]] = {}
    for document in documents:
        for mention in document.mentions:
            marked.setdefault(mapping.get(mention.label, IGNORED), (document, mention.start))
    for label in project:
        if labels is not None and label in marked and label not in labels:
            document, offset = marked[label]
            raise AnnotationError(
                f"marks {label}, which is not among the labels that the batch annotates, {', '.join(labels)}",
                f"Name {label} among them, or map it to nothing in the batch's labels.csv",
                document=document.id,
                offset=offset,
            )
    looked_for = (marked.keys() & set(project) or project) if labels is None else labels
    annotated = tuple(label for label in project if label in looked_for)
    return [replace(document, labels=annotated) for document in documents]
