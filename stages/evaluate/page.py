"""The errors as a page for a person. It contains clinical text: under `reports/`, never in git.

Errors are there to be read, and what is read soon shapes the model: the stage shows those of dev
where there is one, and those of test otherwise.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pandas as pd

from stages.common.pages import render
from stages.evaluate.error_analysis import KINDS

SHOWN = 1000
_TOP = 20

_TEMPLATE = Path(__file__).parent / "templates" / "errors.html"


def page_of(errors: pd.DataFrame, split: str) -> str:
    """Draw the errors of a split as one self-contained HTML page.

    Parameters
    ----------
    errors : DataFrame
        Columns of `stages.evaluate.error_analysis.ERRORS`.
    split : str
        What the page is called; rows of other splits are left out.

    Returns
    -------
    str
        Everything that comes from a note is escaped.
    """
    of_split = errors[errors["split"] == split]
    counts = Counter(of_split["kind"])
    return render(
        _TEMPLATE,
        split=split,
        counts=[(kind, counts[kind]) for kind in KINDS],
        total=len(of_split),
        words=boundary_words(of_split)[:_TOP],
        mentions=[_mention(error) for error in _records(of_split.head(SHOWN))],
    )


def boundary_words(errors: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Count the words by which boundary pairs differ, most frequent first.

    Returns
    -------
    list of (str, str, int)
        ``("left out", "acute", 7)``: seven predictions leave out an *acute* that is part of the
        annotated mention; ``"taken in"`` is the opposite.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for error in _records(errors):
        if error["kind"] != "boundary" or error["gold_start"] is None or error["predicted_start"] is None:
            continue
        for what, side, other in (("left out", "gold", "predicted"), ("taken in", "predicted", "gold")):
            for word in _difference(error, side, other):
                counts[what, word] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(what, word, times) for (what, word), times in ordered]


def _difference(error: dict, side: str, other: str) -> list[str]:
    """List the words of one side before the other side starts and after it ends."""
    start, end, text = error[f"{side}_start"], error[f"{side}_end"], error[f"{side}_text"]
    before = text[: max(0, error[f"{other}_start"] - start)]
    after = text[len(text) - max(0, end - error[f"{other}_end"]) :]
    return (before + " " + after).casefold().split()


def _records(errors: pd.DataFrame) -> list[dict]:
    return errors.astype(object).where(errors.notna(), None).to_dict("records")


def _mention(error: dict) -> dict:
    labels = " → ".join(dict.fromkeys(error[f"{side}_label"] or "none" for side in ("gold", "predicted")))
    return {**error, "labels": labels, "pieces": _pieces(error)}


def _pieces(error: dict) -> list[tuple[str, str]]:
    """Cut the sentence where a side starts or ends; each piece with the sides that it is part of."""
    text, offset = error["sentence"], error["sentence_start"]
    sides = {
        side: (error[f"{side}_start"] - offset, error[f"{side}_end"] - offset)
        for side in ("gold", "predicted")
        if error[f"{side}_start"] is not None
    }
    cuts = sorted({0, len(text), *(cut for span in sides.values() for cut in span)})
    return [
        (" ".join(side for side, (first, last) in sides.items() if first <= start and end <= last), text[start:end])
        for start, end in pairwise(cuts)
    ]
