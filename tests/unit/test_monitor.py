"""The drift decision: distances, sampling noise, bands, and every way to not know."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stages.common.documents import METADATA, Document
from stages.common.errors import ParameterError
from stages.common.files import read_json, read_table, write_table
from stages.common.labels import ASSERTION_COLUMNS, model_columns
from stages.common.rare_values import LEAST, RARE, without_rare
from stages.common.tables import DOCUMENTS, serving_log
from stages.monitor import __main__ as stage
from stages.monitor import drift_page, invocation
from stages.monitor.columns import kind_of, values_of
from stages.monitor.decision import EXIT_CODES, NOTHING_KNOWN, SEVERITIES, Harm, band_of, decide, with_harm
from stages.monitor.deviation import LEVELS, Counts, count_values, kolmogorov_smirnov, total_variation
from stages.monitor.drift import BOUND, INTERVAL, ColumnDrift, Drift, compare_window
from stages.monitor.noise import effective_notes, noise_of
from stages.monitor.params import MonitorParams
from stages.monitor.serving import note_names, profile_schema, serving_rows, training_profile
from stages.params import load_params
from tests.labels import LABELS

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml").monitor.watching(LABELS)
SERVING_LOG, PROFILE, MODEL_COLUMNS = serving_log(LABELS), profile_schema(LABELS), model_columns(LABELS)
QUICK = PARAMS.model_copy(update={"significance": 0.1})

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
            "quarantined": 0,
            "unknown_tokens": draw.beta(2, 20, rows),
            "diseases": draw.poisson(3, rows),
            "treatments": draw.poisson(2, rows),
            "confidence": np.where(draw.random(rows) < 0.1, np.nan, draw.beta(8, 2, rows)),
            **{name: np.where(draw.random(rows) < 0.7, 0.0, draw.beta(2, 5, rows)) for name in ASSERTION_COLUMNS},
        }
    )
    frame.loc[draw.random(rows) < train, list(MODEL_COLUMNS)] = np.nan
    return frame


PROFILE_FRAME = served(800, 0, train=0.6)


def column(
    deviation: float | None,
    *,
    counts: bool | None = True,
    fault: str | None = None,
    error: float = 0.0,
    noise: float = 1.0,
    name: str = "tokens",
) -> ColumnDrift:
    """A column as the comparison leaves it; `error` is the standard error of its deviation."""
    if deviation is None:
        return ColumnDrift(name, "number", counts=counts, fault=fault)
    low, high = deviation - INTERVAL * error, deviation + INTERVAL * error
    bound = deviation + BOUND * error
    return ColumnDrift(name, "number", deviation, noise, low, high, bound, counts, enough=1000, fault=fault)


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


def noise(profile, window, kind, level=0.05):
    """Percent that chance alone exceeds with that probability."""
    counts = count_values(profile, window, kind)
    return noise_of(counts, 1).quantile(level) / math.sqrt(effective_notes(counts))


@pytest.mark.parametrize("level", [0.05, 1e-3, 1e-6])
def test_noise_is_where_scipy_would_reject(level):
    draw = np.random.default_rng(3)
    effective = 1000 * 300 / 1300
    many = noise(draw.normal(size=1000), draw.normal(size=300), "number", level)
    assert stats.kstwobign.sf(many / 100 * np.sqrt(effective)) == pytest.approx(level)
    two = noise(draw.choice(["l", "r"], 1000), draw.choice(["l", "r"], 300), "category", level)
    assert 0.3 * level < 2 * stats.norm.sf(two / 50 * np.sqrt(effective)) < 1.2 * level
    two = noise(draw.choice([0.0, 1.0], 1000), draw.choice([0.0, 1.0], 300), "number", level)
    assert 0.3 * level < 2 * stats.norm.sf(two / 50 * np.sqrt(effective)) < 1.2 * level
    gone = noise(
        np.where(draw.random(1000) < 0.5, np.nan, 1.0), np.where(draw.random(300) < 0.5, np.nan, 1.0), "number", level
    )
    assert 2 * stats.norm.sf(gone / 50 * np.sqrt(effective)) < level


@given(st.lists(st.integers(1, 500), min_size=2, max_size=30), st.sampled_from(["category", "number"]))
@settings(max_examples=20)
def test_noise_falls_with_the_level_without_a_step(counts, kind):
    one = np.array([0, *counts])
    column_noise = noise_of(Counts(kind, one, one), 1)
    levels = np.geomspace(0.01, 1e-9, 60)
    values = [column_noise.quantile(level) for level in levels]
    assert all(later >= earlier for earlier, later in pairwise(values))
    assert max(later / earlier for earlier, later in pairwise(values)) < 1.25


@pytest.mark.simulation
def test_false_alarms_are_as_rare_as_promised():
    alarms = 0
    for seed in range(1, 101):
        drift = compare_window(served(300, 1000 + seed, train=0.6), served(120, seed), QUICK)
        alarms += any(one.counts for one in drift.columns)
    low, high = stats.binom.ppf([1e-4, 0.999], 100, QUICK.significance)
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


@pytest.mark.parametrize("name", ["tokens", "speciality", "confidence"])
def test_noise_and_errors_are_the_same_when_the_samples_change_places(name):
    a, b = (values_of(served(rows, rows), name) for rows in (90, 50))
    first, second = count_values(a, b, kind_of(name)), count_values(b, a, kind_of(name))
    assert noise(a, b, kind_of(name)) == noise(b, a, kind_of(name))
    assert (first.deviation, float(first.standard_error)) == (
        second.deviation,
        pytest.approx(float(second.standard_error)),
    )


def test_a_standard_error_is_how_far_deviations_scatter():
    """Where the samples really differ, so that the set in which they do is the same each time."""
    draw = np.random.default_rng(1)
    shares, window = [0.2, 0.3, 0.5], [0.4, 0.4, 0.2]
    drawn = Counts("category", draw.multinomial(400, window, 2000), draw.multinomial(900, shares))
    scatter = float(np.std(drawn.deviation))
    wobble = [
        float(Counts("category", np.array([160, 160, 80]), one).deviation)
        for one in draw.multinomial(900, shares, 2000)
    ]
    both = math.hypot(scatter, float(np.std(wobble)))
    assert float(np.median(drawn.standard_error)) == pytest.approx(both, rel=0.08)


def test_of_many_values_neighbours_are_one_and_the_deviation_is_nearly_the_same():
    draw = np.random.default_rng(1)
    profile, window = draw.normal(size=20_000), draw.normal(0.2, size=30_000)
    exact = 100 * stats.ks_2samp(profile, window).statistic
    assert len(count_values(profile, window, "number").window) == LEVELS + 1
    assert exact - 0.2 < kolmogorov_smirnov(profile, window) <= exact + 1e-9


def test_of_many_categories_the_rarest_are_one():
    profile = ["often"] * 50 + [f"rare {number}" for number in range(3 * LEVELS)]
    counts = count_values(profile, ["often", *(f"new {number}" for number in range(LEVELS))], "category")
    assert len(counts.profile) == LEVELS + 1
    assert counts.profile.max() > LEVELS
    assert counts.profile[1] == 50


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


def test_a_deviation_within_noise_is_no_drift_and_no_all_clear():
    decision = decide(Drift((column(30.0, counts=False),), 300, 800), PARAMS)
    assert (decision.decision, decision.alert, decision.column) == ("too_few_notes", False, None)
    assert decision.reasons == (
        "300 notes: tokens may deviate by up to 30.0%; about 1,000 notes would tell whether it is below 5%",
    )


@pytest.mark.parametrize(
    ("deviation", "error", "said"),
    [(3.0, 1.0, "none"), (3.0, 1.3, "too_few_notes"), (4.99, 0.0, "none"), (5.0, 0.0, "too_few_notes")],
)
def test_none_is_said_when_the_upper_bound_is_below_retrain(deviation, error, said):
    quiet = column(deviation, counts=False, error=error)
    assert decide(Drift((quiet, column(0.1, counts=False)), 300, 800), PARAMS).decision == said


@pytest.mark.parametrize(
    ("deviation", "error", "said"),
    [
        (6.5, 1.0, "retrain"), (6.5, 1.2, "size_uncertain"),
        (9.0, 0.7, "retrain_and_alert"), (9.0, 0.8, "size_uncertain"),
        (12.0, 1.5, "redevelop"), (12.0, 1.6, "size_uncertain"), (3.5, 1.0, "watch"), (3.5, 1.2, "size_uncertain"),
    ],
)  # fmt: skip
def test_a_band_is_said_when_the_interval_lies_in_it(deviation, error, said):
    decision = decide(Drift((column(deviation, error=error),), 300, 800), PARAMS)
    assert (decision.decision, decision.alert) == (said, said in ("size_uncertain", "retrain_and_alert", "redevelop"))
    assert ("drift, size uncertain" in decision.reasons[0]) == (said == "size_uncertain")


def test_a_mild_drift_is_not_said_to_be_all_where_another_column_may_be_worse():
    hidden = column(3.0, counts=False, error=2.0, noise=9.0, name="sex")
    assert decide(Drift((column(3.5), hidden), 300, 800), PARAMS).decision == "size_uncertain"
    assert decide(Drift((column(6.5), hidden), 300, 800), PARAMS).decision == "retrain"


def test_a_reference_against_which_no_window_is_large_enough_is_named():
    quiet = replace(column(4.0, counts=False, error=2.0), enough=None)
    reasons = decide(Drift((quiet,), 300, 196), PARAMS).reasons
    assert reasons[0].endswith("and against a reference of 196 notes no window is large enough")


@pytest.mark.parametrize(
    ("said", "harm", "done"),
    [
        (3.5, Harm("falls", audited=True), "redevelop"), (6.5, Harm("falls"), "redevelop"),
        (0.5, Harm("falls", audited=True), "retrain_and_alert"), (0.5, Harm("falls"), "none"),
        (12.0, Harm("holds", audited=True), "retrain_and_alert"), (12.0, Harm("holds"), "redevelop"),
        (12.0, NOTHING_KNOWN, "redevelop"), (6.5, Harm("holds", audited=True), "retrain"),
    ],
)  # fmt: skip
def test_what_people_find_stands_above_the_size_of_a_shift(said, harm, done):
    one = column(said, counts=said > 2)
    assert with_harm(decide(Drift((one,), 300, 800), PARAMS), harm).decision == done


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
        Drift((column(50.0),), 0, 800),
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


def test_fewer_notes_than_are_judged_are_too_few():
    decision = decide(Drift((column(50.0),), PARAMS.minimum_notes - 1, 800), PARAMS)
    assert (decision.decision, decision.alert, decision.deviation) == ("too_few_notes", False, None)


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


@pytest.mark.parametrize("runs", [[], [2, 4], [1, 4, 2], [1, 1]])
def test_runs_begin_with_one_window_and_ascend(runs):
    with pytest.raises(ValueError, match="runs"):
        MonitorParams.model_validate(PARAMS.model_dump() | {"runs": runs})


@pytest.mark.parametrize("columns", [["note"], ["tokenz"], ["tokens", "tokens"], []])
def test_columns_that_cannot_be_watched_are_refused(columns):
    with pytest.raises(ValueError, match="column"):
        MonitorParams.model_validate(PARAMS.model_dump() | {"columns": columns}).watching(LABELS)


# -- serving log


def fake_extract(text: str) -> SimpleNamespace:
    words = text.split()
    found = [
        SimpleNamespace(label="Disease", confidence=0.5 + 0.1 * number, assertion=("negated", "present")[number % 2])
        for number in range(words.count("d"))
    ]
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
    assert rows["negated"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert rows["family"].tolist() == pytest.approx([0.0, np.nan], nan_ok=True)
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
@pytest.mark.parametrize("place", ["load_params", "logs", "last_windows", "judge"])
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

    monkeypatch.setattr(stage, "judge", killed)
    assert stage.main([]) == 130
    assert read_json(house / "metrics/decision.json")["decision"] == "unknown"


@pytest.mark.parametrize(("shift", "code"), [(0.0, 21), (0.5, 12)])
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
    drift = compare_window(profile, window, PARAMS)
    html = drift_page._html(*drift_page._plain(profile, window, PARAMS.columns), drift)
    assert "speciality" in html
    assert "note-of-" not in html
    assert "Adeyemi" not in html
    assert RARE in html
    assert "Ward 7" in html  # five times, in both together
