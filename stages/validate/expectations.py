"""The two expectations that compare a row with the one before it. Imports Great Expectations: load it late."""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (
    multicolumn_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_map_metric_provider import (
    MulticolumnMapMetricProvider,
)


def continues_mentions(rows: pd.DataFrame) -> pd.Series:
    """Tell for each row of (document, sentence, tag) whether its tag is an inside tag only after its like."""
    document, sentence, tag = (rows.iloc[:, place] for place in range(3))
    follows = (document == document.shift()) & (sentence == sentence.shift())
    previous = tag.shift(fill_value="O")
    continues = follows & previous.str[:2].isin(["B-", "I-"]) & (previous.str[2:] == tag.str[2:])
    return ~tag.str.startswith("I-") | continues


class TagsContinueMentions(MulticolumnMapMetricProvider):
    """Rows of (document, sentence, tag) in reading order that are valid IOB2."""

    condition_metric_name = "multicolumn_values.tags_continue_mentions"
    condition_value_keys = ()

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: Any) -> pd.Series:  # noqa: N805
        return continues_mentions(column_list)


class ExpectTagsToContinueMentions(MulticolumnMapExpectation):
    """Expect every inside tag to continue a mention of its own label in its own sentence (IOB2)."""

    map_metric: ClassVar[str] = "multicolumn_values.tags_continue_mentions"


class OffsetsAdvance(MulticolumnMapMetricProvider):
    """Rows of (document, start, end) in which no row starts before the last one of its document ended."""

    condition_metric_name = "multicolumn_values.offsets_advance"
    condition_value_keys = ()

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: Any) -> pd.Series:  # noqa: N805
        document, start, end = (column_list.iloc[:, place] for place in range(3))
        return (document != document.shift()) | (start >= end.shift())


class ExpectOffsetsToAdvance(MulticolumnMapExpectation):
    """Expect the spans of each document to stand in order and not to overlap."""

    map_metric: ClassVar[str] = "multicolumn_values.offsets_advance"
