"""The errors as a page for a person. It contains clinical text: under `reports/`, never in git.

Errors are there to be read, and what is read soon shapes the model: the stage shows those of dev
where there is one, and those of test otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape
from itertools import pairwise

import pandas as pd

from stages.evaluate.errors import KINDS

SHOWN = 1000
_TOP = 20

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 2rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd }
.gold { border-bottom: 3px solid #2a7f3f }
.predicted { background: #ffd9a8 }
"""


def page_of(errors: pd.DataFrame, split: str) -> str:
    """Draw the errors of a split as one self-contained HTML page.

    Parameters
    ----------
    errors : DataFrame
        Columns of `stages.evaluate.errors.ERRORS`.
    split : str
        What the page is called; rows of other splits are left out.

    Returns
    -------
    str
        Everything that comes from a note is escaped.
    """
    chosen = errors[errors["split"] == split]
    counts = Counter(chosen["kind"])
    more = f" The first {SHOWN} of {len(chosen)} are shown." if len(chosen) > SHOWN else ""
    parts = [
        f"<h1>Errors on {escape(split)}</h1>",
        f"<p>{', '.join(f'{counts[kind]} {kind}' for kind in KINDS)}.{more} ",
        '<span class="gold">Underlined</span>: annotated. <span class="predicted">Shaded</span>: predicted.</p>',
        "<h2>Words at the boundaries</h2>",
        _table(("what happened", "word", "times"), _boundary_rows(chosen)),
        "<h2>Mentions</h2>",
        _table(("kind", "labels", "sentence", "confidence", "document"), map(_row, _records(chosen.head(SHOWN)))),
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Errors on {escape(split)}</title>\n'
        f"<style>{_STYLE}</style>\n{body}\n</html>\n"
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


def _boundary_rows(errors: pd.DataFrame) -> list[list[str]]:
    return [[what, escape(word), str(times)] for what, word, times in boundary_words(errors)[:_TOP]]


def _row(error: dict) -> list[str]:
    labels = " → ".join(dict.fromkeys(error[f"{side}_label"] or "none" for side in ("gold", "predicted")))
    confidence = "" if error["confidence"] is None else f"{error['confidence']:.2f}"
    return [error["kind"], escape(labels), _highlighted(error), confidence, escape(error["document"])]


def _highlighted(error: dict) -> str:
    """Mark the characters of both sides in the sentence."""
    text, offset = error["sentence"], error["sentence_start"]
    sides = {
        side: (error[f"{side}_start"] - offset, error[f"{side}_end"] - offset)
        for side in ("gold", "predicted")
        if error[f"{side}_start"] is not None
    }
    cuts = sorted({0, len(text), *(cut for span in sides.values() for cut in span)})
    pieces = []
    for start, end in pairwise(cuts):
        classes = " ".join(side for side, (first, last) in sides.items() if first <= start and end <= last)
        piece = escape(text[start:end])
        pieces.append(f'<span class="{classes}">{piece}</span>' if classes else piece)
    return "".join(pieces)


def _table(header: tuple[str, ...], rows: Iterable[list[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in header)
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return "\n".join(["<table>", f"<tr>{head}</tr>", *lines, "</table>"])
