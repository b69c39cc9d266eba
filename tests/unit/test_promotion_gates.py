from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.errors import DeliveryError
from delivery.registry.bounds import Bounds, read_bounds
from delivery.registry.comparing import comparing_gates
from delivery.registry.gate import Gate
from delivery.registry.gates import absolute_gates
from delivery.registry.registry import Entry
from delivery.registry.rescoring import Rescored, _counts, held_out
from delivery.rollback import earlier
from stages.common.annotated import write_annotated
from tests.repository import ROOT

BOUNDS = read_bounds((ROOT / "delivery/registry/gate.yaml").read_bytes(), "delivery/registry/gate.yaml")
METRICS: dict[str, Any] = {
    "validation.passed": True,
    "validation.errors": 0,
    "validation.warnings": 0,
    "evaluation.calibration.ece": 0.03,
    "evaluation.acceptance.promised": 0.95,
    "evaluation.acceptance.mentions": 0.5,
    "evaluation.acceptance.precision": 0.96,
    "behaviour.common_diseases.kind": "minimum functionality",
    "behaviour.common_diseases.cases": 40,
    "behaviour.common_diseases.passed": 40,
    "behaviour.common_diseases.rate": 1.0,
    "behaviour.upper_case.kind": "invariance",
    "behaviour.upper_case.cases": 100,
    "behaviour.upper_case.passed": 60,
    "behaviour.upper_case.rate": 0.6,
}


def counts(*, missed: int = 1, documents: int = 60, accepted: int = 2, every: int = 13) -> pd.DataFrame:
    """Return per document and label four found mentions, one wrong one, and `missed` in every second document.

    Of the mentions found some are accepted, one of them wrong in every so many documents.
    """
    rows = [
        (f"{document:04}", label, 5 - missed * (document % 2), 1, 1 + missed * (document % 2),
         accepted, max(0, accepted - (document % every == 0)))
        for document in range(documents)
        for label in ("Disease", "Treatment")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["document", "label", "tp", "fp", "fn", "accepted", "right"])


ALIKE = Rescored(counts(), counts(), 60, 0, ([1.0, 1.0, 1.0], [1.0, 1.1, 0.9]))


def by_name(gates: Iterator[Gate]) -> dict[str, Gate]:
    return {gate.name: gate for gate in gates}


def alone(table: pd.DataFrame | None = None, **changes: Any) -> dict[str, Gate]:
    metrics = METRICS | {key.replace("__", "."): value for key, value in changes.items()}
    table = counts() if table is None else table
    return by_name(absolute_gates({k: v for k, v in metrics.items() if v is not None}, table, BOUNDS))


def compared(rescored: Rescored = ALIKE, recorded: pd.DataFrame | None = None, **changes: Any) -> dict[str, Gate]:
    metrics = METRICS | {key.replace("__", "."): value for key, value in changes.items()}
    challenger = {key: value for key, value in metrics.items() if value is not None}
    return by_name(comparing_gates(challenger, METRICS, counts() if recorded is None else recorded, rescored, BOUNDS))


def refused(gates: dict[str, Gate]) -> set[str]:
    return {name for name, gate in gates.items() if gate.status == "refused"}


