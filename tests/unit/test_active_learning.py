"""The simulated learning curve, and what is read from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks import active_learning, savings
from benchmarks.active_learning import COLUMNS, QUEUE, RANDOM, STRATEGIES
from tests.tiny_corpora import notes_of, write_pubtator


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("active")
    train = write_pubtator(folder / "train", notes_of(60, 1))
    test = write_pubtator(folder / "test", notes_of(20, 2))
    path = folder / "curves.csv"
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["featurize"] |= {"clusters": [16], "topic_clusters": []}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    arguments = ["--format", "pubtator", "--train", str(train), "--test", str(test), "--csv", str(path)]
    arguments += ["--params", str(folder / "params.yaml")]
    assert active_learning.main([*arguments, "--seeds", "1", "--other-seeds", "1"]) == 0
    return path


def test_every_strategy_begins_alike_and_annotates_as_many_notes(curves: Path) -> None:
    table = pd.read_csv(curves)
    assert list(table.columns) == COLUMNS
    assert set(table["strategy"]) == {RANDOM, *STRATEGIES}
    first = table[table["documents"] == table["documents"].min()]
    assert first[["tokens", "mentions"]].drop_duplicates().shape == (1, 2)
    sizes = table.groupby("strategy")["documents"].apply(list)
    assert all(sizes[name] == sizes[QUEUE] for name in STRATEGIES)
    assert sizes[RANDOM][-1] == 60
    assert table.groupby("strategy")["tokens"].is_monotonic_increasing.all()


def test_the_tagger_learns(curves: Path) -> None:
    table = pd.read_csv(curves)
    assert table[table["strategy"] == RANDOM]["f1"].iloc[-1] > 0.9


def test_savings_are_printed_and_drawn(curves: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = curves.with_suffix(".png")
    assert savings.main([f"tiny={curves}", "--plot", str(plot)]) == 0
    assert "tiny: 60 notes" in capsys.readouterr().out
    assert plot.read_bytes().startswith(b"\x89PNG")


def made_up(strategy: str, speed: float, seed: int = 0) -> pd.DataFrame:
    sizes = np.arange(10, 101, 10)
    rows = [(strategy, seed, n, 20 * n, 3 * n, min(1.0, speed * n / 100)) for n in sizes]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_an_order_that_learns_twice_as_fast_saves_half() -> None:
    base, other = made_up(RANDOM, 0.5), made_up(QUEUE, 1.0)
    for cost in savings.COSTS:
        assert savings.saving(base, other, 0.6, cost) == pytest.approx(0.5)
    assert savings.saving(base, base, 0.6, "documents") == pytest.approx(0)
    assert savings.saving(other, base, 0.6, "documents") != savings.saving(other, base, 0.6, "documents")  # never there


def test_the_spread_is_over_seeds_that_begin_alike() -> None:
    base = pd.concat([made_up(RANDOM, speed, seed) for seed, speed in enumerate((0.4, 0.5, 0.8))])
    other = pd.concat([made_up(QUEUE, 1.0, seed) for seed in range(3)])
    assert savings.spread(base, other, 0.5, "documents") == pytest.approx((0.2, 0.6))
    assert np.isnan(savings.spread(other, base, 0.8, "documents")).all()


@pytest.mark.parametrize("content", ["a,b\n1,2\n", ",".join(COLUMNS) + "\n"])
def test_what_holds_no_curves_is_refused(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "curves.csv"
    path.write_text(content)
    assert savings.main([str(path)]) == 2
    assert "does not hold curves" in capsys.readouterr().err
