"""What assertions cost: extraction with them and without, on the project's own notes.

    python -m benchmarks.assertion_cost [--models models] [--rounds 20] [--json out.json]

Both take turns note by note, never on the same note one after the other: what else the machine does then slows both
alike, and neither finds the other's note in the processor's cache. Of the CPU times of a note the least counts.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.timing import cpu_seconds, only_own_garbage
from stages.common.command import run_command
from stages.common.files import read_table, write_json

DOCUMENTS = Path("data/prepared/documents.parquet")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options = _parser().parse_args(arguments)
    return run_command("benchmarks.assertion_cost", lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.assertion_cost", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="model folder (default: models)")
    parser.add_argument("--rounds", type=int, default=20, help="how often each note is read (default: 20)")
    parser.add_argument("--json", type=Path, help="where the result goes; it is printed anyway")
    return parser


def _run(options: argparse.Namespace) -> None:
    result = cost(options.models, read_table(DOCUMENTS, ["text"])["text"].tolist(), options.rounds)
    if options.json:
        write_json(options.json, result)
    both, neither, more = result["with"], result["without"], 100 * result["more"]
    print(f"{result['notes']} notes: {both:.3f} CPU s with assertions, {neither:.3f} without, {more:+.1f}%")


def cost(models: Path, texts: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return the CPU seconds that all texts take with assertions and without, and how much more it is with them."""
    from stages.train import extractor
    from stages.train.assertion.context import PLAIN

    def plain(*arguments: Any) -> list[list[Any]]:
        return [[PLAIN] * len(spans) for spans in arguments[3]]

    extract, ways = extractor.load_extractor(models).extract, (extractor.assertions, plain)
    least = [[math.inf] * len(texts) for _ in ways]
    with only_own_garbage():
        for way, note in _turns(len(texts), rounds):
            with patch.object(extractor, "assertions", ways[way]):
                seconds = cpu_seconds(lambda text=texts[note]: extract(text))  # type: ignore[misc]
            least[way][note] = min(least[way][note], seconds)
    both, neither = map(sum, least)
    return {"notes": len(texts), "with": both, "without": neither, "more": both / neither - 1}


def _turns(notes: int, rounds: int) -> Iterator[tuple[int, int]]:
    """Yield way and note: both go through all notes, one of them half of the notes ahead of the other."""
    for turn in range(rounds):
        for note in range(notes):
            for way in (0, 1) if turn % 2 else (1, 0):
                yield way, (note + way * (notes // 2)) % notes


if __name__ == "__main__":
    sys.exit(main())
