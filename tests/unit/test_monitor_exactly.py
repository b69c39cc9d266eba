"""The drift decision to the last digit and word, the noise by hand. Renew the golden file with `GOLDEN=1 pytest`."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.common.documents import METADATA
from stages.common.files import read_json
from stages.monitor import drift_page, invocation, noise
from stages.monitor.columns import distinct, kind_of
from stages.monitor.decision import Decision, band_of, decide, unknown
from stages.monitor.deviation import Kind, coded, count_values
from stages.monitor.drift import ColumnDrift, Drift, compare_window
from stages.monitor.noise import effective_notes, noise_of
from stages.monitor.params import MonitorParams
from stages.monitor.serving import serving_rows, training_profile
from tests.labels import LABELS
from tests.repository import ROOT
from tests.unit.test_monitor import MODEL_COLUMNS, PARAMS, PROFILE_FRAME, QUICK, SERVING_LOG, column, documents, served

GOLDEN = ROOT / "tests/golden/monitor.json"


def judged(profile: pd.DataFrame, window: pd.DataFrame, params: MonitorParams = QUICK) -> Any:
    drift = compare_window(profile, window, params)
    return [drift.as_json(), decide(drift, params).as_json()]


def decided(*columns: ColumnDrift, window: int = 300) -> Any:
    return decide(Drift(columns, window, 800), PARAMS).as_json()


def named(name: str, found: float | None, noise: float | None = 1.0, *, counts: bool | None = True) -> ColumnDrift:
    return replace(column(found, counts=counts, name=name), noise=noise)


SITUATIONS: dict[str, Callable[[], Any]] = {
    "calm": lambda: judged(PROFILE_FRAME, served(300, 1)),
    "shifted": lambda: judged(PROFILE_FRAME, served(300, 2, shift=0.3)),
    "a column missing in the window": lambda: judged(PROFILE_FRAME, served(120, 1).drop(columns="tokens")),
    "a column missing in the profile": lambda: judged(PROFILE_FRAME.drop(columns="sex"), served(120, 1)),
    "a column without values": lambda: judged(PROFILE_FRAME, served(120, 1).assign(sex=None)),
    "a column of numbers for text": lambda: judged(PROFILE_FRAME, served(120, 1).assign(sex=1)),
    "a column of text for numbers": lambda: judged(PROFILE_FRAME, served(120, 1).assign(tokens="many")),
    "a column of truths for numbers": lambda: judged(PROFILE_FRAME, served(120, 1).assign(tokens=True)),
    "an infinite number": lambda: judged(PROFILE_FRAME, served(120, 1).assign(tokens=np.inf)),
    "few in the profile": lambda: judged(PROFILE_FRAME[:49], served(120, 1)),
    "just enough in the profile": lambda: judged(served(50, 0), served(120, 1)),
    "few in the window": lambda: judged(PROFILE_FRAME, served(49, 1)),
    "just enough in the window": lambda: judged(PROFILE_FRAME, served(50, 1)),
    "no notes": lambda: judged(PROFILE_FRAME, served(300, 1)[:0]),
    "size uncertain": lambda: decided(column(7.5, error=2.0)),
    "a quiet window": lambda: decided(column(1.0, counts=False, error=0.5), named("sex", 0.7, counts=False)),
    "one band each": lambda: [
        decided(column(value)) for value in (0.0, 1.99, 2.0, 4.99, 5.0, 7.99, 8.0, 9.99, 10.0, 100.0)
    ],
    "the worst of several": lambda: decided(named("a", 3.0), named("b", 9.0), named("c", 6.0)),
    "the first of two as bad": lambda: decided(named("b", 9.0), named("a", 9.0)),
    "the larger in one band": lambda: decided(named("a", 8.5), named("b", 9.5)),
    "noise": lambda: decided(named("a", 30.0, 41.0, counts=False), named("b", 1.0, 3.25, counts=False)),
    "blind and calm": lambda: decided(named("a", 0.5), named("b", None, None, counts=None)),
    "blind and wild": lambda: decided(named("a", 50.0), named("b", None, None, counts=None)),
    "noise unknown": lambda: decided(named("a", 50.0, None)),
    "two of which nothing is known": lambda: decided(named("b", 50.0, None), named("a", None, None)),
    "no noise at all": lambda: decided(named("a", 0.0, 0.0, counts=False)),
    "no columns": decided,
    "few notes": lambda: decided(column(50.0), window=PARAMS.minimum_notes - 1),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_the_monitor_says(situation: str) -> None:
    if os.environ.get("GOLDEN"):
        text = json.dumps({name: say() for name, say in SITUATIONS.items()}, indent=1, allow_nan=False)
        GOLDEN.write_text(text + "\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[situation]
    assert json.loads(json.dumps(SITUATIONS[situation](), allow_nan=False)) == golden


def test_a_decision_that_could_not_be_made_counts_no_notes() -> None:
    assert unknown("why") == Decision("unknown", None, None, ("why",), 0)
    assert unknown("why", 7).notes == 7


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_band_holds_what_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match=r"^a deviation must be finite$"):
        band_of(value, PARAMS.bands)


# -- noise, by hand


@pytest.mark.parametrize("kind", ["number", "category"])
@pytest.mark.parametrize("level", [0.2, 0.05, 0.01])
def test_noise_is_what_few_of_all_windows_exceed(level: float, kind: Kind) -> None:
    """The rows of two samples that do not differ may be dealt out in any way: no more windows exceed their noise."""
    generator = np.random.default_rng(3)
    rows = generator.poisson(4, 150).astype(float) if kind == "number" else generator.choice(list("abcdefg"), 150)
    counts = count_values(rows[60:], rows[:60], kind)
    noise = noise_of(counts, 5).quantile(level) / math.sqrt(float(effective_notes(counts)))
    dealt = (generator.permutation(rows) for _ in range(3000))
    above = np.mean([float(count_values(one[60:], one[:60], kind).deviation) > noise for one in dealt])
    assert level / 3 < above <= 1.2 * level + 0.002


def test_columns_share_the_significance() -> None:
    one = compare_window(PROFILE_FRAME, served(300, 1), QUICK.model_copy(update={"columns": ["tokens"]})).columns[0]
    ten = QUICK.model_copy(update={"columns": ["tokens", "sex"], "significance": 0.2})
    assert compare_window(PROFILE_FRAME, served(300, 1), ten).columns[0] == one
    assert compare_window(PROFILE_FRAME, served(300, 1), ten, 0.5).columns[0].noise > one.noise


def test_values_drawn_in_parts_have_the_same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = count_values(list("aaabbc"), list("abbbbc"), "category")
    whole = noise_of(counts, 1).quantile(0.01)
    monkeypatch.setattr(noise, "_CELLS", 1001)
    assert noise_of(counts, 1).quantile(0.01) == whole


def test_codes_are_ranks_and_missing_values_are_none() -> None:
    (window, profile), levels = coded([["c", "a"], ["b", None, "a"]], "category")
    assert (window.tolist(), profile.tolist(), levels) == ([3, 1], [2, 0, 1], 4)
    (window, profile), levels = coded([[-1.0], [2.5, math.nan]], "number")
    assert (window.tolist(), profile.tolist(), levels) == ([1], [2, 0], 3)


@pytest.mark.parametrize("kind", ["category", "number"])
def test_an_empty_sample_has_no_distance(kind: Any) -> None:
    values = ["a"] if kind == "category" else [1.0]
    assert math.isnan(count_values(values, [], kind).deviation)
    assert math.isnan(count_values([], values, kind).deviation)


def test_the_kind_of_a_column_is_that_of_the_log() -> None:
    assert [kind_of(name) for name in ("sex", "tokens", "confidence")] == ["category", "number", "number"]


# -- the command


def test_without_a_log_the_files_are_those_of_the_stage() -> None:
    options = invocation.parse([])
    assert (options.log, options.profile) == (None, Path("data/serving/profile.parquet"))
    assert (options.json, options.report, options.exit_code) == (Path("metrics"), Path("reports/drift.html"), False)


def test_another_log_brings_its_own_files() -> None:
    given = (
        "--log a --profile b --json c --report d --exit-code --since 2026-11-01 --until 2026-12-01 --model-version 7"
        " --windows week --reference e --reference-until 2026-10-01"
    )
    options = invocation.parse(given.split())
    assert vars(options) == {
        "log": Path("a"), "profile": Path("b"), "json": Path("c"), "report": Path("d"), "exit_code": True,
        "since": datetime(2026, 11, 1, tzinfo=UTC), "until": datetime(2026, 12, 1, tzinfo=UTC), "model_version": "7",
        "windows": "week", "reference": Path("e"), "reference_since": None,
        "reference_until": datetime(2026, 10, 1, tzinfo=UTC),
    }  # fmt: skip
    bare = invocation.parse(["--log", "a"])
    assert (bare.since, bare.until, bare.model_version) == (None, None, None)
    assert (bare.profile, bare.json, bare.report) == (Path("data/serving/profile.parquet"), None, None)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "c"],
        ["--report", "d"],
        ["--profile", "b"],
        ["--since", "2026-11-01"],
        ["--windows", "week"],
        ["--reference", "e"],
    ],
)
def test_files_without_a_log_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        invocation.parse(arguments)
    said = capsys.readouterr().err
    assert "python -m stages.monitor: error: all but --exit-code goes with --log: the stage has" in said


def test_help_says_what_each_argument_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        invocation.parse(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "A window of the serving log against a reference -> a decision: none, watch, retrain, and so on.",
        "serving log (Parquet, or a folder of it); without it the stage runs",
        "only what was served then or later (ISO 8601; UTC by default)",
        "only what was served before",
        "only what this version of the model served",
        "training profile (Parquet)",
        "folder for drift.json and decision.json (with --log)",
        "file for Evidently's report (with --log)",
        "by the exit code: 0 none, 0 watch, 10 retrain, 11 retrain_and_alert, 12 redevelop, 13 size_uncertain,"
        " 20 unknown, 21 too_few_notes",
    ):
        assert words in said


def options(folder: Path | None, *, exit_code: bool = False) -> argparse.Namespace:
    return argparse.Namespace(json=folder, exit_code=exit_code)


@pytest.mark.parametrize(("name", "code"), [("none", 0), ("retrain", 10), ("redevelop", 12), ("unknown", 20)])
def test_the_decision_is_printed_and_told_by_the_exit_code_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int
) -> None:
    decision = Decision(name, "sex", 12.5, ("grüner",), 300)
    assert invocation.judge_safely(lambda: decision, options(tmp_path, exit_code=True)) == code
    assert capsys.readouterr().out == json.dumps(decision.as_json(), ensure_ascii=False) + "\n"
    assert invocation.judge_safely(lambda: decision, options(None)) == 0
    assert read_json(tmp_path / "decision.json")["reasons"] == ["the comparison did not finish"]
    assert read_json(tmp_path / "drift.json") == {"columns": {}, "notes": None, "slices": {}}


def test_a_decision_that_cannot_be_written_is_still_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")

    def never() -> Decision:
        raise AssertionError("nothing is compared where the decision cannot be kept")

    assert invocation.judge_safely(never, options(tmp_path / "file")) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("monitor: ")
    assert "monitor: the decision could not be written: " in printed.err
    assert json.loads(printed.out)["decision"] == "unknown"


def test_an_error_of_the_code_is_told_by_its_place_and_never_by_its_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> Decision:
        raise ValueError("the patient")

    assert invocation.judge_safely(fail, options(tmp_path)) == 2
    printed = capsys.readouterr()
    assert "an unforeseen ValueError in test_monitor_exactly.py, line " in printed.err
    assert "patient" not in printed.err
    assert read_json(tmp_path / "decision.json")["reasons"] == ["the comparison failed (ValueError)"]


# -- the picture

CALM = Decision("too_few_notes", None, None, ("<b>too few</b>",), 300)


def drift_of(*names: str, fault: str | None = None) -> Drift:
    columns = (replace(column(1.0, counts=False, fault=fault, name=name), kind=kind_of(name)) for name in names)
    return Drift(tuple(columns), 300, 800)


def test_what_has_few_values_or_a_fault_is_not_drawn_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    few = served(60, 1)
    few.loc[4:, "tokens"] = np.nan
    some = served(60, 1)
    some.loc[5:, "tokens"] = np.nan
    assert drift_page._drawable(PROFILE_FRAME, few, drift_of("sex", "tokens")) == ["sex"]
    assert capsys.readouterr().err == "monitor: not drawn, too few values or a fault: tokens\n"
    assert drift_page._drawable(few, PROFILE_FRAME, drift_of("sex", "tokens")) == ["sex"]
    assert drift_page._drawable(PROFILE_FRAME, some, drift_of("sex", "tokens")) == ["sex", "tokens"]
    assert drift_page._drawable(PROFILE_FRAME, some, drift_of("sex", fault="broken")) == []
    assert capsys.readouterr().err.count("too few values or a fault: ") == 2


def test_the_picture_shows_the_profile_beside_the_window() -> None:
    profile, window = PROFILE_FRAME, served(60, 1)
    sides = drift_page._plain(profile, window, ["tokens"])
    for side, frame in zip(sides, (profile, window), strict=True):
        assert side["tokens"].tolist() == pytest.approx(frame["tokens"].astype(float).tolist(), nan_ok=True)


def test_a_category_that_is_missing_is_drawn_as_no_value() -> None:
    window = served(60, 1)
    window["sex"] = window["sex"].astype("string").mask(window.index < 9)
    assert window["sex"].isna().sum() >= 9
    _, side = drift_page._plain(PROFILE_FRAME, window, ["sex"])
    assert {type(value) for value in side["sex"]} == {str, type(None)}


def test_a_note_served_twice_counts_once_whatever_else_the_log_says_of_it() -> None:
    window = served(60, 1)
    again = window.assign(other=[f"second time, {number}" for number in range(len(window))])
    (kept,) = distinct([pd.concat([window, again], ignore_index=True)], ["tokens", "sex"])
    assert kept["note"].tolist() == window["note"].tolist()


def test_nothing_to_draw_is_no_picture_and_leaves_no_old_one(tmp_path: Path) -> None:
    page = tmp_path / "drift.html"
    page.write_text("old")
    assert drift_page.draw_drift(PROFILE_FRAME, served(60, 1), drift_of("sex", fault="broken"), CALM, page) is False
    assert not page.exists()


def test_evidently_is_asked_for_the_watched_columns_by_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def note(name: str, answer: Any) -> Callable:
        return lambda *args, **kwargs: asked.update({name: (args, kwargs)}) or answer

    page = SimpleNamespace(get_html_str=note("page", "<html>"))
    data = SimpleNamespace(from_pandas=lambda frame, data_definition: (list(frame), data_definition))
    library = {
        "evidently": SimpleNamespace(
            DataDefinition=note("definition", "kinds"),
            Dataset=data,
            Report=note("report", SimpleNamespace(run=note("run", page))),
        ),
        "evidently.presets": SimpleNamespace(DataDriftPreset=note("preset", "drift")),
    }
    monkeypatch.setattr(drift_page, "_test_of", lambda one: f"our own of {one.column}")
    for name, module in library.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    frame = served(9, 1)[["sex", "tokens"]]
    told = drift_of("sex", "tokens", "confidence")  # the last was not drawn
    assert drift_page._html(frame, frame.rename(columns={"tokens": "diseases"}), told) == "<html>"
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert asked["definition"] == ((), {"numerical_columns": ["tokens"], "categorical_columns": ["sex"]})
    assert asked["preset"] == (
        (),
        {
            "columns": ["sex", "tokens"],
            "drift_share": 0.25,  # one column that drifted is enough
            "per_column_method": {"sex": "our own of sex", "tokens": "our own of tokens"},
            "per_column_threshold": {"sex": 1.0, "tokens": 1.0},
        },
    )
    assert asked["report"] == ((["drift"],), {})
    assert asked["run"] == (((["sex", "diseases"], "kinds"), (["sex", "tokens"], "kinds")), {})
    assert asked["page"] == ((), {"as_iframe": False})


def test_the_decision_stands_above_evidentlys_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_page, "_html", lambda *_: "<html><body>drawn</body></html>")
    drift = Drift((*drift_of("sex").columns, *drift_of("tokens", fault="broken").columns), 300, 800)
    assert drift_page.draw_drift(PROFILE_FRAME, served(60, 1), drift, CALM, tmp_path / "drift.html")
    page = (tmp_path / "drift.html").read_text()
    assert page.index("too few notes to tell") < page.index("drawn")
    assert "&lt;b&gt;too few" in page
    assert "<td>sex<td>1.0<td>1.0 to 1.0<td>1.0<td>no" in page
    assert '<td>tokens<td colspan="4">broken' in page


def test_evidently_says_of_a_column_what_was_decided_on() -> None:
    """Far apart or not at all: what it says is what it was told."""
    frame = served(60, 1)
    for name, counts in (("tokens", True), ("sex", False)):
        one = replace(column(42.0, counts=counts, noise=17.5, name=name), kind=kind_of(name))
        html = drift_page._html(frame[[name]], frame[[name]], Drift((one,), 60, 60))
        assert ("Drift is detected for 100" in html) == counts
        assert "deviation in percent" in html


def test_a_picture_that_fails_is_told_by_the_kind_of_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> str:
        raise KeyError("the patient")

    monkeypatch.setattr(drift_page, "_html", fail)
    assert drift_page.draw_drift(PROFILE_FRAME, served(60, 1), drift_of("sex"), CALM, tmp_path / "drift.html") is False
    assert capsys.readouterr().err == "monitor: Evidently's report failed (KeyError); the decision stands\n"


def test_all_that_is_not_drawn_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    drift_page._drawable(PROFILE_FRAME, served(60, 1), drift_of("sex", "tokens", fault="broken"))
    assert capsys.readouterr().err.endswith(": sex, tokens\n")


# -- the profile


def described(text: str) -> SimpleNamespace:
    return SimpleNamespace(mentions=[], sentences=1, tokens=len(text.split()), unknown_tokens=0.0)


def test_no_notes_are_a_log_without_rows_that_has_its_columns() -> None:
    assert serving_rows([], described, LABELS).columns.tolist() == SERVING_LOG.names


def test_the_profile_takes_the_documents_metadata_and_leaves_the_model_out_where_it_learned() -> None:
    frame = documents(6, share_of_train=0.5)
    profile = training_profile(frame, described, LABELS)
    for name in METADATA:
        assert [value or None for value in profile[name]] == frame[name].tolist()
    assert {str(profile[name].dtype) for name in MODEL_COLUMNS} == {"Float64"}
    assert profile["diseases"].isna().tolist() == [True] * 3 + [False] * 3


def test_the_stage_reads_the_model_that_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, Any]] = []

    def load(folder: Path, labels: Any) -> Any:
        asked.append((folder, labels))
        raise LookupError

    fake = SimpleNamespace(load_extractor=load)
    monkeypatch.setitem(sys.modules, "stages.train.extractor", fake)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LookupError):
        invocation.logs(invocation.parse([]), LABELS)
    assert asked == [(Path("models"), LABELS)]
