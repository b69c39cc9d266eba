"""What the gate expects of the rows: documents, tokens, mentions and labels."""

from __future__ import annotations

from stages.common.tags import IOB2_TAGS, LABELS
from stages.validate.definitions import ANNOTATE, PREPARE, SPLIT, Expectation, parameter


def _in_one_split(name: str, column: str, protects: str) -> Expectation:
    return Expectation(
        f"documents.{name}_in_one_split",
        "column_values_to_be_between",
        protects,
        SPLIT,
        {"column": column, "max_value": 1},
    )


ON_DOCUMENTS = (
    Expectation(
        "documents.document_is_unique",
        "column_values_to_be_unique",
        "Tokens, mentions and predictions are joined by document",
        PREPARE,
        {"column": "document"},
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


ON_TOKENS = (
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

ON_MENTIONS = (
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

ON_LABELS = (
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
