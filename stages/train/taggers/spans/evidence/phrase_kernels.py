"""How often training saw the phrase of a span, and marked it."""

from __future__ import annotations

from stages.common.compiled import kernel
from stages.train.taggers.chain.candidate_kernels import LABEL
from stages.train.taggers.spans.arrays import Float32, Int32

PHRASE_NAMES = (
    "times seen with this label",
    "times seen with another label",
    "times seen unmarked",
    "share marked where seen",
)
THIS_LABEL, ANOTHER_LABEL, UNMARKED, SHARE_MARKED = range(len(PHRASE_NAMES))


@kernel(inner=True)
def phrase_evidence(spans: Int32, phrase_rows: Int32, counts: Int32, out: Float32, at: int) -> None:
    """Fill the columns of `PHRASE_NAMES`, a row per candidate; the share of what was never seen is -1."""
    labels = counts.shape[1] - 1
    for i in range(len(spans)):
        row, label = phrase_rows[i], spans[i, LABEL]
        marked = 0
        for k in range(labels):
            marked += counts[row, k]
        same, anywhere = counts[row, label], counts[row, labels]
        out[i, at + THIS_LABEL], out[i, at + ANOTHER_LABEL] = same, marked - same
        out[i, at + UNMARKED] = anywhere - marked
        out[i, at + SHARE_MARKED] = (same + 0.1) / (anywhere + 0.5) if anywhere > 0 else -1.0
