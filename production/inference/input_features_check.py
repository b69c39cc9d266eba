"""Step 2, `input_features_check`: whether a note is in the format that the pipeline takes; note by note.

The same rules stand in `great_expectations/expectations/inference.json` with what each protects, and `python -m
production.check` holds notes of the database against them, with Data Docs. Great Expectations takes a fifth of a
second for each batch, more than the model does, so that it does not stand before every one; a test holds the two
against each other.
"""

from __future__ import annotations

from production.inference.encode_data import Features
from production.inference.params import InferenceParams


def problem_of(features: Features, limits: InferenceParams) -> str | None:
    """Return why the model is not asked about a note, None where it is; says nothing of its text."""
    if features.is_blank:
        return "has no text but blanks"
    if features.characters > limits.note_characters:
        return f"has {features.characters:,} characters, more than inference.note_characters"
    if features.longest_token > limits.token_characters:
        return f"has {features.longest_token:,} characters without a blank, more than inference.token_characters"
    if features.has_nul:
        return "has a NUL: is it no text?"
    return "has half a character (a lone surrogate)" if features.has_half_character else None
