"""What `delivery.promote --plan` says holds when models are really compared by the gates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.verdicts.simulated import Corpus, counts_table
from delivery import promote
from delivery.errors import DeliveryError
from delivery.registry.comparing import lower_score, score_difference
from delivery.registry.planning import CORRELATIONS, Spread, acceptance_rate, documents_needed, plan, plan_in_words
from tests.repository import ROOT
from tests.unit.test_promotion_gates import BOUNDS

DOCUMENTS = 60
FEW = BOUNDS.model_copy(update={"resamples": 200})


def pair(seed: int, change: float, chance: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    corpus = Corpus.drawn(DOCUMENTS, generator)
    return tuple(corpus.counts(0.85 + gain, chance, generator) for gain in (0.0, change))  # type: ignore[return-value]


@pytest.mark.parametrize("change", [0.01, -0.01])
def test_a_plan_says_how_often_a_challenger_passes(change: float) -> None:
    old, new = pair(0, 0.0)
    rates = [
        acceptance_rate(Spread.measured(counts_table(a), counts_table(b)), DOCUMENTS, change, FEW)
        for a, b in (pair(seed, 0.0) for seed in range(12))
    ]
    passed = []
    for seed in range(150):
        old, new = pair(1000 + seed, change)
        found = score_difference(old.sum(1), new.sum(1), FEW)
        labels = [score_difference(old[:, label], new[:, label], FEW) for label in (0, 1)]
        faults = [lower_score(found, FEW, of_label=False, enough=True)]
        passed.append(not any([*faults, *(lower_score(each, FEW, of_label=True, enough=True) for each in labels)]))
    assert np.mean(rates) == pytest.approx(np.mean(passed), abs=0.12)  # 3 standard errors of 150 pairs


def test_documents_needed_are_the_fewest_that_do() -> None:
    spread = Spread.expected(counts_table(pair(3, 0.0)[0]), 0.7)
    needed = documents_needed(spread, 0.01, FEW)
    assert needed is not None
    assert FEW.minimum_documents < needed < 2000
    assert acceptance_rate(spread, needed, 0.01, FEW) >= 0.8 > acceptance_rate(spread, needed - 1, 0.01, FEW)


def test_what_no_number_of_documents_could_show_is_said() -> None:
    spread = Spread.expected(counts_table(pair(3, 0.0)[0]), 0.7)
    assert documents_needed(spread, -0.05, FEW) is None
    assert documents_needed(replace(spread, covariance=spread.covariance * 0), 0.01, FEW) == FEW.minimum_documents


def test_models_that_are_less_alike_need_more_documents() -> None:
    table = plan(counts_table(pair(5, 0.0)[0]), {}, FEW)
    assert table["challenger"].tolist() == list(CORRELATIONS)
    assert table["error"].is_monotonic_increasing
    assert table["documents_one_point"].is_monotonic_increasing
    assert table["gain_accepted"].is_monotonic_decreasing
    assert (table["loss_refused"] >= 0.9).all()
    assert (table["documents_two_points"] <= table["documents_one_point"]).all()


def test_two_models_that_were_both_scored_are_measured() -> None:
    old, new = (counts_table(side) for side in pair(7, 0.0))
    table = plan(old, {"version 2, measured": new}, FEW)
    expected = 100 * Spread.measured(old, new).of_a_document / np.sqrt(DOCUMENTS)
    assert table.iloc[-1][["challenger", "error"]].tolist() == ["version 2, measured", pytest.approx(expected)]


def test_one_label_and_a_label_that_nobody_named_are_no_hindrance() -> None:
    table = counts_table(pair(9, 0.0)[0])
    one = table[table["label"] == table["label"].iloc[0]]
    none = pd.concat([one, one.assign(label="Never", tp=0, fp=0, fn=0)])
    for counts in (one, none):
        assert documents_needed(Spread.expected(counts, 0.9), 0.02, FEW) is not None


def test_a_plan_in_words() -> None:
    table = plan(counts_table(pair(5, 0.0)[0]), {}, FEW)
    table.loc[0, "documents_two_points"] = pd.NA
    lines = list(plan_in_words(table, FEW))
    assert len(lines) == 1 + len(CORRELATIONS)
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split("  ")[0] == "challenger"
    assert "-2 refused" in lines[0]
    assert lines[1].endswith("beyond 20,000")
    assert lines[2].endswith(" documents")


def test_without_a_champion_the_plan_is_by_what_is_checked_out(capsys: pytest.CaptureFixture[str]) -> None:
    lines = list(promote.planned(ROOT, None, FEW))
    assert lines[0].startswith("no champion yet; what is checked out has 119 test documents")
    assert len(lines) == 2 + len(CORRELATIONS)


def test_without_counts_there_is_nothing_to_plan_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promote.Revision, "document_counts", lambda _: None)
    with pytest.raises(DeliveryError, match=r"there is no metrics/documents\.csv to plan by"):
        list(promote.planned(ROOT, None, FEW))


def test_fewer_documents_than_a_comparison_needs_pass_nobody() -> None:
    spread = Spread.expected(counts_table(pair(3, 0.0)[0]), 0.95)
    assert acceptance_rate(spread, FEW.minimum_documents, 0.02, FEW) > 0.8
    assert acceptance_rate(spread, FEW.minimum_documents - 1, 0.02, FEW) == 0


def test_no_number_is_told_that_the_minimum_refuses() -> None:
    spread = Spread.expected(counts_table(pair(3, 0.0)[0]), 0.95)
    assert documents_needed(spread, 0.02, FEW.model_copy(update={"minimum_documents": 30_000})) is None


@pytest.mark.parametrize("documents", [1, 2])
def test_one_document_is_nothing_to_plan_by(documents: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = counts_table(pair(5, 0.0)[0])
    few = table[table["document"].isin(sorted(set(table["document"]))[:documents])]
    monkeypatch.setattr(promote.Revision, "document_counts", lambda _: few)
    if documents > 1:
        assert len(list(promote.planned(ROOT, None, FEW))) == 2 + len(CORRELATIONS)
        return
    with pytest.raises(DeliveryError, match="1 test document says nothing of how much documents differ"):
        list(promote.planned(ROOT, None, FEW))


def test_a_champion_without_an_error_is_nothing_to_plan_by(monkeypatch: pytest.MonkeyPatch) -> None:
    perfect = counts_table(pair(5, 0.0)[0]).assign(fp=0, fn=0)
    monkeypatch.setattr(promote.Revision, "document_counts", lambda _: perfect)
    with pytest.raises(DeliveryError, match="60 test documents say nothing of how much documents differ"):
        list(promote.planned(ROOT, None, FEW))


def test_a_plan_is_of_no_version(capsys: pytest.CaptureFixture[str]) -> None:
    """It was ignored, whatever the number."""
    with pytest.raises(SystemExit) as ended:
        promote.main(["--plan", "--version", "999"])
    assert ended.value.code == 2
    assert "--plan is about the champion's test documents, and takes no --version" in capsys.readouterr().err
