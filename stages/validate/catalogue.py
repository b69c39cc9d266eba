"""Every expectation of the gate: what it asks, what it protects, how bad it is, what to do.

Plain data; `suites.py` writes it as Great Expectations JSON. Bounds that a person may turn are
`$PARAMETER`s, filled from `params.yaml` at each run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stages.common.tables import DOCUMENTS, MENTIONS, TOKENS
from stages.common.tags import IOB2_TAGS, LABELS
from stages.validate.findings import Severity

PREPARE = "Repair stages/prepare and run `dvc repro prepare`"
SPLIT = "Give the batches one fixed split or none (batch.yaml), then `dvc repro prepare`"
ANNOTATE = "Add annotations of the label (`python -m annotation.add`), or change the bound in params.yaml"


@dataclass(frozen=True)
class Expectation:
    """One expectation; `kind` is its Great Expectations type without `expect_`."""

    name: str
    kind: str
    protects: str
    remedy: str
    options: dict[str, Any]
    severity: Severity = "error"


@dataclass(frozen=True)
class Suite:
    """The expectations on one data frame; `index` is the column that says where a fault is."""

    name: str
    asset: str
    index: str | None
    notes: str
    expectations: tuple[Expectation, ...]


def parameter(name: str) -> dict[str, str]:
    """Refer to a bound that is known at the time of the run."""
    return {"$PARAMETER": name}


_PANDAS_TYPES = {"string": "str", "double": "float64"}


def _schema_suite(table: str, schema: pa.Schema) -> Suite:
    protects = "Every later stage reads the tables by stages/common/tables.py"
    rows = Expectation(
        f"{table}.has_rows",
        "table_row_count_to_be_between",
        "An empty table passes any other expectation",
        "See which batches data/prepared/report.json counts",
        {"min_value": 1},
    )
    columns = Expectation(
        f"{table}.columns", "table_columns_to_match_ordered_list", protects, PREPARE, {"column_list": schema.names}
    )
    types = [
        Expectation(
            f"{table}.{field.name}_has_its_type",
            "column_values_to_be_of_type",
            protects,
            PREPARE,
            {"column": field.name, "type_": _PANDAS_TYPES.get(str(field.type), str(field.type))},
        )
        for field in schema
    ]
    known = [
        Expectation(
            f"{table}.{field.name}_is_not_null",
            "column_values_to_not_be_null",
            protects,
            PREPARE,
            {"column": field.name},
        )
        for field in schema
        if not field.nullable
    ]
    return Suite(
        f"{table}_schema",
        table,
        None,
        "The table as prepare wrote it, before anything else.",
        (columns, rows, *types, *known),
    )


def _in_one_split(name: str, column: str, protects: str) -> Expectation:
    return Expectation(
        f"documents.{name}_in_one_split",
        "column_values_to_be_between",
        protects,
        SPLIT,
        {"column": column, "max_value": 1},
    )


_DOCUMENTS = (
    Expectation(
        "documents.document_is_unique",
        "column_values_to_be_unique",
        "Tokens, mentions and predictions are joined by document",
        PREPARE,
        {"column": "document"},
    ),
    Expectation(
        "documents.public_name_is_unique",
        "column_values_to_be_unique",
        "metrics/documents.csv counts by public name: two documents of one name would be judged as one",
        PREPARE,
        {"column": "public_name"},
    ),
    Expectation(
        "documents.split_is_known",
        "column_values_to_be_in_set",
        "A document of another split would silently be left out",
        PREPARE,
        {"column": "split", "value_set": ["train", "dev", "test"]},
    ),
    Expectation(
        "documents.train_and_test_are_filled",
        "column_distinct_values_to_contain_set",
        "Nothing can be learned or judged without both; dev may be empty where batches fix their splits",
        "Change the salt or the shares in params.yaml, or add a batch",
        {"column": "split", "value_set": ["train", "test"]},
    ),
    _in_one_split("group", "group_splits", "Near duplicates share a group: across splits they inflate the test score"),
    _in_one_split(
        "text", "text_splits", "The same text (case and spacing aside) in two splits inflates the test score"
    ),
    _in_one_split(
        "near_duplicates",
        "near_splits",
        "Similar texts in two splits inflate the test score, whatever prepare's groups say",
    ),
    _in_one_split(
        "copied_text", "copied_splits", "A text that holds much of one of another split is known before it is judged"
    ),
    Expectation(
        "documents.has_tokens",
        "column_values_to_be_between",
        "A document without tokens teaches and tests nothing",
        "Look at the document in its batch: its text may be empty",
        {"column": "tokens", "min_value": 1},
        "warning",
    ),
    Expectation(
        "documents.seconds_are_plausible",
        "column_values_to_be_between",
        "The median of the measured times stands for the work by hand: a tab left open overnight measures nothing",
        "Look at the document's time in its export; a correction is a new batch",
        {"column": "seconds", "min_value": 1, "max_value": 4 * 3600},
        "warning",
    ),
)


def _offsets(table: str) -> tuple[Expectation, ...]:
    protects = "Spans are shown, scored and stored by their offsets"
    return (
        Expectation(
            f"{table}.document_exists",
            "column_values_to_not_be_null",
            "A row of no document is in no split",
            PREPARE,
            {"column": "characters"},
        ),
        Expectation(
            f"{table}.start_is_in_text",
            "column_values_to_be_between",
            protects,
            PREPARE,
            {"column": "start", "min_value": 0},
        ),
        Expectation(
            f"{table}.end_is_in_text",
            "column_pair_values_a_to_be_greater_than_b",
            protects,
            PREPARE,
            {
                "column_A": "characters",
                "column_B": "end",
                "or_equal": True,
                "ignore_row_if": "either_value_is_missing",
            },
        ),
        Expectation(
            f"{table}.end_is_after_start",
            "column_pair_values_a_to_be_greater_than_b",
            protects,
            PREPARE,
            {"column_A": "end", "column_B": "start"},
        ),
        Expectation(
            f"{table}.text_is_at_its_offsets",
            "column_values_to_be_in_set",
            "text[start:end] is the token or the mention: attributes and spans speak of the same characters",
            PREPARE,
            {"column": "text_is_there", "value_set": [True]},
        ),
    )


_TOKENS = (
    Expectation(
        "tokens.key_is_unique",
        "compound_columns_to_be_unique",
        "Attributes and tags are joined by document, sentence and token",
        PREPARE,
        {"column_list": ["document", "sentence", "token"]},
    ),
    Expectation(
        "tokens.tag_is_known",
        "column_values_to_be_in_set",
        "An unknown tag would be a class of its own to the tagger",
        PREPARE,
        {"column": "tag", "value_set": list(IOB2_TAGS)},
    ),
    Expectation(
        "tokens.tags_are_iob2",
        "tags_to_continue_mentions",
        "An inside tag that continues nothing is scored differently by different tools",
        PREPARE,
        {"column_list": ["document", "sentence", "tag"]},
    ),
    Expectation(
        "tokens.offsets_advance",
        "offsets_to_advance",
        "Tokens in reading order that do not overlap: context attributes and decoding rely on it",
        PREPARE,
        {"column_list": ["document", "start", "end"]},
    ),
    *_offsets("tokens"),
    Expectation(
        "tokens.tagged_span_is_a_mention",
        "column_values_to_be_in_set",
        "Training (tags) and scoring (mentions) use the same truth",
        PREPARE,
        {"column": "is_mention", "value_set": [True]},
    ),
    Expectation(
        "tokens.sentence_length",
        "column_values_to_be_between",
        "Very long sentences are usually tables, or missed sentence ends",
        "Look at the document: split it in the source, or raise validate.sentence_tokens",
        {"column": "sentence_tokens", "max_value": parameter("sentence_tokens")},
        "warning",
    ),
)

_MENTIONS = (
    Expectation(
        "mentions.key_is_unique",
        "compound_columns_to_be_unique",
        "A mention counted twice is scored twice",
        PREPARE,
        {"column_list": ["document", "start", "end"]},
    ),
    Expectation(
        "mentions.label_is_known",
        "column_values_to_be_in_set",
        "A label of another name is never predicted and always missed",
        "Map it in data/mapping/labels.csv or in the batch's batch.yaml",
        {"column": "label", "value_set": list(LABELS)},
    ),
    *_offsets("mentions"),
    Expectation(
        "mentions.aligned_mention_is_tagged",
        "column_values_to_be_in_set",
        "Training (tags) and scoring (mentions) use the same truth",
        PREPARE,
        {"column": "is_tagged", "value_set": [True]},
    ),
    Expectation(
        "mentions.are_aligned",
        "column_values_to_be_in_set",
        "A mention off the token boundaries can never be found: it is a ceiling on recall",
        "Correct the boundaries in the annotation tool (stray spaces, half words), or extend the tokenizer",
        {"column": "aligned", "value_set": [True], "mostly": parameter("aligned_share")},
        "warning",
    ),
)

_LABELS = (
    Expectation(
        "labels.share_is_in_bounds",
        "column_values_to_be_between",
        "A label that all but vanished is a sign of a broken mapping or a one-sided batch",
        ANNOTATE,
        {"column": "share", "min_value": parameter("lowest_share"), "max_value": parameter("highest_share")},
    ),
    Expectation(
        "labels.train_has_enough",
        "column_values_to_be_between",
        "A label with a handful of mentions is not learned",
        ANNOTATE,
        {"column": "train", "min_value": parameter("mentions_per_label")},
    ),
)

SCHEMAS = {"documents": DOCUMENTS, "tokens": TOKENS, "mentions": MENTIONS}

SUITES = (
    *(_schema_suite(*item) for item in SCHEMAS.items()),
    Suite("documents", "documents", "document", "One row per document; frames.py adds the counts.", _DOCUMENTS),
    Suite("tokens", "tokens", "document", "One row per token; frames.py looks each up in its text.", _TOKENS),
    Suite("mentions", "mentions", "document", "One row per mention; frames.py looks each up in its text.", _MENTIONS),
    Suite("labels", "labels", "label", "One row per label of the project.", _LABELS),
)
