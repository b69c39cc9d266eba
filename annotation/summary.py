"""What a person is told of a batch that came in: its counts, what was left out, what it annotates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stages.common.documents import Document
from stages.common.labels import load_labels
from stages.prepare.annotated import left_out_of, told
from stages.prepare.batches import Batch


def summary_of(batch: Batch, documents: Sequence[Document], warnings: int, to: Path) -> str:
    """Return the lines that end `annotation.add`; the documents carry labels of the project."""
    labels = Counter(mention.label for document in documents for mention in document.mentions)
    counts = ", ".join(f"{label} {labels[label]:,}" for label in load_labels() if labels[label]) or "none"
    left_out = left_out_of(documents)
    return "\n".join(
        [
            f"added batch {batch.name}, number {batch.order}",
            f"  documents  {len(documents):,}",
            f"  mentions   {labels.total():,} ({counts})",
            *(f"  left out   {line}" for line in told(left_out)),
            f"  annotates  {_looked_for(batch, documents)}",
            f"  split      {batch.split or 'by content'}",
            f"  warnings   {warnings}",
            "next:",
            f"  dvc add {to}",
            "  dvc repro",
            "  dvc push",
        ]
    )


def _looked_for(batch: Batch, documents: Sequence[Document]) -> str:
    """Name the labels that the batch annotates; of those without a mention, say what they are taken for."""
    labels = documents[0].labels or ()
    project = load_labels()
    absent = [label for label in project if label not in labels]
    named = ", ".join(labels)
    if batch.about.labels is not None or not absent:
        return named
    return (
        f"{named}; no mention of {' or '.join(absent)}: taken as not looked for"
        f" (if it was, add the batch with --annotates {','.join(project)})"
    )
