"""What production expects of a note before a model is asked about it."""

from __future__ import annotations

from stages.validate.definitions import Expectation, flag, parameter

_EXPORT = "Look at how the source writes its notes, and add them again"


def _at_most(name: str, column: str, bound: str, protects: str) -> Expectation:
    remedy = f"{_EXPORT}, or raise {bound} in params.yaml"
    options = {"column": column, "max_value": parameter(bound.replace(".", "_"))}
    return Expectation(f"inference.{name}", "column_values_to_be_between", protects, remedy, options)


ON_INFERENCE = (
    Expectation(
        "inference.has_rows",
        "table_row_count_to_be_between",
        "An empty table passes any other expectation",
        "Add notes (`python -m production.notes add`)",
        {"min_value": 1},
    ),
    flag(
        "inference.has_text",
        "has_text",
        "A note without text is an export that went wrong, not a healthy patient",
        _EXPORT,
    ),
    _at_most(
        "characters_are_bounded", "characters", "inference.note_characters", "One note may not hold up all others"
    ),
    _at_most(
        "tokens_are_bounded",
        "longest_token",
        "inference.token_characters",
        "What has no blanks is no text: a scan, a picture, a key",
    ),
    flag("inference.has_no_nul", "has_no_nul", "A NUL stands in no text, but in what was taken for one", _EXPORT),
    flag(
        "inference.characters_are_whole",
        "has_whole_characters",
        "Half a character cannot be written: it was cut, or decoded by the wrong encoding",
        _EXPORT,
    ),
)
