"""Every word and number of the promotion's gates, situation by situation. Renew them with `GOLDEN=1 pytest`."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import astuple, replace
from typing import Any

import pandas as pd
import pytest

from delivery.errors import DeliveryError
from delivery.registry.bounds import read_bounds
from delivery.registry.comparing import comparing_gates, not_computed
from delivery.registry.gate import Gate
from delivery.registry.gates import absolute_gates
from delivery.registry.measured import behaviour_table
from tests.repository import ROOT
from tests.unit.test_promotion_gates import ALIKE, BOUNDS, METRICS, counts

GOLDEN = ROOT / "tests/golden/gates.json"


def with_metrics(**changes: Any) -> dict[str, Any]:
    return METRICS | {key.replace("__", "."): value for key, value in changes.items()}


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in METRICS.items() if key not in keys}


def absolute(metrics: dict[str, Any], table: pd.DataFrame | None = None) -> list[Gate]:
    return list(absolute_gates(metrics, counts() if table is None else table, BOUNDS))


def compared(**changes: Any) -> list[Gate]:
    arguments: dict[str, Any] = {"challenger": METRICS, "champion": METRICS, "recorded": counts(), "rescored": ALIKE}
    return list(comparing_gates(**{**arguments, **changes}, bounds=BOUNDS))


def only_treatments() -> pd.DataFrame:
    table = counts()
    table.loc[table["label"] == "Disease", ["accepted", "right"]] = 0
    return table


WEAK = with_metrics(behaviour__common_diseases__passed=32, behaviour__common_diseases__rate=0.8)
EDGE = with_metrics(
    evaluation__calibration__ece=BOUNDS.calibration_error,
    behaviour__common_diseases__rate=BOUNDS.minimum_functionality,
)
HARSH = with_metrics(behaviour__upper_case__passed=30, behaviour__upper_case__rate=0.3)
UNTESTED = with_metrics(behaviour__upper_case__cases=0)
NONE_TESTED = {key: value for key, value in METRICS.items() if not key.startswith("behaviour.")}
FEW = replace(ALIKE, documents=BOUNDS.minimum_documents - 1, left_out=7)

KIND = "minimum functionality"

SITUATIONS: dict[str, Callable[[], list[Gate]]] = {
    "a good model": lambda: absolute(METRICS),
    "on its bounds": lambda: absolute(EDGE),
    "the data failed the gate": lambda: absolute(with_metrics(validation__passed=False, validation__errors=3)),
    "the data's gate is unknown": lambda: absolute(without("validation.passed")),
    "badly calibrated": lambda: absolute(with_metrics(evaluation__calibration__ece=0.0912)),
    "calibration unknown": lambda: absolute(without("evaluation.calibration.ece")),
    "a broken promise": lambda: absolute(METRICS, counts(every=4)),
    "a promise that noise explains": lambda: absolute(METRICS, counts(every=9)),
    "nothing accepted": lambda: absolute(METRICS, counts(accepted=0)),
    "nothing accepted of a label": lambda: absolute(METRICS, only_treatments()),
    "accepted mentions not counted": lambda: absolute(METRICS, counts().drop(columns="accepted")),
    "nothing promised": lambda: absolute(without("evaluation.acceptance.promised")),
    "a weak capability": lambda: absolute(WEAK),
    "two weak capabilities": lambda: absolute(
        {**WEAK, **{f"behaviour.rare.{key}": value for key, value in row(10, 5).items()}, "behaviour.rare.kind": KIND}
    ),
    "a capability without a rate": lambda: absolute(with_metrics(behaviour__common_diseases__rate=None)),
    "no capabilities": lambda: absolute(NONE_TESTED),
    "refused without a model": lambda: list(
        not_computed(absolute(with_metrics(validation__passed=False, evaluation__calibration__ece=0.0912)))
    ),
    "no champion": lambda: compared(champion=None),
    "champion not rescored": lambda: compared(rescored=None),
    "the same model": compared,
    "worse": lambda: compared(rescored=replace(ALIKE, challenger=counts(missed=3))),
    "better": lambda: compared(rescored=replace(ALIKE, challenger=counts(missed=0))),
    "too few documents": lambda: compared(rescored=FEW),
    "just enough documents": lambda: compared(rescored=replace(FEW, documents=BOUNDS.minimum_documents)),
    "no documents": lambda: compared(rescored=replace(ALIKE, documents=0)),
    "accepts less": lambda: compared(rescored=replace(ALIKE, challenger=counts(accepted=1))),
    "accepts nothing of a label": lambda: compared(rescored=replace(ALIKE, challenger=only_treatments())),
    "champion broken": lambda: compared(rescored=replace(ALIKE, champion=counts(missed=3))),
    "champion not recorded": lambda: compared(recorded=None),
    "slow": lambda: compared(rescored=replace(ALIKE, seconds=([1.0, 1.0], [2.0, 2.0]))),
    "behaves worse": lambda: compared(challenger=HARSH),
    "behaves better": lambda: compared(champion=HARSH),
    "a capability no longer tested": lambda: compared(challenger=UNTESTED),
    "a capability not tested before": lambda: compared(champion=UNTESTED),
    "champion's behaviour unknown": lambda: compared(champion=NONE_TESTED),
}


def plain(gates: Iterable[Gate]) -> Any:
    """Return gates as JSON has them, numbers to nine significant digits."""
    return json.loads(
        json.dumps([astuple(gate) for gate in gates]), parse_float=lambda text: float(f"{float(text):.9g}")
    )


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_the_gates_say(situation: str) -> None:
    if os.environ.get("GOLDEN"):
        text = json.dumps({name: plain(gates()) for name, gates in SITUATIONS.items()}, indent=1)
        GOLDEN.write_text(text + "\n", encoding="utf-8")
    assert plain(SITUATIONS[situation]()) == json.loads(GOLDEN.read_text(encoding="utf-8"))[situation]


def test_the_worst_of_many_behaviours_must_be_surer_than_the_next() -> None:
    """Holm: 60 to 46 of 100 alone is worse (p = .033 < .05), among ten it is not."""
    alone = {f"behaviour.one.{key}": value for key, value in row(100, 60).items()}
    many = {f"behaviour.c{n}.{key}": value for n in range(9) for key, value in row(100, 60).items()} | alone
    worse = {f"behaviour.one.{key}": value for key, value in row(100, 46).items()}
    said = [compared(champion=old, challenger=old | worse)[-1].status for old in (alone, many)]
    assert said == ["refused", "passed"]


def test_what_follows_a_behaviour_that_may_be_noise_is_not_judged() -> None:
    old = {f"behaviour.{name}.{key}": value for name in "ab" for key, value in row(100, 60).items()}
    new = {f"behaviour.a.{key}": value for key, value in row(100, 20).items()}
    new |= {f"behaviour.b.{key}": value for key, value in row(100, 46).items()}
    gate = compared(champion=old, challenger=new)[-1]
    assert gate.status == "refused"
    assert "a 0.60 -> 0.20, b 0.60 -> 0.46" in gate.reason  # the second at twice the level of the first


def row(cases: int, passed: int) -> dict[str, Any]:
    return {"kind": "invariance", "cases": cases, "passed": passed, "rate": passed / cases}


def test_behaviour_is_read_from_flat_metrics() -> None:
    assert behaviour_table({"behaviour.a.rate": 0.5, "behaviour.a.cases": 4, "kpi.x": 1}) == {
        "a": {"rate": 0.5, "cases": 4}
    }


def test_bounds_that_are_no_text_or_no_mapping_are_refused_by_name() -> None:
    for content, said in ((b"\xff", "ReaderError"), (b"a: [", "ParserError"), (b"[1]", "the file: ")):
        with pytest.raises(DeliveryError, match=f"^gate.yaml.*{said}"):
            read_bounds(content, "gate.yaml")
    with pytest.raises(DeliveryError, match=r"restore it with git checkout$"):
        read_bounds(b"\xff", "gate.yaml")


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1, "0.5", True, None])
def test_a_bound_that_bounds_nothing_is_refused(value: Any) -> None:
    text = json.dumps({**BOUNDS.model_dump(), "throughput": value})
    with pytest.raises(DeliveryError, match=r"throughput"):
        read_bounds(text.replace("NaN", ".nan").replace("Infinity", ".inf").encode(), "gate.yaml")


def test_a_round_of_timing_ends() -> None:
    text = json.dumps({**BOUNDS.model_dump(), "round_seconds": math.inf})
    with pytest.raises(DeliveryError, match=r"round_seconds"):
        read_bounds(text.replace("Infinity", ".inf").encode(), "gate.yaml")
