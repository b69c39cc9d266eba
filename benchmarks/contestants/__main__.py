"""Run one contestant in a process of its own, and write what was measured."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import CONTESTANTS, OURS, Contestant, contestant
from benchmarks.task import Note, Task, token_count
from benchmarks.timing import cpu_seconds, peak_memory_mb, rate
from stages.common.command import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one of the `STEPS`, and write what was measured."""
    from threadpoolctl import threadpool_limits

    parser = argparse.ArgumentParser(prog="python -m benchmarks.contestants", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("input", type=Path, help="the task, as `benchmarks.task` writes it")
    parser.add_argument("folder", type=Path, help="of the model")
    parser.add_argument("out", type=Path, help="JSON to write")
    options = parser.parse_args(arguments)
    with threadpool_limits(limits=1):
        return run_command("benchmarks.contestants", lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    measured = STEPS[options.step](options.name, options.input, options.folder)
    measured["peak_memory_mb"] = peak_memory_mb()
    options.out.write_text(json.dumps(measured, ensure_ascii=False), encoding="utf-8")


def learned(name: str, given: Path, folder: Path) -> dict[str, Any]:
    """Train; report the CPU seconds, all threads together."""
    task = Task.read(given)
    folder.mkdir(parents=True, exist_ok=True)
    return {"train_cpu_seconds": cpu_seconds(lambda: contestant(name).learn(task, folder))}


def tagged(name: str, given: Path, folder: Path) -> dict[str, Any]:
    """Find the mentions of the test notes, and measure how fast that goes."""
    task, it = Task.read(given), contestant(name)
    it.load(folder).tag([note.sentences for note in task.test[:1]])  # imports everything, compiles the loops
    start = time.perf_counter()
    tagger = it.load(folder)
    seconds = time.perf_counter() - start
    if name == OURS:
        from benchmarks.contestants.ours import mentions_of_test

        mentions = mentions_of_test(task, folder)
    else:
        notes = tagger.tag([note.sentences for note in task.test])
        mentions = {note.name: _in_characters(note, spans) for note, spans in zip(task.test, notes, strict=True)}
    return {
        "mentions": mentions,
        "load_seconds": seconds,
        **rates(it, task, folder),
        "version": "" if name == OURS else importlib.metadata.version(name),
    }


def served(name: str, given: Path, folder: Path) -> dict[str, Any]:
    """Read texts one by one, as production does, for the memory that takes: nothing else is held."""
    tagger = contestant(name).load(folder)
    with given.open(encoding="utf-8") as lines:
        return {"tokens": sum(tagger.read([json.loads(line)]) for line in lines)}


STEPS = {"learn": learned, "tag": tagged, "serve": served}


def _in_characters(note: Note, by_sentence: list) -> list[tuple[int, int, str]]:
    return [
        (offsets[first][0], offsets[end - 1][1], label)
        for offsets, spans in zip(note.offsets, by_sentence, strict=True)
        for first, end, label in spans
    ]


def rates(it: Contestant, task: Task, folder: Path) -> dict[str, float]:
    """Return tokens per CPU second, each time with a model loaded anew.

    *Warm*: one untimed pass over the training notes goes before; what is new in the test notes is
    still new. *Cold*: the model has read nothing. *Text*: warm, from raw text, with segmentation.
    """
    train, test = ([note.sentences for note in notes] for notes in (task.train, task.test))
    texts = [note.text for note in task.test]

    def warmed() -> Any:
        tagger = it.load(folder)
        tagger.tag(train)
        return tagger

    def cold() -> Any:
        tagger = it.load(folder)
        return lambda: tagger.tag(test)

    def warm() -> Any:
        tagger = warmed()
        return lambda: tagger.tag(test)

    def from_text() -> Any:
        tagger = warmed()
        return lambda: tagger.read(texts)

    tokens = token_count(task.test)
    return {
        "tokens_per_cpu_second": rate(tokens, warm),
        "cold_tokens_per_cpu_second": rate(tokens, cold),
        "text_tokens_per_cpu_second": rate(it.load(folder).read(texts), from_text),
    }


if __name__ == "__main__":
    sys.exit(main())