def test_a_good_model_passes() -> None:
    assert not refused(alone())
    assert not refused(compared())
    assert {gate.status for gate in compared().values()} == {"passed"}


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"validation__passed": False}, "validation"),
        ({"validation__passed": "true"}, "validation"),
        ({"evaluation__calibration__ece": 0.09}, "calibration"),
        ({"evaluation__calibration__ece": float("nan")}, "calibration"),
        ({"table": counts(every=4)}, "acceptance promise"),
        ({"table": counts(accepted=0)}, "acceptance promise"),
        ({"behaviour__common_diseases__rate": 0.89}, "minimum functionality"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_each_absolute_gate_refuses(change: dict[str, Any], gate: str) -> None:
    assert refused(alone(**change)) == {gate}


@pytest.mark.parametrize(
    ("missing", "gate"),
    [
        ("validation.passed", "validation"),
        ("evaluation.calibration.ece", "calibration"),
        ("evaluation.acceptance.promised", "acceptance promise"),
        ("behaviour.common_diseases.rate", "minimum functionality"),
    ],
)
def test_what_cannot_be_computed_refuses_and_says_what_to_do(missing: str, gate: str) -> None:
    metrics = METRICS | {missing: None}
    gates = by_name(absolute_gates(metrics, counts(), BOUNDS))
    assert refused(gates) == {gate}
    assert "dvc repro" in gates[gate].reason


ODD: list[Any] = [-5.0, 2.0, float("inf"), float("-inf"), "0.03", True, [], "x"]


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    ("name", "gate"),
    [
        ("evaluation.calibration.ece", "calibration"),
        ("evaluation.acceptance.promised", "acceptance promise"),
        ("behaviour.common_diseases.rate", "minimum functionality"),
    ],
)
def test_a_figure_that_is_no_share_is_missing(name: str, gate: str, value: Any) -> None:
    """Negative errors and rates of 200 % passed; others ended in a traceback."""
    gates = by_name(absolute_gates(METRICS | {name: value}, counts(), BOUNDS))
    assert refused(gates) == {gate}
    assert "dvc repro" in gates[gate].reason


@pytest.mark.parametrize(
    "table",
    [
        None,
        *(counts().drop(columns=name) for name in ("label", "tp", "accepted", "right")),
        *(counts().assign(right=value) for value in (-1, float("nan"), "x")),
        counts().assign(right=3),
        counts().assign(accepted=9),
        counts().assign(tp=1, fp=8),
    ],
    ids=[
        "no table",
        "no label",
        "no tp",
        "none accepted",
        "none right",
        "negative",
        "missing",
        "text",
        "more right than accepted",
        "more accepted than predicted",
        "more right than found",
    ],
)
def test_a_table_that_counts_nothing_is_missing(table: pd.DataFrame | None) -> None:
    gates = by_name(absolute_gates(METRICS, table, BOUNDS))
    assert refused(gates) == {"acceptance promise"}
    assert "dvc repro" in gates["acceptance promise"].reason


@pytest.mark.parametrize(
    "change",
    [{"passed": 101}, {"passed": -1}, {"passed": "60"}, {"cases": 1.5}, {"cases": True}, {"cases": -1}],
    ids=repr,
)
@pytest.mark.parametrize("side", ["challenger", "champion"])
def test_cases_that_cannot_be_are_not_compared(side: str, change: dict[str, Any]) -> None:
    odd = METRICS | {f"behaviour.upper_case.{column}": value for column, value in change.items()}
    new, old = (odd, METRICS) if side == "challenger" else (METRICS, odd)
    gates = by_name(comparing_gates(new, old, counts(), ALIKE, BOUNDS))
    assert refused(gates) == {"behaviour"}
    assert "upper_case" in gates["behaviour"].reason


def test_a_name_with_dots_is_a_capability_like_any_other() -> None:
    odd = METRICS | {"behaviour.common.diseases.kind": "minimum functionality", "behaviour.common.diseases.rate": 0.1}
    assert refused(by_name(absolute_gates(odd, counts(), BOUNDS))) == {"minimum functionality"}


def test_no_metrics_at_all_refuse_everything() -> None:
    gates = by_name(absolute_gates({}, None, BOUNDS))
    assert refused(gates) == set(gates)


def test_a_promise_is_not_broken_by_noise() -> None:
    assert alone(counts(every=9))["acceptance promise"].status == "passed"


def test_each_label_has_the_promise() -> None:
    """Overall the promise is kept: 0.96."""
    table = counts(every=4)
    table.loc[table["label"] == "Treatment", ["accepted", "right"]] = 4
    said = alone(table)["acceptance promise"]
    assert table["right"].sum() / table["accepted"].sum() > METRICS["evaluation.acceptance.promised"]
    assert said.status == "refused"
    assert "broken for Disease;" in said.reason


def test_errors_that_cluster_are_fewer_than_they_look() -> None:
    """Fifteen wrong ones of 120 break .95; sixteen of 128 that stand in four documents may be luck."""
    spread, clustered = counts(every=4), counts()
    clustered["right"] = clustered["accepted"]
    for label in ("Disease", "Treatment"):
        rows = clustered.index[clustered["label"] == label][:4]
        clustered.loc[rows, ["accepted", "right"]] = [4, 0]
    assert alone(spread)["acceptance promise"].status == "refused"
    assert alone(clustered)["acceptance promise"].status == "passed"


