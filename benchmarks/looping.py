"""The plain loop: ``python -m benchmarks.looping MODELS NOTES OUT`` extracts note by note, and keeps nothing.

`NOTES` is JSON lines with a text each. What it took is written to `OUT` as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.timing import peak_memory_mb

_WARMING = 50


def main() -> None:
    """Load, warm, loop."""
    models, notes, out = map(Path, sys.argv[1:])
    import stages.common  # noqa: F401  (chooses the kernels of OpenBLAS; before numpy)
    from stages.train.extractor import load_extractor

    extractor = load_extractor(models)
    with notes.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    for text in texts[:_WARMING]:
        extractor.extract(text)
    started, cpu = time.monotonic(), time.process_time()
    mentions = sum(len(extractor.extract(text).mentions) for text in texts)
    took = {"cpu_seconds": time.process_time() - cpu, "seconds": time.monotonic() - started, "start_cpu_seconds": cpu}
    out.write_text(json.dumps(took | {"mentions": mentions, "memory_mb": peak_memory_mb()}), encoding="utf-8")


if __name__ == "__main__":
    main()
