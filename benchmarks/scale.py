"""Cost against corpus size: one pass over a text that never ends, notes drawn anew in every round.

Runs in a process of its own, so that the memory it reports is the tagger's. One token in a hundred
is replaced by a word that was never seen, because a corpus brings new words as long as it grows and
a cache that only ever met the same text would prove nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.task import Sentences
from benchmarks.timing import peak_memory_mb, resident_memory_mb
from stages.common.command import run_command
from stages.common.files import replacing, write_csv

if TYPE_CHECKING:
    from stages.train.extractor import Extractor

COLUMNS = ("tokens", "cpu_seconds", "tokens_per_cpu_second", "resident_mb", "peak_mb")
POINTS = 20
NEW_WORDS = 0.01
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def endless(notes: Sequence[Sentences], seed: int, new_words: float = NEW_WORDS) -> Iterator[Sentences]:
    """Yield notes for ever, shuffled in every round, some words replaced by unseen ones."""
    generator = random.Random(seed)  # noqa: S311  # an order, not a secret
    order = list(range(len(notes)))
    while True:
        generator.shuffle(order)
        for number in order:
            yield [[_changed(token, generator, new_words) for token in sentence] for sentence in notes[number]]


def _changed(token: str, generator: random.Random, share: float) -> str:
    if generator.random() >= share or not token.isalpha():
        return token
    return token[:3] + "".join(generator.choices(_LETTERS, k=6))


def measure(extractor: Extractor, notes: Sequence[Sentences], most: int, seed: int = 1) -> pd.DataFrame:
    """Tag `most` tokens, note by note; nothing is kept.

    Returns
    -------
    DataFrame
        `COLUMNS` at `POINTS` sizes; the rate is that of the stretch since the row before.
    """
    rows: list[tuple[float, ...]] = []
    stream = endless(notes, seed)
    tokens = before = 0
    seconds = 0.0
    for point in range(1, POINTS + 1):
        spent = 0.0
        while tokens < most * point / POINTS:
            note = next(stream)
            start = time.process_time()
            extractor.tagger.tag(extractor.read(note))
            spent += time.process_time() - start
            tokens += sum(map(len, note))
        seconds += spent
        rows.append((tokens, seconds, (tokens - before) / max(spent, 1e-9), resident_memory_mb(), peak_memory_mb()))
        before = tokens
        print(f"scale: {tokens:,} tokens, {seconds:.1f} CPU s, {rows[-1][3]:.0f} MB", file=sys.stderr, flush=True)
    return pd.DataFrame(rows, columns=COLUMNS)


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Say how far the cost is from a straight line, and how much the memory grew.

    Returns
    -------
    dict
        ``tokens``, ``cpu_seconds``; ``worst_from_line``: the largest distance of the CPU seconds
        from the line through 0 and the last point, as a share of the total; ``memory_growth_mb``
        from the middle to the end; ``peak_memory_mb``.
    """
    last = table.iloc[-1]
    line = table["tokens"] * (last["cpu_seconds"] / last["tokens"])
    return {
        "tokens": int(last["tokens"]),
        "cpu_seconds": float(last["cpu_seconds"]),
        "worst_from_line": float((table["cpu_seconds"] - line).abs().max() / last["cpu_seconds"]),
        "memory_growth_mb": float(last["resident_mb"] - table["resident_mb"].iloc[len(table) // 2]),
        "peak_memory_mb": float(last["peak_mb"]),
    }


def draw_scale(table: pd.DataFrame, path: Path) -> None:
    """Draw CPU seconds and memory against tokens."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (cost, memory) = plt.subplots(1, 2, figsize=(9, 3.6), constrained_layout=True)
    millions = table["tokens"] / 1e6
    cost.plot(millions, table["cpu_seconds"], marker="o", markersize=3)
    cost.set(xlabel="million tokens", ylabel="CPU seconds, one core", xlim=(0, None), ylim=(0, None))
    memory.plot(millions, table["resident_mb"], marker="o", markersize=3)
    memory.set(xlabel="million tokens", ylabel="resident memory, MB", xlim=(0, None), ylim=(0, None))
    for axes in (cost, memory):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure (called by `benchmarks.throughput`)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("notes", type=Path, help="JSON: the sentences of each note")
    parser.add_argument("tokens", type=int, help="length of the text")
    parser.add_argument("csv", type=Path, help="where the table goes")
    options = parser.parse_args(arguments)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return run_command("benchmarks.scale", lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    from stages.train.extractor import Extractor

    notes = json.loads(options.notes.read_text(encoding="utf-8"))
    write_csv(options.csv, measure(Extractor.load(options.model), notes, options.tokens))


if __name__ == "__main__":
    sys.exit(main())
