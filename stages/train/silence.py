"""What is learned from documents in which only some of the labels were looked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from stages.common.annotated import Annotated, batch_of, labels_of
from stages.common.wording import agreeing


def warnings_of_silence(documents: Iterable[str], annotated: Annotated, labels: Sequence[str]) -> list[str]:
    """Say which batches teach that labels are absent that nobody looked for.

    Parameters
    ----------
    documents : iterable of str
        Names of those that are learned from; repetitions count once.
    annotated : mapping of str to sequence of str
        As `stages.common.annotated.read_annotated` returns it.
    labels : sequence of str
        Of the project.

    Returns
    -------
    list of str
        A line for each batch, in order of their names.
    """
    numbers = Counter(map(batch_of, set(documents)))
    lines = []
    for batch, number in sorted(numbers.items()):
        looked_for = labels_of(batch, annotated, labels)
        absent = [label for label in labels if label not in looked_for]
        if absent:
            silent = agreeing(number, "document/documents leaves/leave")
            lines.append(
                f"batch {batch} annotates {_only(looked_for)}: what its {silent}"
                f" unmarked was learned as no {' and no '.join(absent)} either (tag O)"
            )
    return lines


def _only(looked_for: Sequence[str]) -> str:
    return f"{' and '.join(looked_for)} only" if looked_for else "no label of the project"
