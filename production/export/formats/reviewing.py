"""Notes with their mentions for annotation tools, where people review them: brat and Label Studio."""

from __future__ import annotations

import json
from collections.abc import Sequence

from annotation.writers import brat, label_studio
from production.export.formats import Open, Settings
from production.export.results import Result
from stages.common.documents import METADATA, Document, Mention


class Brat:
    """Writes `brat/NUMBER.txt` and `.ann`, by the note's number; what is not *present* is an attribute `Assertion`."""

    def __init__(self, open: Open, settings: Settings) -> None:
        self._open = open

    def add(self, results: Sequence[Result]) -> None:
        """Write two files for each note."""
        for result in results:
            files = brat.encode([_document(result)], True, None)
            files[f"{result.key.note_id}.ann"] += _attributes(result)
            for name, content in files.items():
                with self._open(f"brat/{name}") as file:
                    file.write(content)

    def close(self) -> None:
        """Nothing is open."""


class LabelStudio:
    """Writes `tasks.json`: a task for each note, its mentions as a prediction, their assertion as its text."""

    def __init__(self, open: Open, settings: Settings) -> None:
        self._file = open("tasks.json")
        self._file.write(b"[")
        self._tasks = 0

    def add(self, results: Sequence[Result]) -> None:
        """Write tasks."""
        for result in results:
            confidences = [[span.confidence for span in result.mentions]]
            [task] = json.loads(label_studio.encode([_document(result)], True, confidences))
            task["data"]["source"], task["data"]["source_id"] = result.source, result.source_id
            [prediction] = task["predictions"]
            prediction["model_version"] = result.key.model_version
            for marked, span in zip(prediction["result"], result.mentions, strict=True):
                marked["meta"] = {"text": [span.assertion]}
            content = json.dumps(task, ensure_ascii=False, allow_nan=False)
            self._file.write((",\n" if self._tasks else "\n").encode() + content.encode())
            self._tasks += 1

    def close(self) -> None:
        """End the list, and close the file."""
        self._file.write(b"\n]\n")
        self._file.close()


def _document(result: Result) -> Document:
    told = {name: result.metadata.get(name) for name in METADATA}
    metadata = {name: value for name, value in told.items() if isinstance(value, str)}
    mentions = tuple(Mention(span.start, span.end, span.label) for span in result.mentions)
    return Document(id=str(result.key.note_id), text=result.text, mentions=mentions, metadata=metadata)


def _attributes(result: Result) -> bytes:
    said = [(number, span.assertion) for number, span in enumerate(result.mentions, 1) if span.assertion != "present"]
    return "".join(f"A{n}\tAssertion T{mention} {what}\n" for n, (mention, what) in enumerate(said, 1)).encode()
