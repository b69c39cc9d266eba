"""The suites of the gate, each expectation with what it asks, what it protects, how bad it is, what to do.

Plain data; `suites.py` writes it as Great Expectations JSON. Bounds that a person may turn are
`$PARAMETER`s, filled from `params.yaml` at each run.
"""

from __future__ import annotations

import pyarrow as pa

from stages.common.tables import DOCUMENTS, MENTIONS, TOKENS
from stages.validate.contents import ON_DOCUMENTS, ON_LABELS, ON_MENTIONS, ON_TOKENS
from stages.validate.definitions import PREPARE, Expectation, Suite
from stages.validate.inference import ON_INFERENCE

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
        (),
        "The table as prepare wrote it, before anything else.",
        (columns, rows, *types, *known),
    )


SCHEMAS = {"documents": DOCUMENTS, "tokens": TOKENS, "mentions": MENTIONS}

SUITES = (
    *(_schema_suite(*item) for item in SCHEMAS.items()),
    Suite(
        "documents",
        "documents",
        ("document", "uncovered_at"),
        "One row per document; frames.py adds the counts.",
        ON_DOCUMENTS,
    ),
    Suite(
        "tokens", "tokens", ("document", "start"), "One row per token; frames.py looks each up in its text.", ON_TOKENS
    ),
    Suite(
        "mentions",
        "mentions",
        ("document", "start"),
        "One row per mention; frames.py looks each up in its text.",
        ON_MENTIONS,
    ),
    Suite("labels", "labels", ("label",), "One row per label of the project.", ON_LABELS),
)

INFERENCE = Suite(
    "inference",
    "inference",
    ("document",),
    "One row per note that is to be looked at in production; production/inference/encode_data.py describes it.",
    ON_INFERENCE,
)
"""What the model is asked about: no suite of the gate, `python -m production.check` runs it."""

PROJECT = (*SUITES, INFERENCE)
"""All suites of the Great Expectations project."""
