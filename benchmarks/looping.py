"""The plain loop: ``python -m benchmarks.looping MODELS NOTES OUT`` extracts note by note, and keeps nothing.

`NOTES` is JSON lines with a text each. What it took is written to `OUT` as JSON. With ``--part 1 2`` it reads
every other one, from the second on: as many loops at once as there are parts read all of them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.timing import peak_memory_mb

_WARMING = 50


def main(arguments: Sequence[str] | None = None) -> None:
    """Load, warm, loop."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looping", description=__doc__)
    for name in ("models", "notes", "out"):
        parser.add_argument(name, type=Path, metavar=name.upper())
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("PART", "PARTS"), help="counted from 0")
    options = parser.parse_args(arguments)
    part, parts = options.part
    import stages.common  # noqa: F401  (chooses the kernels of OpenBLAS; before numpy)
    from stages.train.extractor import load_extractor

    extractor = load_extractor(options.models)
    with options.notes.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines][part::parts]
    for text in texts[:_WARMING]:
        extractor.extract(text)
    started, cpu = time.monotonic(), time.process_time()
    mentions = sum(len(extractor.extract(text).mentions) for text in texts)
    took = {"cpu_seconds": time.process_time() - cpu, "seconds": time.monotonic() - started, "start_cpu_seconds": cpu}
    options.out.write_text(json.dumps(took | {"mentions": mentions, "memory_mb": peak_memory_mb()}), encoding="utf-8")


if __name__ == "__main__":
    main()
