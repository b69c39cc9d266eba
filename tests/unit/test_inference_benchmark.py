"""The benchmark of inference: its notes are many, distinct and the same again; its figures are what they say."""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

import pytest

from benchmarks import inference
from benchmarks.inference import figures_of, mean_of, middle_of, table_of
from benchmarks.recombined import recombined, seed_notes
from benchmarks.running import Run
from stages.common.errors import BeHealthyError

RUN = Run("sqlite", 2, 150.0, 10.0, 100.0, 0.0, 50.0, 0.4, 0.9, 150.0, 152.0, 280.0, 281.0)
LOOP = {"cpu_seconds": 100.0, "start_cpu_seconds": 2.0, "seconds": 101.0, "memory_mb": 280.0}


def test_recombined_notes_are_distinct_the_same_again_and_of_two_halves() -> None:
    seeds = seed_notes()
    notes = list(recombined(seeds, 3000))
    assert len({text for text, _ in notes}) == 3000
    assert notes == list(recombined(seeds, 3000))
    firsts, seconds = {one.text[: one.middle] for one in seeds}, {one.text[one.middle :] for one in seeds}
    for text, metadata in islice(notes, 50):
        assert any(text.startswith(half) and text[len(half) :] in seconds for half in firsts)
        assert metadata["note_type"]
    with pytest.raises(BeHealthyError, match="take fewer"):
        list(recombined(seeds[:3], 4))


def test_what_it_takes_to_start_is_taken_off() -> None:
    found = figures_of(RUN, LOOP, 100_000)
    assert found["times_the_loop"] == pytest.approx(1.4)
    assert found["with_start"] == pytest.approx(150 / 102)
    assert found["cpu_ms_a_note"] == pytest.approx(1.4)
    assert found["host_times_the_loop"] == pytest.approx(1.0)
    assert found["notes_a_second"] == 2000
    assert found["share_of_a_core"] == pytest.approx(1.4e3 / 86_400)


def test_each_run_is_held_against_the_loops_beside_it_and_the_middle_one_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loops = iter([LOOP | {"cpu_seconds": seconds} for seconds in (100.0, 100.0, 200.0, 200.0)])
    monkeypatch.setattr(inference, "_loop", lambda *_: next(loops))
    monkeypatch.setattr(inference, "run_infer", lambda *_: RUN)
    options = argparse.Namespace(notes=100, models=tmp_path, database="sqlite", workers=2, rounds=3)
    (found,) = inference.measure(options, tmp_path)["pipeline"]
    assert found["rounds"] == pytest.approx([1.4, 140 / 150, 0.7])
    assert found["times_the_loop"] == pytest.approx(140 / 150)
    assert middle_of([{"times_the_loop": 1.5}, {"times_the_loop": 1.1}])["times_the_loop"] == 1.5
    assert mean_of({"cpu_seconds": 1.0}, {"cpu_seconds": 3.0}) == {"cpu_seconds": 2.0}


def test_the_table_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = {"notes": 100_000, "loops": [LOOP, LOOP], "pipeline": [figures_of(RUN, LOOP, 100_000)]}
    assert "sqlite, 2 workers         1.40   1.40    1.47" in table_of(result)
    (tmp_path / "model.json").touch()
    monkeypatch.setattr(inference, "measure", lambda *_: result)
    out = tmp_path / "out.json"
    assert inference.main(["--models", str(tmp_path), "--json", str(out)]) == 1
    assert json.loads(out.read_text())["pipeline"][0]["workers"] == 2
    result["pipeline"][0]["times_the_loop"] = 1.3
    assert inference.main(["--models", str(tmp_path)]) == 0
    assert inference.main(["--models", str(tmp_path / "missing")]) == 2
