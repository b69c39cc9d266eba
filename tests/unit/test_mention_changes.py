"""Mentions won and lost, from predictions; and what is said where they cannot be read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from delivery.changes.mentions import KINDS, SPAN, mention_changes
from delivery.rendering.sections import Report, render
from delivery.revision.dvc_files import DOCUMENTS, MENTIONS, PREDICTIONS, DvcFiles, NotReadableError
from delivery.revision.revision import workspace
from stages.common.files import write_table
from stages.common.tables import PREDICTIONS as PREDICTIONS_SCHEMA
from tests.commits import documents, write_metrics
from tests.repository import Repository
from tests.unit.test_report import changes, repository  # noqa: F401  # a fixture

TEXT = "Known gout. Gout flare, given colchicine and rest; no gout in the family. " * 2
GOUT, FLARE, DRUG = (6, 10, "Disease"), (12, 22, "Disease"), (30, 40, "Treatment")


class Tables(DvcFiles):
    """Predictions as given."""

    def __init__(self, gold: set, predicted: set, split: str = "test", document: str = "a/1") -> None:
        texts = [(document, split, TEXT), ("a/other", "train", TEXT)]
        self._tables = {
            DOCUMENTS: pd.DataFrame(texts, columns=["document", "split", "text"]),
            MENTIONS: self._spans(gold, document),
            PREDICTIONS: self._spans(predicted, document),
        }

    def table(self, path: str, columns: list[str] | None = None) -> pd.DataFrame:
        return self._tables[path][columns or SPAN]

    @staticmethod
    def _spans(spans: set, document: str) -> pd.DataFrame:
        return pd.DataFrame([(document, *span) for span in [*spans, (0, 5, "Disease")]], columns=SPAN)


def kinds(old: Tables, new: Tables) -> dict[str, set]:
    rows = mention_changes(old, new).rows
    return {kind: set(rows[rows["kind"] == kind][SPAN[1:]].itertuples(index=False, name=None)) for kind in KINDS}


def test_mentions_are_won_and_lost_and_alarms_come_and_go() -> None:
    gold = {GOUT, FLARE}
    found = kinds(Tables(gold, {GOUT, DRUG}), Tables(gold, {FLARE, (30, 36, "Treatment")}))
    assert found == {"won": {FLARE}, "lost": {GOUT}, "alarm gone": {DRUG}, "new alarm": {(30, 36, "Treatment")}}


def test_a_mention_that_only_one_revision_annotates_is_neither_won_nor_an_alarm() -> None:
    assert kinds(Tables({GOUT}, {GOUT}), Tables({GOUT, FLARE}, {GOUT, FLARE})) == {kind: set() for kind in KINDS}


def test_only_test_documents_of_both_count() -> None:
    new = Tables({GOUT}, {GOUT, DRUG})
    assert kinds(Tables({GOUT}, {GOUT}, split="dev"), new) == {kind: set() for kind in KINDS}
    assert kinds(Tables({GOUT}, {GOUT}, document="a/2"), new) == {kind: set() for kind in KINDS}


def test_examples_show_the_mention_where_it_stands() -> None:
    row = mention_changes(Tables({FLARE}, set()), Tables({FLARE}, {FLARE})).rows.iloc[0]
    assert row["text"] == "Gout flare"
    assert row["before"] + row["text"] + row["after"] in TEXT


def test_the_report_counts_them_exactly_and_shows_them_only_when_asked(repository: Repository) -> None:  # noqa: F811
    found = mention_changes(Tables({FLARE, DRUG}, set()), Tables({FLARE, DRUG}, {FLARE}))
    text = render(Report(changes(repository), found))
    assert "Mention by mention" in text
    assert "| `Disease`   |     1 |      0 |            0 |           0 |" in text
    assert "flare" not in text
    assert "Gout flare" in render(Report(changes(repository), found, examples=True))


def test_a_label_that_only_one_revision_looks_for_is_neither_won_nor_an_alarm(repository: Repository) -> None:  # noqa: F811
    write_metrics(repository.root, {"Disease": documents(40)})  # treatments are given up
    found = mention_changes(Tables({FLARE, DRUG}, {DRUG, (30, 36, "Treatment")}), Tables({FLARE}, {FLARE}))
    text = render(Report(changes(repository), found, examples=True)).split("Mentions won and lost")[1]
    section = text.split("</details>")[0]
    assert "| `Disease`" in section
    assert "Treatment" not in section


def test_without_a_common_document_no_mention_is_compared(repository: Repository) -> None:  # noqa: F811
    write_metrics(repository.root, {label: documents(40, first=1000) for label in ("Disease", "Treatment")})
    text = render(Report(changes(repository), mention_changes(Tables(set(), set()), Tables(set(), set()))))
    assert "None in common" in text
    assert "Mentions won and lost" not in text


def test_the_workspace_is_read_as_it_lies(tmp_path: Path) -> None:
    predicted = pd.DataFrame([("a/1", 6, 10, "gout", "Disease", 0.9)], columns=PREDICTIONS_SCHEMA.names)
    write_table(tmp_path / PREDICTIONS, predicted, PREDICTIONS_SCHEMA)
    (tmp_path / "data/annotations/seed").mkdir(parents=True)
    here = DvcFiles(workspace(tmp_path))
    assert here.table(PREDICTIONS, SPAN).values.tolist() == [["a/1", 6, 10, "Disease"]]
    assert here.batches() == ["seed"]


def test_git_only_reads_nothing(tmp_path: Path) -> None:
    here = DvcFiles(workspace(tmp_path), git_only=True)
    with pytest.raises(NotReadableError, match="--git-only"):
        here.table(PREDICTIONS)
    with pytest.raises(NotReadableError, match="--git-only"):
        here.batches()


def test_what_is_no_dvc_repository_is_not_readable_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        NotReadableError, match=r"predictions/predictions\.parquet of workspace cannot be read here \(.+\)"
    ):
        DvcFiles(workspace(tmp_path)).table(PREDICTIONS)