def test_accepting_nothing_is_refused_and_says_what_to_do() -> None:
    gate = alone(counts(accepted=0))["acceptance promise"]
    assert gate.status == "refused"
    assert gate.reason.startswith("nothing is accepted without a person: ")


def test_a_label_of_which_nothing_is_accepted_is_said() -> None:
    table = counts()
    table.loc[table["label"] == "Disease", ["accepted", "right"]] = 0
    gate = alone(table)["acceptance promise"]
    assert gate.status == "passed"
    assert gate.reason.startswith("Disease none accepted; Treatment 0.9")
    assert "; NOTHING OF Disease IS ACCEPTED: no threshold was shown to keep the promise" in gate.reason
    assert gate.numbers["accepts_nothing"] == ["Disease"]
    assert "NOTHING" not in alone()["acceptance promise"].reason


def test_a_label_that_no_test_document_names_is_not_said_to_be_silent() -> None:
    table = counts()
    table.loc[table["label"] == "Disease", ["tp", "fp", "fn", "accepted", "right"]] = 0
    assert "NOTHING" not in alone(table)["acceptance promise"].reason


@pytest.mark.parametrize(("documents", "status"), [(60, "refused"), (12, "passed")])
def test_a_threshold_that_no_mention_reaches_is_refused(documents: int, status: str) -> None:
    """In a dozen documents it may be luck."""
    table = counts()
    disease = table["label"] == "Disease"
    table.loc[disease, ["accepted", "right"]] = 0
    table.loc[disease & (table["document"] >= f"{documents:04}"), ["tp", "fp", "fn"]] = 0
    gate = alone(table, evaluation__acceptance__labels__Disease__threshold=0.9)["acceptance promise"]
    assert gate.status == status
    assert "NOTHING OF Disease IS ACCEPTED: no mention of the " in gate.reason


@pytest.mark.parametrize("label", ["Disease", "Treatment"])
def test_a_challenger_that_accepts_less_than_a_margin_allows_is_refused(label: str) -> None:
    less, nothing = counts(), counts()
    less.loc[(less["label"] == label) & (less["document"] < "0018"), ["accepted", "right"]] = 1
    nothing.loc[nothing["label"] == label, ["accepted", "right"]] = 0
    assert refused(compared(replace(ALIKE, challenger=less))) == set()
    gates = compared(replace(ALIKE, challenger=nothing))
    assert refused(gates) == {"accepted mentions"}
    assert f"{label}: a loss of 0.1 is not ruled out" in gates["accepted mentions"].reason


def test_of_a_rare_label_a_loss_of_accepted_mentions_must_be_shown() -> None:
    rare = counts()
    absent = (rare["label"] == "Disease") & (rare["document"] >= "0012")
    rare.loc[absent, ["tp", "fp", "fn", "accepted", "right"]] = 0
    unlucky, nothing = rare.copy(), rare.copy()
    unlucky.loc[unlucky.index[:4:2], ["accepted", "right"]] = 0
    nothing.loc[nothing["label"] == "Disease", ["accepted", "right"]] = 0
    said = [
        compared(replace(ALIKE, champion=rare, challenger=table), recorded=rare)["accepted mentions"]
        for table in (unlucky, nothing)
    ]
    assert [gate.status for gate in said] == ["passed", "refused"]
    assert "Disease: 0.33 less, beyond noise" in said[1].reason


def test_without_a_champion_nothing_is_compared() -> None:
    gates = by_name(comparing_gates(METRICS, None, None, None, BOUNDS))
    assert {gate.status for gate in gates.values()} == {"no champion yet"}


def test_a_worse_model_is_refused_overall_and_by_label() -> None:
    worse = replace(ALIKE, challenger=counts(missed=3))
    assert refused(compared(worse)) == {
        "strict F1, all labels",
        "strict F1, Disease",
        "strict F1, Treatment",
    }


