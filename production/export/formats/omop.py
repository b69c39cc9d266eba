"""The table NOTE_NLP of the OMOP Common Data Model, version 5.4, as CSV; the mentions that the model stands by.

``note_id`` is this database's number of the note; `notes.csv` of the part says what the note is called at its source.
``note_nlp_id`` is drawn from the result and the place of the mention in it: 63 bits, so the column must be a bigint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from production.export.concepts import normal
from production.export.formats import Open, Settings
from production.export.results import Result, Span
from production.export.rows import Rows

COLUMNS = (
    "note_nlp_id", "note_id", "section_concept_id", "snippet", "offset", "lexical_variant", "note_nlp_concept_id",
    "note_nlp_source_concept_id", "nlp_system", "nlp_date", "nlp_datetime", "term_exists", "term_temporal",
    "term_modifiers",
)  # fmt: skip

EXISTS = {
    "present": "Y",
    "historical": "Y",  # "has or had"
    "negated": "N",
    "possible": "N",  # who counts the rows with Y must not count a doubt
    "hypothetical": "N",
    "family": "N",
}
TEMPORAL = {"present": "Present", "negated": "Present", "possible": "Present", "historical": "Past"}
_NARROW = 250
"""Characters of the columns `snippet` and `lexical_variant`."""
_AROUND = 60


class NoteNlp:
    """Writes `note_nlp.csv`."""

    def __init__(self, open: Open, settings: Settings) -> None:
        self._concepts = settings.concepts
        self._rows = Rows(open("note_nlp.csv"), COLUMNS)

    def add(self, results: Sequence[Result]) -> None:
        """Write a row for each mention."""
        for result in results:
            self._rows.write(self._rows_of(result))

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def _rows_of(self, result: Result) -> Iterator[tuple[object, ...]]:
        made = result.created_at
        for span in result.mentions:
            yield (
                note_nlp_id(result, span),
                result.key.note_id,
                0,
                _snippet(result.text, span),
                span.start,
                span.surface[:_NARROW],
                self._concepts.get(normal(span.surface), 0),
                0,
                f"behealthy {result.key.model_version}",
                made.strftime("%Y-%m-%d"),
                made.strftime("%Y-%m-%d %H:%M:%S"),
                EXISTS.get(span.assertion, "N"),
                TEMPORAL.get(span.assertion, ""),
                modifiers(span),
            )


def note_nlp_id(result: Result, span: Span) -> int:
    """Return the number of a row: the same whenever the row is exported.

    Of 100 million rows, two have one number with a chance of 1 in 2,000.
    """
    named = f"{result.key.note_id} {result.key.text_hash} {result.key.model_version} {span.number}"
    return int.from_bytes(hashlib.blake2b(named.encode(), digest_size=8).digest(), "big") >> 1


def modifiers(span: Span) -> str:
    """Return what `term_exists` is drawn from, and how sure the model is."""
    said = {
        "Negation": span.assertion == "negated",
        "Subject": "Family" if span.assertion == "family" else "Patient",
        "Conditional": span.assertion == "hypothetical",
        "Uncertain": span.assertion == "possible",
        "Label": span.label,
        "Confidence": f"{span.confidence:.4f}",
        "Accepted": span.accepted,
    }
    return ";".join(f"{name}={str(value).lower() if value in (True, False) else value}" for name, value in said.items())


def _snippet(text: str, span: Span) -> str:
    """Return the mention with what stands around it, on one line and as much as the column takes."""
    start = max(span.start - _AROUND, 0)
    return " ".join(text[start : min(span.end + _AROUND, start + _NARROW)].split())
