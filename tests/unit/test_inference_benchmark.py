"""The benchmark of inference: its notes are many, distinct and the same again; its figures are what they say."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from itertools import islice
from pathlib import Path
from threading import Barrier, Lock
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from benchmarks import inference, looping, loops
from benchmarks.inference import figures_of, middle_of, table_of
from benchmarks.loops import Took, loops_at_once, mean_of, together
from benchmarks.recombined import recombined, seed_notes
from benchmarks.running import Run
from stages.common.errors import BeHealthyError

RUN = Run("sqlite", 2, 150.0, 10.0, 100.0, 0.0, 50.0, 0.4, 0.9, 150.0, 152.0, 280.0, 281.0)
LOOP: Took = {"cpu_seconds": 100.0, "start_cpu_seconds": 2.0, "seconds": 101.0, "memory_mb": 280.0}


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
    found = figures_of(RUN, LOOP, LOOP | {"cpu_seconds": 125.0}, 100_000)
    assert found["times_the_loop"] == pytest.approx(1.4)
    assert found["times_the_peer"] == pytest.approx(1.12)
    assert found["with_start"] == pytest.approx(150 / 102)
    assert found["cpu_ms_a_note"] == pytest.approx(1.4)
    assert found["host_times_the_loop"] == pytest.approx(1.0)
    assert found["notes_a_second"] == 2000
    assert found["share_of_a_core"] == pytest.approx(1.4e3 / 86_400)


def test_each_run_is_held_against_the_loops_beside_it_and_the_middle_one_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alone = iter([100.0, 160.0, 100.0, 100.0, 200.0, 200.0])  # the second beside a busy process
    at_once = iter([120.0, 120.0, 240.0, 240.0])
    busy = list[bool]()

    def took(models: Path, notes: Path, folder: Path, number: int) -> Took:
        busy.append(any("while True: pass" in one.cmdline() for one in psutil.Process().children()))
        return LOOP | {"cpu_seconds": next(alone if number == 1 else at_once)}

    monkeypatch.setattr(inference, "loops_at_once", took)
    monkeypatch.setattr(inference, "run_infer", lambda *_: RUN)
    options = argparse.Namespace(notes=100, models=tmp_path, database="sqlite", workers=2, rounds=3)
    result = inference.measure(options, tmp_path)
    (found,) = result["pipeline"]
    assert found["rounds"] == pytest.approx([1.4, 140 / 150, 0.7])
    assert found["times_the_loop"] == pytest.approx(140 / 150)
    assert found["times_the_peer"] == pytest.approx(140 / 180)
    assert result["loop_beside_a_busy_process"] == pytest.approx(1.6)
    assert busy == [False, True, *[False] * 8]
    assert middle_of([{"times_the_loop": 1.5}, {"times_the_loop": 1.1}])["times_the_loop"] == 1.5
    assert mean_of({"cpu_seconds": 1.0}, {"cpu_seconds": 3.0}) == {"cpu_seconds": 2.0}


def test_loops_at_once_read_every_note_once_between_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    notes, extracted = tmp_path / "notes.jsonl", Counter[str]()
    notes.write_text("".join(json.dumps({"text": text}) + "\n" for text in "abcde"), encoding="utf-8")
    all_started, one_by_one = Barrier(2, timeout=10), Lock()

    class Counting:
        def extract(self, text: str) -> SimpleNamespace:
            extracted[text] += 1
            return SimpleNamespace(mentions=[text])

    def run_module(_: str, arguments: list[str], *, niced: bool) -> None:
        all_started.wait()
        with one_by_one:
            looping.main(arguments[1:])

    monkeypatch.setattr("stages.train.extractor.load_extractor", lambda _: Counting())
    monkeypatch.setattr(loops, "run_module", run_module)
    took = loops_at_once(tmp_path, notes, tmp_path, 2)
    assert extracted == Counter("abcde" * 2)  # once to warm up
    assert (took["loops"], took["mentions"]) == (2, 5)


def test_what_loops_take_together() -> None:
    one, other = LOOP, LOOP | {"cpu_seconds": 50.0, "seconds": 60.0, "memory_mb": 290.0}
    took = together([one, other])
    assert (took["cpu_seconds"], took["start_cpu_seconds"]) == (150.0, 4.0)
    assert (took["seconds"], took["memory_mb"]) == (101.0, 290.0)


def test_the_table_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = LOOP | {"cpu_seconds": 125.0}
    result: dict[str, Any] = {
        "notes": 100_000,
        "loops": [{1: LOOP, 2: pair}],
        "loop_beside_a_busy_process": 1.234,
        "pipeline": [figures_of(RUN, LOOP, pair, 100_000)],
    }
    assert "1 at once 1.00 to 1.00, 2 at once 1.25 to 1.25 ms" in table_of(result)
    assert "beside a busy process 1.23 times" in table_of(result)
    assert "sqlite, 2 workers         1.40   1.40   1.12    1.47" in table_of(result)
    (tmp_path / "model.json").touch()
    monkeypatch.setattr(inference, "measure", lambda *_: result)
    out = tmp_path / "out.json"
    assert inference.main(["--models", str(tmp_path), "--json", str(out)]) == 1
    assert json.loads(out.read_text())["pipeline"][0]["workers"] == 2
    result["pipeline"][0]["times_the_loop"] = 1.3
    assert inference.main(["--models", str(tmp_path)]) == 0
    assert inference.main(["--models", str(tmp_path / "missing")]) == 2