def test_one_worse_label_is_enough() -> None:
    mixed = counts()
    mixed[mixed["label"] == "Disease"] = counts(missed=3)[counts()["label"] == "Disease"]
    gates = compared(replace(ALIKE, challenger=mixed))
    assert "strict F1, Disease" in refused(gates)
    assert gates["strict F1, Treatment"].numbers["difference"] == 0  # each label by its own mentions


def test_a_loss_that_is_measured_is_refused_however_small() -> None:
    """Bit by bit it would add up."""
    bit = counts()
    bit.loc[0, ["tp", "fn"]] -= [1, -1]
    gates = compared(replace(ALIKE, challenger=bit))
    assert refused(gates) == {"strict F1, all labels"}
    assert gates["strict F1, all labels"].reason.endswith(": measured worse than the champion")
    assert gates["strict F1, all labels"].numbers["low"] > -BOUNDS.margin


def test_a_gain_that_may_be_a_loss_is_refused() -> None:
    """31 documents are found better and 29 worse, each by half of its mentions."""
    half = counts().assign(tp=3, fp=1, fn=3, accepted=0, right=0)
    luck = half.copy()
    luck["tp"] = np.where(luck["document"] < "0031", 6, 0)
    luck["fn"] = 6 - luck["tp"]
    gates = compared(replace(ALIKE, champion=half, challenger=luck), recorded=half)
    assert gates["strict F1, all labels"].numbers["difference"] > 0
    assert "strict F1, all labels" in refused(gates)
    assert gates["strict F1, all labels"].reason.endswith(": a loss of 0.02 is not ruled out")


def test_of_a_rare_label_no_loss_need_be_ruled_out_but_none_may_be_shown() -> None:
    """Nobody could rule one out with a dozen documents; such a label would hold every challenger up for ever."""
    rare = counts()
    absent = (rare["label"] == "Disease") & (rare["document"] >= "0012")
    rare.loc[absent, ["tp", "fp", "fn", "accepted", "right"]] = 0
    unlucky, worse = rare.copy(), rare.copy()
    unlucky.loc[unlucky.index[:6:2], ["tp", "fn"]] += [-2, 2]
    unlucky.loc[unlucky.index[6:24:2], ["tp", "fn"]] += [1, -1]
    unlucky.loc[unlucky["label"] == "Treatment", ["tp", "fn"]] += [1, -1]
    worse.loc[worse.index[:24:2], ["tp", "fn"]] += [-2, 2]
    worse.loc[worse["label"] == "Treatment", ["tp", "fn"]] += [1, -1]
    said = [
        compared(replace(ALIKE, champion=rare, challenger=table), recorded=rare)["strict F1, Disease"]
        for table in (unlucky, worse)
    ]
    assert [gate.status for gate in said] == ["passed", "refused"]
    assert said[0].reason.endswith(": too few documents name it to rule out a loss")
    assert said[1].reason.endswith(": worse beyond noise")


def test_a_better_model_passes() -> None:
    assert not refused(compared(replace(ALIKE, challenger=counts(missed=0))))


def test_a_slow_model_is_refused() -> None:
    assert refused(compared(replace(ALIKE, seconds=([1.0, 1.0, 1.0], [1.3, 1.3, 0.5])))) == {"throughput"}


def test_too_few_documents_are_no_comparison() -> None:
    assert refused(compared(replace(ALIKE, documents=29))) == {"test documents"}


def test_a_champion_that_broke_in_this_environment_lowers_no_bar() -> None:
    assert "champion as recorded" in refused(compared(replace(ALIKE, champion=counts(missed=3))))
    assert "champion as recorded" in refused(
        by_name(comparing_gates(METRICS, METRICS, None, ALIKE, BOUNDS)),
    )


def test_a_behaviour_that_is_worse_beyond_noise_refuses() -> None:
    assert refused(compared(behaviour__upper_case__passed=30, behaviour__upper_case__rate=0.3)) == {"behaviour"}
    assert not refused(compared(behaviour__upper_case__passed=55, behaviour__upper_case__rate=0.55))


def test_a_behaviour_that_is_no_longer_tested_refuses() -> None:
    gates = compared(behaviour__upper_case__cases=0, behaviour__upper_case__rate=None)
    assert gates["behaviour"].reason.startswith("no longer tested: upper_case;")
    assert gates["behaviour"].status == "refused"


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_a_model_is_never_worse_than_itself(seed: int) -> None:
    table = counts()
    table[["tp", "fp", "fn", "accepted"]] = np.random.default_rng(seed).integers(0, 6, size=(len(table), 4))
    same = replace(ALIKE, champion=table, challenger=table)
    assert not refused(compared(same, recorded=table))


