"""What the gate expects of the rows: documents, tokens, mentions and labels."""

from __future__ import annotations

from stages.validate.definitions import ANNOTATE, PREPARE, SPLIT, Expectation, flag, parameter


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
        "context",
        "context_splits",
        "What is told in a context, such as an abbreviation, would carry over between splits",
    ),
    flag(
        "documents.context_is_of_neighbours",
        "context_is_near",
        "Abbreviations carry over within a context: between texts that are no neighbours they mean nothing",
    ),
    flag(
        "documents.batch_is_known",
        "batch_is_known",
        "A result is traced to its annotations by the batch, which the document is named after",
        "Restore data/annotations (`dvc checkout`), then `dvc repro prepare`",
    ),
    flag(
        "documents.fixed_split_is_kept",
        "split_is_kept",
        "A batch that was annotated to judge by must not be learned from",
    ),
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
        "documents.text_is_in_tokens",
        "column_values_to_be_null",
        "What is in no token is never learned, never found and never missed",
        PREPARE,
        {"column": "uncovered_at"},
    ),
    Expectation(
        "documents.has_tokens",
        "column_values_to_be_between",
        "A document without tokens teaches and tests nothing",
        "Look at the document in its batch: its text may be empty",
        {"column": "tokens", "min_value": 1},
        "warning",
    ),
    flag(
        "documents.seconds_are_a_time",
        "seconds_are_a_time",
        "One infinite or negative time makes the measured work by hand infinite or negative",
        "Look at the document's time in its export; where none was measured, there is none",
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
        flag(
            f"{table}.text_is_at_its_offsets",
            "text_is_there",
            "text[start:end] is the token or the mention: attributes and spans speak of the same characters",
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
        {"column": "tag", "value_set": parameter("tags")},
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
    flag(
        "tokens.numbers_advance",
        "is_numbered",
        "Sentences and contexts are read row by row: one that is missing, or out of its place, gives false neighbours",
    ),
    *_offsets("tokens"),
    flag(
        "tokens.are_the_tokenizers",
        "is_tokenized",
        "Production cuts text by the same rules: other tokens in training would be attributes that never come",
    ),
    flag("tokens.tagged_span_is_a_mention", "is_mention", "Training (tags) and scoring (mentions) use the same truth"),
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
        {"column": "label", "value_set": parameter("labels")},
    ),
    flag(
        "mentions.label_is_what_the_source_means",
        "label_is_mapped",
        "Labels that were swapped on the way are learned, and scored, as if they were true",
        "Compare data/mapping/labels.csv, or the batch's labels.csv, with what is meant; then `dvc repro prepare`",
    ),
    flag(
        "mentions.are_in_order",
        "is_in_order",
        "A mention that overlaps another, or stands out of its place, is counted with the wrong one",
    ),
    *_offsets("mentions"),
    flag(
        "mentions.have_no_blank_ends",
        "is_bare",
        "A mention with a blank at its end is never exactly found",
        "Mend the reader in stages/prepare/formats, which trims, and run `dvc repro prepare`",
    ),
    flag("mentions.mention_is_tagged", "is_tagged", "Training (tags) and scoring (mentions) use the same truth"),
    flag(
        "mentions.alignment_is_right",
        "alignment_is_right",
        "Mentions said to be off the token boundaries are counted as missed, whatever is found",
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
