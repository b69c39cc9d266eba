"""The share of notes in quarantine as a column of the drift decision; all others are compared without such notes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.documents import METADATA
from stages.common.labels import QUARANTINED
from stages.common.tables import serving_log
from stages.monitor import __main__ as stage
from stages.monitor import drift_page
from stages.monitor.columns import distinct
from stages.monitor.decision import decide, drifted
from stages.monitor.deviation import Counts
from stages.monitor.drift import ColumnDrift, compare_window
from stages.monitor.noise import allowed, noise_of
from stages.monitor.runs import add_up, longest_runs
from stages.monitor.serving import training_profile
from stages.monitor.slices import judge
from tests.labels import LABELS
from tests.unit.test_monitor import PARAMS, PROFILE_FRAME, documents, fake_extract, served

WHOLE = PARAMS.model_copy(update={"slices": []})
OF_NOTE = ("note", *METADATA, "characters", QUARANTINED)


def aside(rows: int, seed: int = 99) -> pd.DataFrame:
    """Notes that were set aside: what a model would have said of them is missing, and their kind is one of its own."""
    frame = served(rows, seed).assign(quarantined=1, speciality="paediatrics", sex=None)
    return frame.assign(**{name: np.nan for name in frame if name not in OF_NOTE})


def with_aside(frame: pd.DataFrame, rows: int, seed: int = 99) -> pd.DataFrame:
    return pd.concat([frame, aside(rows, seed)], ignore_index=True)


def column_of(drift: object, name: str = QUARANTINED) -> ColumnDrift:
    return next(one for one in drift.columns if one.column == name)  # type: ignore[attr-defined]


def test_all_other_columns_are_compared_without_notes_in_quarantine() -> None:
    reference, window = served(2000, 0), served(400, 1)
    plain = judge(reference, [window], PARAMS)
    for other in (
        judge(reference, [with_aside(window, 300)], PARAMS),
        judge(with_aside(reference, 900), [window], PARAMS),
        judge(with_aside(reference, 900, 98), [with_aside(window, 180)], PARAMS),
    ):
        assert other.drift.columns[:-1] == plain.drift.columns[:-1]
        assert (other.drift.window, other.drift.profile) == (400, 2000)
        assert set(other.slices) == set(plain.slices)
        assert all(one.notes == plain.slices[name].notes for name, one in other.slices.items())
    assert column_of(plain.drift).deviation == 0
    assert column_of(other.drift).deviation == pytest.approx(100 * abs(900 / 2900 - 180 / 580), abs=1e-4)


def test_notes_in_quarantine_do_not_make_a_window_large_enough() -> None:
    few = compare_window(served(800, 0), with_aside(served(PARAMS.minimum_notes - 1, 1), 3), WHOLE)
    assert decide(few, WHOLE).decision == "too_few_notes"
    enough = compare_window(served(800, 0), with_aside(served(PARAMS.minimum_notes, 1), 3), WHOLE)
    assert enough.window == PARAMS.minimum_notes


def test_they_are_left_out_where_their_share_is_not_watched() -> None:
    columns = [name for name in WHOLE.columns if name != QUARANTINED]
    params = WHOLE.model_copy(update={"columns": columns})
    window = served(400, 1)
    reference = served(800, 0)
    assert judge(reference, [with_aside(window, 90)], params) == judge(reference, [window], params)


@pytest.mark.parametrize("params", [WHOLE, PARAMS])
def test_a_jump_from_none_to_six_percent_is_found(params: object) -> None:
    decision = judge(served(448, 0), [with_aside(served(940, 1), 60)], params).decision  # type: ignore[arg-type]
    assert (decision.column, decision.deviation) == (QUARANTINED, 6.0)
    assert drifted(decision)
    assert decision.reasons[0].startswith("share of notes in quarantine deviates by 6.0% (")


def test_none_on_either_side_is_no_deviation_with_a_bound_above_zero() -> None:
    drift = compare_window(served(20_000, 0), served(20_000, 1), WHOLE)
    one = column_of(drift)
    assert (one.deviation, one.noise, one.counts, one.fault) == (0, 0, False, None)
    assert 0 < (one.bound or 0) < 0.1
    assert (one.enough or 0) <= min(other.enough or 0 for other in drift.columns)
    assert decide(drift, WHOLE).decision == "none"
    small = column_of(compare_window(PROFILE_FRAME, served(50, 1), WHOLE))
    assert (small.bound or 0) > 2


def test_names_tell_notes_in_quarantine_apart() -> None:
    one = aside(1)
    several = pd.concat([one, one.assign(note="another"), one, one.assign(note="another")])
    assert [len(frame) for frame in distinct([several, several], PARAMS.columns)] == [2, 0]
    reference, window = served(800, 0), served(200, 1)
    drift = compare_window(reference, pd.concat([window, *[several] * 9]), WHOLE)
    assert column_of(drift).deviation == pytest.approx(100 * 2 / 202, abs=1e-4)


def test_rows_of_an_older_log_do_not_tell() -> None:
    reference, window = with_aside(served(900, 0), 100), with_aside(served(180, 1), 20, 98)
    older = served(5000, 2).drop(columns=QUARANTINED)
    for mixed in (pd.concat([window, older]), pd.concat([window, older.assign(quarantined=np.nan)])):
        told = compare_window(reference, mixed, WHOLE)
        assert (told.window, column_of(told).fault, column_of(told).deviation) == (5180, None, 0)
    for blind in (older, older.assign(quarantined=np.nan), older.assign(quarantined=pd.array([None] * 5000, "Int8"))):
        decision = judge(reference, [blind], WHOLE).decision
        assert (decision.decision, decision.alert) == ("unknown", True)
        assert decision.reasons[0].startswith("quarantined ")
        assert judge(reference, [window, blind], WHOLE).decision.decision == "unknown"
        assert add_up(reference, [window, blind], WHOLE).decision == "unknown"
        assert add_up(reference, [blind, window], WHOLE).decision != "unknown"
    decision = judge(older, [window], WHOLE, called="reference").decision
    assert decision.reasons[0] == "quarantined is missing in the reference"


def test_where_most_notes_or_all_of_them_are_in_quarantine_a_person_is_told() -> None:
    most = judge(served(800, 0), [with_aside(served(40, 1), 300)], PARAMS).decision
    assert (most.decision, most.column, most.alert) == ("redevelop", QUARANTINED, True)
    nothing = judge(served(800, 0), [aside(60)], PARAMS).decision
    assert (nothing.decision, nothing.alert) == ("unknown", True)
    assert nothing.reasons == ("60 notes of the last window are in quarantine, and none was served",)


def test_a_ward_whose_notes_are_set_aside_is_a_slice_that_changed() -> None:
    reference, window = served(4000, 0), served(2000, 1)
    ward = np.flatnonzero(window["speciality"] == "surgery")[:40]
    window.loc[ward, [name for name in window if name not in OF_NOTE]] = np.nan
    window.loc[ward, QUARANTINED] = 1
    judged = judge(reference, [window], PARAMS)
    assert judged.slices["speciality=surgery"].column == QUARANTINED
    assert drifted(judged.slices["speciality=surgery"])
    assert not drifted(judged.slices["speciality=oncology"])


def test_annotated_documents_are_not_in_quarantine() -> None:
    assert training_profile(documents(6), fake_extract, LABELS)[QUARANTINED].tolist() == [0] * 6


def test_the_command_reads_the_column_though_it_is_not_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text((Path(__file__).parents[2] / "params.yaml").read_text().replace("- quarantined", ""))
    served(800, 0).to_parquet("profile.parquet")
    with_aside(served(200, 1), 50).to_parquet("log.parquet")
    assert stage.main("--log log.parquet --profile profile.parquet --json out".split()) == 0
    drift = json.loads(Path("out/drift.json").read_text())
    assert QUARANTINED not in drift["columns"]
    assert drift["notes"]["window"] == 200
    assert json.loads(capsys.readouterr().out)["decision"] != "unknown"


def test_the_page_names_the_share_in_words_and_draws_notes_that_were_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[pd.DataFrame] = []
    monkeypatch.setattr(drift_page, "_html", lambda *given: drawn.extend(given[:2]) or "<body>")
    judged = judge(served(800, 0), [with_aside(served(200, 1), 50)], WHOLE)
    page = tmp_path / "drift.html"
    window = with_aside(served(200, 1), 50)
    assert drift_page.draw_drift(served(800, 0), window, judged.drift, judged.decision, page)
    assert "<td>share of notes in quarantine<td>20.0" in page.read_text()
    assert [len(frame) for frame in drawn] == [800, 200]
    assert QUARANTINED not in drawn[1] and "tokens" in drawn[1]
    assert "not drawn" not in capsys.readouterr().err


def test_the_column_is_whole_numbers_that_older_rows_need_not_have() -> None:
    field = serving_log(LABELS).field(QUARANTINED)
    assert (str(field.type), field.nullable) == ("int8", True)


# -- rare notes


def test_a_share_is_compared_by_the_exact_test_of_two_rates() -> None:
    """60 of 60 rare notes in a window of 1,000 against 448: by coins, 2.2e-10; 4 of 4 in 50 against 448: 1e-4."""
    sure = Counts("number", np.array([0, 940, 60]), np.array([0, 448, 0]))
    assert allowed(sure, noise_of(sure, 1), 1e-9) < 6 <= allowed(sure, noise_of(sure, 1), 1e-10)
    luck = Counts("number", np.array([0, 46, 4]), np.array([0, 448, 0]))
    assert allowed(luck, noise_of(luck, 1), 3e-4) < 8 <= allowed(luck, noise_of(luck, 1), 1.5e-4)
    fewer = Counts("number", np.array([0, 1000, 0]), np.array([0, 420, 28]))
    assert allowed(fewer, noise_of(fewer, 1), 1e-9) < 6.25
    turned = Counts("number", sure.window[[0, 2, 1]], sure.profile[[0, 2, 1]])
    assert allowed(turned, noise_of(turned, 1), 1e-9) == allowed(sure, noise_of(sure, 1), 1e-9)


@pytest.mark.simulation
@pytest.mark.parametrize("share", [0, 0.002, 0.01, 0.05])
def test_a_year_with_rare_notes_in_quarantine_has_no_alarm(share: float) -> None:
    """As many in the reference as in the weeks. Taken for a Gaussian, of weeks of 50 a fifth of years has one."""
    generator, alarms = np.random.default_rng(3), 0
    for _ in range(200):
        weeks, reference = generator.binomial(50, share, 52), int(generator.binomial(2000, share))
        windows = np.stack([0 * weeks, 50 - weeks, weeks], axis=1)
        column = Counts("number", windows, np.array([0, 2000 - reference, reference]))
        noise = noise_of(Counts("number", windows.sum(axis=0), column.profile), 1)
        alarms += bool(longest_runs(column, noise, PARAMS).windows.any())
    assert alarms <= 2


# -- exactly


@pytest.mark.parametrize(("window", "profile"), [((3, 997), (4, 1996)), ((40, 260), (1, 447)), ((0, 500), (9, 91))])
def test_what_is_beyond_chance_is_the_exact_conditional_test(window: tuple[int, int], profile: tuple[int, int]) -> None:
    """Of what both have together the window's part is binomial: the edge of its tail at half the level, counted."""
    level, (n, m), rare = 1e-3, (sum(window), sum(profile)), window[0] + profile[0]
    more = window[0] > rare * n / (n + m)
    part = n / (n + m) if more else m / (n + m)  # of the side on which there is more

    def tail(count: int) -> float:
        return sum(math.comb(rare, one) * part**one * (1 - part) ** (rare - one) for one in range(count + 1, rare + 1))

    edge = next(count for count in range(rare + 1) if tail(count) <= level / 2)
    on_window = edge if more else rare - edge
    counts = Counts("number", np.array([[0, window[1], window[0]]]), np.array([0, profile[1], profile[0]]))
    [found] = allowed(counts, noise_of(Counts("number", counts.window[0], counts.profile), 1), level)
    assert found == pytest.approx(100 * abs(on_window / n - (rare - on_window) / m))
