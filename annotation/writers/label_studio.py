"""`label-studio`: tasks to import into Label Studio, for the configuration in annotation/label_studio."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stages.common.documents import Document

FROM, TO = "label", "text"
"""Names of the control and of the object in annotation/label_studio/config.xml."""


def encode(documents: Sequence[Document], predictions: bool, confidences: Sequence[Sequence[float]] | None) -> bytes:
    """Return a JSON list of tasks.

    A prediction's score is that of its least certain mention, so that sorting the tasks by it shows
    the notes with the greatest doubt first.
    """
    tasks = [
        _predicted(document, confidences[number] if confidences else None) if predictions else _annotated(document)
        for number, document in enumerate(documents)
    ]
    return (json.dumps(tasks, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode("utf-8")


def _annotated(document: Document) -> dict[str, Any]:
    annotation: dict[str, Any] = {"result": _results(document, None), "was_cancelled": False, "ground_truth": False}
    if document.seconds is not None:
        annotation["lead_time"] = document.seconds
    return {"data": _data(document), "annotations": [annotation]}


def _predicted(document: Document, confidences: Sequence[float] | None) -> dict[str, Any]:
    prediction: dict[str, Any] = {"model_version": "behealthy", "result": _results(document, confidences)}
    if confidences:
        prediction["score"] = min(confidences)
    return {"data": _data(document), "predictions": [prediction]}


def _data(document: Document) -> dict[str, str]:
    return {"document": document.id, "text": document.text, **document.metadata}


def _results(document: Document, confidences: Sequence[float] | None) -> list[dict[str, Any]]:
    results = []
    for number, (start, end, label) in enumerate(document.mentions):
        result: dict[str, Any] = {
            "id": f"m{number}",
            "from_name": FROM,
            "to_name": TO,
            "type": "labels",
            "value": {"start": start, "end": end, "text": document.text[start:end], "labels": [label]},
        }
        if confidences is not None:
            result["score"] = confidences[number]
        results.append(result)
    return results
