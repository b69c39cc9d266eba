"""How right the model is on all notes of a period, from the notes that people looked at."""

from __future__ import annotations

from production.review.seen import Estimate, Frame, Part, ReviewedNote, SeenSpan, Sums

__all__ = ["Estimate", "Frame", "Part", "ReviewedNote", "SeenSpan", "Sums"]