def test_bounds_with_a_misspelt_or_missing_key_are_refused() -> None:
    misspelt = (ROOT / "delivery/registry/gate.yaml").read_bytes().replace(b"throughput:", b"throughptu:")
    with pytest.raises(DeliveryError, match="throughput: Field required; throughptu: Extra inputs"):
        read_bounds(misspelt, "gate.yaml")
    assert isinstance(BOUNDS, Bounds)


def test_documents_that_the_challenger_learned_from_are_left_out(tmp_path: Path) -> None:
    for name, splits in (("champion", ["test", "test", "train"]), ("challenger", ["train", "test", "test"])):
        (tmp_path / name).mkdir()
        texts = ["Gout.", "Asthma. ", "Iritis."] if name == "champion" else ["gout. ", "Asthma.", "Iritis."]
        frame = pd.DataFrame({"document": ["a", "b", "c"], "split": splits, "text": texts, "note_type": None})
        frame.to_parquet(tmp_path / name / "documents.parquet")
        pd.DataFrame({"document": [], "start": [], "end": [], "label": []}).to_parquet(
            tmp_path / name / "mentions.parquet"
        )
    found = held_out(tmp_path / "champion", tmp_path / "challenger")
    assert found.documents["document"].tolist() == ["b"]
    assert found.left_out == 1
    assert found.annotated == {}  # commits from before batches said what they annotate


def test_labels_that_nobody_looked_for_decide_no_promotion(tmp_path: Path) -> None:
    for name in ("champion", "challenger"):
        frame = pd.DataFrame({"document": ["ncbi/a"], "split": "test", "text": ["Gout, aspirin."], "note_type": None})
        (tmp_path / name).mkdir()
        frame.to_parquet(tmp_path / name / "documents.parquet")
        gold = pd.DataFrame({"document": ["ncbi/a"], "start": [0], "end": [4], "label": ["Disease"]})
        gold.to_parquet(tmp_path / name / "mentions.parquet")
        write_annotated(tmp_path / name, {"ncbi": ["Disease"]})
    test = held_out(tmp_path / "champion", tmp_path / "challenger")
    counts = _counts([[(0, 4, "Disease", 0.9, True), (6, 13, "Treatment", 0.9, True)]], test)
    assert counts[["tp", "fp", "fn", "accepted", "right"]].sum().tolist() == [1, 0, 0, 1, 1]


def story(*events: tuple[str, int, int | None]) -> list[Entry]:
    return [Entry(i, event, version, before, "", []) for i, (event, version, before) in enumerate(events, 1)]  # type: ignore[arg-type]


def test_a_rollback_goes_to_the_champion_before() -> None:
    entries = story(("promoted", 1, None), ("promoted", 2, 1), ("refused", 3, 2), ("promoted", 4, 2))
    assert earlier(entries, 4, None) == 2


def test_two_rollbacks_go_back_two_promotions() -> None:
    entries = story(("promoted", 1, None), ("promoted", 2, 1), ("promoted", 3, 2), ("rolled back", 2, 3))
    assert earlier(entries, 2, None) == 1


def test_a_promotion_that_was_interrupted_is_nothing_to_go_back_to() -> None:
    entries = story(("promoted", 1, None), ("promoted", 2, 1), ("promoted", 3, 1))  # 2 never got its alias
    assert earlier(entries, 3, None) == 1


@pytest.mark.parametrize(
    ("champion", "to", "message"),
    [(1, None, "replaced no champion"), (1, 3, "never champion"), (1, 1, "champion already"), (7, None, "replaced no")],
)
def test_a_rollback_to_nothing_is_refused(champion: int, to: int | None, message: str) -> None:
    entries = story(("promoted", 1, None), ("promoted", 2, 1), ("refused", 3, 2), ("rolled back", 1, 2))
    with pytest.raises(DeliveryError, match=message):
        earlier(entries, champion, to)
    assert earlier(entries, champion, 2) == 2
