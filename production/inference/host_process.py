"""Finds the mentions of notes with one model and the code that trained it: ``python -P host_process.py CODE MODELS``.

A process imports `stages` once. A champion brings its own, which need not be that of the worker around it: so it runs
in a process of its own, which can also be ended when a note takes too long, and takes no worker along when it dies.

Notes come, and extractions go, through pipes as lines of JSON, and touch no disk. The first line that goes out names
the labels of the model: it is loaded and warm then. After that each line that comes in is a number and a note, and
each that goes out the same number and what was found in the note; see `production.inference.host.Found`. A note that
takes more memory than it may is answered by that as its `problem`. With the worker, however that ends, it ends too.
"""

import argparse
import gc
import json
import os
import signal
import sys
from operator import attrgetter

WARMING = (
    "Walk.",
    "Known COPD, no asthma. Start tiotropium 18 mcg once daily.",
    "Chronic obstructive pulmonary disease (COPD) with type 2 diabetes; COPD-like cough, qxzwv.\n- metformin 500 mg",
)
"""Invented notes: without, with one and with many spans to judge."""


def main() -> None:
    """Answer notes until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("code", metavar="CODE", help="folder that holds the model's `stages`")
    parser.add_argument("models", metavar="MODELS", help="model folder, as the stage train writes it")
    parser.add_argument("--note-megabytes", type=int, help="memory that a note may take beside the model")
    options = parser.parse_args()
    _end_with_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    sys.path.insert(0, options.code)
    from pathlib import Path

    import stages.common  # noqa: F401  (chooses the kernels of OpenBLAS; before numpy)
    from stages.train.extractor import load_extractor

    extractor = load_extractor(Path(options.models))
    extractor.extract_all(WARMING)
    gc.freeze()  # a model is no garbage: the collector need not go through it again and again
    if options.note_megabytes:
        _limit_memory(options.note_megabytes)
    _send(answers, {"labels": list(extractor.labels)})
    for line in sys.stdin:
        number, note = json.loads(line)
        try:
            extraction, ends = _read(extractor, note)
        except MemoryError:
            _send(answers, {"note": number, "problem": "memory"})
            continue
        spans = {kind: [*map(_described, getattr(extraction, kind))] for kind in ("mentions", "suggestions")}
        whole = {name: getattr(extraction, name) for name in ("accepted", "sentences", "tokens", "unknown_tokens")}
        _send(answers, {"note": number, "ends": ends} | spans | whole)


def _end_with_parent() -> None:
    """End soon after the process that started this one: a note without an end would keep it from seeing that."""
    parent = os.getppid()

    def look(*_: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    # Not a thread: a regular expression that goes astray lets none run, and lets signals be handled.
    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)


SPAN = ("start", "end", "label", "confidence", "accepted", "assertion")
"""What is said of each mention; a model from before assertions says that all are present."""


def _read(extractor, note):  # type: ignore[no-untyped-def]
    """Return what a model finds in a note, and where its sentences end, None where its code tells that to nobody."""
    if not hasattr(extractor, "extract_tokens"):
        return extractor.extract(note), None
    from stages.prepare.segmentation import segment

    sentences = segment(note)
    return extractor.extract_tokens(note, sentences), [tokens[-1].end for tokens in sentences]


def _limit_memory(megabytes):  # type: ignore[no-untyped-def]
    """Let what is asked for beyond so much fail; where the system does not say what there is, nothing is limited."""
    import resource
    from pathlib import Path

    try:
        held = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    except OSError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = held + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if most < 0 else min(limit, most), most))


_described_now = attrgetter(*SPAN)


def _described(span):  # type: ignore[no-untyped-def]
    try:
        return _described_now(span)
    except AttributeError:
        return [getattr(span, name, "present") for name in SPAN]


def _send(answers, value) -> None:  # type: ignore[no-untyped-def]
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
