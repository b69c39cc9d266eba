"""The drift decision: distances, sampling noise, bands, and every way to not know."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stages.common.documents import METADATA, Document
from stages.common.errors import ParameterError
from stages.common.files import read_json, read_table, write_table
from stages.common.labels import model_columns
from stages.common.rare_values import LEAST, RARE, without_rare
from stages.common.tables import DOCUMENTS, serving_log
from stages.monitor import __main__ as stage
from stages.monitor import drift_page, invocation
from stages.monitor.decision import EXIT_CODES, SEVERITIES, band_of, decide
from stages.monitor.deviation import coded, kolmogorov_smirnov, sampling_noise, total_variation
from stages.monitor.drift import ColumnDrift, Drift, compare_window
from stages.monitor.params import MonitorParams
from stages.monitor.serving import note_names, profile_schema, serving_rows, training_profile
from stages.params import load_params
from tests.labels import LABELS

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml").monitor.watching(LABELS)
SERVING_LOG, PROFILE, MODEL_COLUMNS = serving_log(LABELS), profile_schema(LABELS), model_columns(LABELS)
QUICK = PARAMS.model_copy(update={"significance": 0.1, "resamples": 199})

categories = st.lists(st.sampled_from(["a", "b", "c", "", "None", "nan", None]), min_size=1, max_size=30)
numbers = st.lists(st.none() | st.integers(-3, 3) | st.floats(-1e9, 1e9), min_size=1, max_size=30)
samples = st.one_of(
    st.tuples(st.just(total_variation), categories, categories),
    st.tuples(st.just(kolmogorov_smirnov), numbers, numbers),
)


def served(rows: int, seed: int, *, shift: float = 0.0, train: float = 0.0) -> pd.DataFrame:
    """Notes of an imaginary clinic; `shift` moves that share of the notes to another speciality."""
    draw = np.random.default_rng(seed)
    speciality = draw.choice(["cardiology", "oncology", "surgery"], rows, p=[0.5, 0.3, 0.2])
    speciality[draw.random(rows) < shift] = "paediatrics"
    frame = pd.DataFrame(
        {
            "note": [f"{seed}-{row}" for row in range(rows)],
            "note_type": draw.choice(["letter", "report", None], rows),
            "speciality": speciality,
            "sex": draw.choice(["female", "male"], rows),
            "age_band": draw.choice([f"{age}s" for age in range(10, 90, 10)], rows),
            "month": "2024-01",
            "characters": draw.poisson(400, rows),
            "sentences": draw.poisson(6, rows),
            "tokens": draw.poisson(80, rows),
            "unknown_tokens": draw.beta(2, 20, rows),
            "diseases": draw.poisson(3, rows),
            "treatments": draw.poisson(2, rows),
            "confidence": np.where(draw.random(rows) < 0.1, np.nan, draw.beta(8, 2, rows)),
        }
    )
    frame.loc[draw.random(rows) < train, list(MODEL_COLUMNS)] = np.nan
    return frame


PROFILE_FRAME = served(800, 0, train=0.6)


def column(deviation: float | None, *, counts: bool | None = True, fault: str | None = None) -> ColumnDrift:
    return ColumnDrift("tokens", "number", deviation, None if deviation is None else 1.0, counts, fault)


# -- distances


@given(samples)
def test_distance_is_a_symmetric_percentage_and_blind_to_the_order_of_rows(case):
    distance, profile, window = case
    value = distance(profile, window)
    assert 0 <= value <= 100
    assert distance(window, profile) == value
    assert distance(profile[::-1], sorted(window, key=str)) == value
    assert distance(profile, profile * 2) == 0


@pytest.mark.parametrize(
    ("profile", "window", "expected"), [(["a"], ["b"], 100), ([None, "a"], ["a", "a"], 50), (["nan"], [None], 100)]
)
def test_total_variation(profile, window, expected):
    assert total_variation(profile, window) == expected


@pytest.mark.parametrize(
    ("profile", "window", "expected"),
    [([1, 2], [3, 4], 100), ([1, 2, 3, 4], [1, 2, None, None], 50), ([None, 1], [None, 2], 100), ([1], [None], 100)],
)
def test_kolmogorov_smirnov(profile, window, expected):
    assert kolmogorov_smirnov(profile, window) == expected


@given(st.lists(st.integers(0, 9), min_size=1, max_size=50), st.lists(st.integers(0, 9), min_size=1, max_size=50))
def test_kolmogorov_smirnov_agrees_with_scipy(profile, window):
    expected = 100 * stats.ks_2samp(profile, window, method="asymp").statistic
    assert kolmogorov_smirnov(profile, window) == pytest.approx(expected)


@pytest.mark.parametrize("percent", [2, 5, 8, 10])
def test_a_distance_on_a_boundary_is_exact(percent):
    assert total_variation(["a"] * 100, ["a"] * (100 - percent) + ["b"] * percent) == percent


# -- noise


def test_noise_is_where_scipy_would_reject():
    draw = np.random.default_rng(3)
    options = {"resamples": 2000, "significance": 0.05, "seed": 1}
    numbers_ = coded(draw.normal(size=1000), draw.normal(size=300), "number")
    noise = sampling_noise({"x": numbers_}, **options)["x"]
    assert 0.03 < stats.kstwobign.sf(noise / 100 * np.sqrt(1000 * 300 / 1300)) < 0.08
    sides = coded(draw.choice(["l", "r"], 1000), draw.choice(["l", "r"], 300), "category")
    noise = sampling_noise({"x": sides}, **options)["x"]
    assert 0.02 < 2 * stats.norm.sf(noise / 100 / np.sqrt(0.25 * (1 / 1000 + 1 / 300))) < 0.09


@pytest.mark.simulation
def test_false_alarms_are_as_rare_as_promised():
    alarms = 0
    for seed in range(1, 201):
        drift = compare_window(served(300, 1000 + seed, train=0.6), served(120, seed), QUICK)
        alarms += any(one.counts for one in drift.columns)
    low, high = stats.binom.ppf([1e-4, 0.999], 200, QUICK.significance)
    assert low < alarms <= high


@pytest.mark.simulation
def test_a_planted_shift_of_twenty_points_is_found():
    for seed in range(1, 21):
        drift = compare_window(PROFILE_FRAME, served(300, seed, shift=0.2), PARAMS)
        decision = decide(drift, PARAMS)
        assert (decision.decision, decision.column) == ("redevelop", "speciality")
        assert 10 <= decision.deviation <= 35


def test_order_of_rows_and_columns_and_copies_of_notes_change_nothing():
    window = served(120, 1)
    drift = compare_window(PROFILE_FRAME, window, QUICK)
    shuffled = pd.concat([window, window[:60]]).sample(frac=1, random_state=1)
    other = QUICK.model_copy(update={"columns": QUICK.columns[::-1]})
    again = compare_window(PROFILE_FRAME.sample(frac=1, random_state=2), shuffled, other)
    assert again == Drift(drift.columns[::-1], drift.window, drift.profile)


def test_noise_is_the_same_when_the_samples_change_places():
    a, b = served(90, 1)["tokens"], served(50, 2)["tokens"]
    first, second = (
        sampling_noise({"tokens": coded(x, y, "number")}, resamples=99, significance=0.1, seed=1)
        for x, y in ((a, b), (b, a))
    )
    assert first == second


def test_columns_of_the_model_are_compared_outside_train_only():
    profile = served(800, 0)
    half = profile.index < 400
    profile.loc[half, "confidence"] = 0.99
    profile.loc[half, list(MODEL_COLUMNS)] = np.nan
    drift = {one.column: one for one in compare_window(profile, served(400, 1), PARAMS).columns}
    assert not drift["confidence"].counts
    assert drift["confidence"].deviation < 20


def test_constant_columns_have_no_noise_and_do_not_count():
    window = served(120, 1).assign(sex="female", tokens=80)
    drift = compare_window(PROFILE_FRAME.assign(sex="female", tokens=80), window, QUICK)
    quiet = [one for one in drift.columns if one.column in ("sex", "tokens")]
    assert [(one.deviation, one.noise, one.counts) for one in quiet] == [(0, 0, False)] * 2


@pytest.mark.simulation
def test_speed():
    profile, window = served(10_000, 1, train=0.6), served(2_000, 2)
    start = time.perf_counter()
    compare_window(profile, window, PARAMS)
    assert time.perf_counter() - start < 10


# -- decision


@pytest.mark.parametrize(
    ("deviation", "band"),
    [
        (0.0, "none"), (1.9999, "none"), (2.0, "watch"), (4.9999, "watch"), (5.0, "retrain"), (7.9999, "retrain"),
        (8.0, "retrain_and_alert"), (9.9999, "retrain_and_alert"), (10.0, "redevelop"), (100.0, "redevelop"),
    ],
)  # fmt: skip
def test_bands_begin_with_their_lower_end(deviation, band):
    assert band_of(deviation, PARAMS.bands) == band
    decision = decide(Drift((column(deviation),), 300, 800), PARAMS)
    assert (decision.decision, decision.alert) == (band, deviation >= 8)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5), st.floats(0, 100))
def test_decision_is_monotone(deviations, more):
    columns = tuple(column(value) for value in deviations)
    before, after = (decide(Drift(some, 300, 800), PARAMS) for some in (columns, (*columns, column(more))))
    assert SEVERITIES.index(after.decision) >= SEVERITIES.index(before.decision)
    assert before.deviation is None or before.deviation == max(deviations)


def test_a_deviation_within_noise_does_not_count():
    decision = decide(Drift((column(30.0, counts=False),), 300, 800), PARAMS)
    assert (decision.decision, decision.alert, decision.column) == ("none", False, None)
    assert "would pass for noise" in decision.reasons[0]


@pytest.mark.parametrize(
    ("known", "expected"),
    [(0.0, "unknown"), (3.0, "unknown"), (6.0, "unknown"), (9.0, "unknown"), (12.0, "redevelop")],
)
def test_an_unknown_column_beside_a_known_one(known, expected):
    blind = replace(column(None, counts=None, fault="x is missing"), column="x")
    decision = decide(Drift((column(known), blind), 300, 800), PARAMS)
    assert (decision.decision, decision.alert) == (expected, True)
    assert "x is missing" in decision.reasons


@pytest.mark.parametrize(
    "drift",
    [
        Drift((column(50.0),), PARAMS.minimum_notes - 1, 800),
        Drift((), 300, 800),
        Drift((column(float("nan")),), 300, 800),
        Drift((column(float("inf")),), 300, 800),
        Drift((replace(column(50.0), noise=float("nan")),), 300, 800),
        Drift((column(1.0, counts=None),), 300, 800),
        Drift((column(1.0, fault="broken"),), 300, 800),
    ],
)
def test_what_is_not_known_is_unknown(drift):
    decision = decide(drift, PARAMS)
    assert (decision.decision, decision.alert, decision.deviation) == ("unknown", True, None)
    json.dumps(decision.as_json(), allow_nan=False)


@pytest.mark.parametrize("side", ["window", "profile"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda frame: frame.drop(columns="tokens"),
        lambda frame: frame.assign(tokens=np.nan),
        lambda frame: frame.assign(tokens=np.where(frame.index == 3, np.inf, frame["tokens"])),
        lambda frame: frame.assign(tokens="the patient"),
        lambda frame: frame.assign(sex=None),
        lambda frame: frame.assign(sex=1),
        lambda frame: frame.drop(columns=list(MODEL_COLUMNS)),
        lambda frame: frame[:49],
        lambda frame: frame[:0],
    ],
)
def test_harm_to_either_side_is_unknown(harm, side):
    sides = {"profile": PROFILE_FRAME, "window": served(120, 1)}
    sides[side] = harm(sides[side])
    drift = compare_window(sides["profile"], sides["window"], QUICK)
    decision = decide(drift, QUICK)
    assert (decision.decision, decision.alert) == ("unknown", True)
    assert "patient" not in json.dumps([drift.as_json(), decision.as_json()], allow_nan=False)


def test_too_few_resamples_are_refused_and_never_pass_for_calm():
    with pytest.raises(ValueError, match="at least 900"):
        MonitorParams.model_validate(PARAMS.model_dump() | {"resamples": 500}).watching(LABELS)
    few = PARAMS.model_copy(update={"resamples": 20})
    drift = compare_window(PROFILE_FRAME, served(300, 1, shift=0.9), few)
    assert decide(drift, few).decision == "unknown"
    json.dumps(drift.as_json(), allow_nan=False)


@pytest.mark.parametrize("columns", [["note"], ["tokenz"], ["tokens", "tokens"], []])
def test_columns_that_cannot_be_watched_are_refused(columns):
    with pytest.raises(ValueError, match="column"):
        MonitorParams.model_validate(PARAMS.model_dump() | {"columns": columns}).watching(LABELS)


# -- serving log


def fake_extract(text: str) -> SimpleNamespace:
    words = text.split()
    found = [SimpleNamespace(label="Disease", confidence=0.5 + 0.1 * number) for number in range(words.count("d"))]
    return SimpleNamespace(mentions=found, sentences=1, tokens=len(words), unknown_tokens=0.25)


def test_a_note_becomes_a_row_without_its_text(tmp_path):
    notes = [Document("1", "d and d", metadata={"sex": "female", "month": ""}), Document("2", "nothing")]
    write_table(tmp_path / "log.parquet", serving_rows(notes, fake_extract, LABELS), SERVING_LOG)
    rows = read_table(tmp_path / "log.parquet")
    assert rows["note"].tolist() == ["1", "2"]
    assert rows.loc[0, ["sex", "month", "characters", "tokens", "diseases", "treatments"]].tolist() == [
        "female", None, 7, 3, 2, 0,
    ]  # fmt: skip
    assert rows["confidence"][0] == pytest.approx(0.55)
    assert rows["confidence"].isna().tolist() == [False, True]
    assert "nothing" not in rows.to_csv()


def test_copies_of_a_note_have_one_name_and_no_text_can_be_tried_out():
    texts = ["No change.", "Seen.", "No change."]
    key = "0123456789abcdef" * 2
    keyed = serving_rows([Document(str(n), text) for n, text in enumerate(texts)], fake_extract, LABELS, key=key)[
        "note"
    ]
    for names in (note_names(texts), keyed.tolist()):
        assert names[0] == names[2] != names[1]
        assert not {hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts} & set(names)
    assert keyed.tolist() == note_names(texts, key)  # wherever it was logged
    assert keyed[1] == note_names(["Seen."], key)[0] != note_names(["Seen."], "f" * 32)[0]


def documents(rows: int, share_of_train: float = 0.5) -> pd.DataFrame:
    draw = np.random.default_rng(5)
    frame = pd.DataFrame({name: [f"{name}-{row}" for row in range(rows)] for name in DOCUMENTS.names})
    frame["seconds"] = None
    for name in METADATA:
        frame[name] = draw.choice(["a", "b", None], rows)
    frame["split"] = np.where(np.arange(rows) < rows * share_of_train, "train", "test")
    frame["text"] = [" ".join(["d"] * draw.integers(0, 4) + ["word", str(row)]) for row in range(rows)]
    return frame


def test_the_profile_is_null_where_the_model_was_trained(tmp_path):
    write_table(tmp_path / "profile.parquet", training_profile(documents(10), fake_extract, LABELS), PROFILE)
    profile = read_table(tmp_path / "profile.parquet")
    assert profile[list(MODEL_COLUMNS)][:5].isna().all(axis=None)
    assert profile[["unknown_tokens", "diseases", "treatments"]][5:].notna().all(axis=None)
    assert profile[["characters", "sentences", "tokens"]].notna().all(axis=None)


# -- the command


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A folder with parameters, documents, notes and a fake extractor."""
    root = Path(__file__).parents[2]
    (tmp_path / "params.yaml").write_text((root / "params.yaml").read_text())
    write_table(tmp_path / "data/prepared/documents.parquet", documents(300), DOCUMENTS)
    notes = documents(120).to_dict("records")
    lines = [{"id": str(i), "text": n["text"], "metadata": {k: n[k] for k in METADATA}} for i, n in enumerate(notes)]
    (tmp_path / "data/incoming").mkdir()
    (tmp_path / "data/incoming/notes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    extractor = SimpleNamespace(load_extractor=lambda *_: SimpleNamespace(extract=fake_extract))
    monkeypatch.setitem(sys.modules, "stages.train.extractor", extractor)
    monkeypatch.setattr(drift_page, "_html", lambda *_: "<html>")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_stage_writes_the_same_bytes_twice(house):
    paths = [house / "metrics/drift.json", house / "metrics/decision.json"]
    paths += [house / "data/serving/log.parquet", house / "data/serving/profile.parquet"]
    runs = []
    for _ in range(2):
        assert stage.main([]) == 0
        runs.append([path.read_bytes() for path in paths])
    assert runs[0] == runs[1]
    assert read_json(paths[1])["notes"] == 120
    assert set(read_json(paths[0])["columns"]) == set(PARAMS.columns)
    assert (house / "reports/drift.html").exists()
    assert (house / "reports/drift.json").read_bytes() == paths[0].read_bytes()  # whose picture it is


@pytest.mark.parametrize("error", [RuntimeError("the patient"), OSError("disk full"), MemoryError()])
def test_a_report_that_fails_changes_nothing(house, monkeypatch, capsys, error):
    stage.main([])
    decision = (house / "metrics/decision.json").read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(drift_page, "_html", fail)
    assert stage.main([]) == 0
    assert (house / "metrics/decision.json").read_bytes() == decision
    assert "the decision stands" in capsys.readouterr().err
    assert not (house / "reports/drift.html").exists()


@pytest.mark.parametrize("error", [ValueError("the patient"), ParameterError("key"), OSError("gone")])
@pytest.mark.parametrize("place", ["load_params", "logs", "compare_window", "decide"])
def test_a_crash_leaves_unknown_and_fails(house, monkeypatch, capsys, place, error):
    (house / "metrics").mkdir()
    (house / "metrics/decision.json").write_text('{"decision": "none", "alert": false}')

    def fail(*_):
        raise error

    monkeypatch.setattr(stage, place, fail)
    assert stage.main([]) == 2
    decision = read_json(house / "metrics/decision.json")
    assert (decision["decision"], decision["alert"]) == ("unknown", True)
    assert decision["reasons"] == [f"the comparison failed ({type(error).__name__})"]
    printed = capsys.readouterr()
    assert "patient" not in printed.err + printed.out + json.dumps(decision)
    assert stage.main(["--exit-code"]) == EXIT_CODES["unknown"]


def test_a_killed_process_leaves_unknown(house, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "compare_window", killed)
    assert stage.main([]) == 130
    assert read_json(house / "metrics/decision.json")["decision"] == "unknown"


@pytest.mark.parametrize(("shift", "code"), [(0.0, 0), (0.5, 12)])
def test_another_window(house, capsys, shift, code):
    write_table(house / "window.parquet", served(300, 7, shift=shift), SERVING_LOG)
    profile = PROFILE_FRAME.astype(dict.fromkeys(MODEL_COLUMNS, "Float64"))
    write_table(house / "profile.parquet", profile, PROFILE)
    arguments = ["--log", "window.parquet", "--profile", "profile.parquet", "--json", "out", "--exit-code"]
    assert stage.main(arguments) == code
    assert json.loads(capsys.readouterr().out) == read_json(house / "out/decision.json")
    assert stage.main(arguments[:-1]) == 0
    assert not (house / "metrics").exists()


def test_arguments_of_another_window_need_one():
    with pytest.raises(SystemExit):
        invocation.parse(["--json", "out"])


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", None])), min_size=1, max_size=3))
def test_only_values_that_enough_notes_have_are_shown(columns):
    shown = without_rare(*columns)
    together = [value for column in columns for value in column]
    for before, after in zip(columns, shown, strict=True):
        enough = [value is None or together.count(value) >= LEAST for value in before]
        assert after == [value if kept else RARE for value, kept in zip(before, enough, strict=True)]


def test_evidently_draws():
    window = served(60, 1)
    window["note"] = "note-of-" + window["note"].astype(str)  # no piece of the identifiers that Evidently makes up
    window.loc[[0, 1, 2, 3], "speciality"] = "Dr Adeyemi's list"
    window.loc[[4, 5], "speciality"] = "Ward 7"
    profile = PROFILE_FRAME.copy()
    profile.loc[[0, 1, 2], "speciality"] = "Ward 7"
    html = drift_page._html(*drift_page._plain(profile, window, PARAMS.columns))
    assert "speciality" in html
    assert "note-of-" not in html
    assert "Adeyemi" not in html
    assert RARE in html
    assert "Ward 7" in html  # five times, in both together
