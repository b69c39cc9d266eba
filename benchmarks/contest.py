"""Runs contestants one after the other, each in processes of its own, and collects what they measured."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS
from benchmarks.environment import peers_python, run_module
from benchmarks.task import Task
from stages.common.files import read_json

RATES = ("tokens_per_cpu_second", "cold_tokens_per_cpu_second", "text_tokens_per_cpu_second")


def run(name: str, task: Task, folder: Path) -> dict[str, Any]:
    """Let one contestant learn and tag.

    Parameters
    ----------
    name : str
        A key of `CONTESTANTS`.
    task : Task
    folder : Path
        Where it puts its model, ``folder / "model"``, and its answers.

    Returns
    -------
    dict
        ``mentions`` by document, ``train_cpu_seconds``, the three `RATES`, ``load_seconds``,
        ``peak_memory_mb`` (of the hungriest process, training as a rule), ``tagging_memory_mb``
        (of a process that does nothing but read the test texts one by one).
    """
    python = sys.executable if name == OURS else peers_python()
    folder.mkdir(parents=True, exist_ok=True)
    model, task_file, texts = folder / "model", folder / "task.json", folder / "texts.jsonl"
    task.write(task_file)
    texts.write_text("".join(json.dumps(note.text) + "\n" for note in task.test), encoding="utf-8")
    answers = {}
    for step, given in (("learn", task_file), ("tag", task_file), ("serve", texts)):
        say(f"{name}: {step}")
        out = folder / f"{step}.json"
        arguments = ["benchmarks.contestants", step, name, str(given), str(model), str(out)]
        run_module(python, arguments, niced=name != OURS)
        answers[step] = read_json(out)
    result = answers["tag"]
    result["mentions"] = {document: [tuple(span) for span in spans] for document, spans in result["mentions"].items()}
    result["train_cpu_seconds"] = answers["learn"]["train_cpu_seconds"]
    result["tagging_memory_mb"] = answers["serve"]["peak_memory_mb"]
    result["peak_memory_mb"] = max(answer["peak_memory_mb"] for answer in answers.values())
    return result


def with_clusters(task: Task, model: Path) -> Task:
    """Return the task with the word clusters of our model, for the peer that shares its attributes."""
    from benchmarks.plain import words_of
    from stages.featurize.attributes.extractor import AttributeExtractor

    words = AttributeExtractor.load(model / "attributes").words
    clusters = words.clusters_of(words_of([note.sentences for note in (*task.train, *task.test)]))
    return replace(task, clusters={word: list(names) for word, names in clusters.items()})


def say(message: str) -> None:
    """Print a line of progress."""
    print(f"benchmarks: {message}", file=sys.stderr, flush=True)
