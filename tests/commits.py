"""A small git repository whose commits say what commits of the project say: metrics, parameters, hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.repository import Repository

Counts = Mapping[str, tuple[int, int, int]]
"""tp, fp, fn by document."""


def repository_at(root: Path) -> Repository:
    root.mkdir(parents=True, exist_ok=True)
    made = Repository(root)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("config", "user.name", "Tester")
    made.git("config", "user.email", "tester@example.org")
    return made


def write(root: Path, name: str, content: Any) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    path.write_text(text, encoding="utf-8")


def write_counts(root: Path, by_label: Mapping[str, Counts]) -> None:
    rows = sorted(
        f"{document},{label},{tp},{fp},{fn}" for label, of in by_label.items() for document, (tp, fp, fn) in of.items()
    )
    write(root, "metrics/documents.csv", "document,label,tp,fp,fn\n" + "\n".join(rows) + "\n")


def documents(number: int, *, missed: Sequence[int] = (), first: int = 0, alarms: Sequence[int] = ()) -> Counts:
    """Return documents of five mentions; some of them miss two, some have an alarm."""
    return {
        f"{place:016x}": (3 if place in missed else 5, int(place in alarms), 2 if place in missed else 0)
        for place in range(first, first + number)
    }


def write_metrics(root: Path, by_label: Mapping[str, Counts], **more: Any) -> None:
    """Write all metrics as a run with these counts leaves them; `more` replaces whole files by name."""
    write_counts(root, by_label)
    strict = {label: _scores(of) for label, of in by_label.items()}
    everything: dict[str, tuple[int, int, int]] = {}
    for of in by_label.values():
        for document, counts in of.items():
            everything[document] = tuple(map(sum, zip(everything.get(document, (0, 0, 0)), counts, strict=True)))  # type: ignore[assignment]
    f1 = _scores(everything)["f1"]
    files = {
        "validation": validation(by_label),
        "evaluation": {
            "strict": {
                "micro": {**_scores(everything), "f1_low": round(f1 - 0.03, 4), "f1_high": round(f1 + 0.03, 4)},
                **strict,
            },
            "lenient": {"micro": {"f1": round(f1 + 0.02, 4)}},
            "calibration": {"ece": round(0.1 - f1 / 20, 4)},
            "note_types": {"referral": {"f1": f1, "f1_low": f1 - 0.05, "f1_high": f1 + 0.05, "mentions": 50}},
        },
        "kpi": {"after": {"hours_per_1000_notes": round(100 - 70 * f1, 1)}},
        "behaviour": {
            "lists": {"kind": "minimum functionality", "cases": 40, "passed": round(40 * f1), "rate": round(f1, 2)}
        },
        "decision": {"decision": "none", "alert": False, "reasons": ["no deviation of 2% or more"]},
    }
    for name, content in {**files, **more}.items():
        write(root, f"metrics/{name}.json", content)


def validation(by_label: Mapping[str, Counts], **more: Any) -> dict[str, Any]:
    split = {label: sum(tp + fn for tp, _, fn in of.values()) for label, of in by_label.items()}
    names = {document for of in by_label.values() for document in of}
    passed = {"passed": True, "errors": 0, "warnings": 0, "expectations": {"evaluated": 80, "failed": []}, "checks": {}}
    return {**passed, "documents": {"train": 200, "test": len(names)}, "mentions": {"test": split}, **more}


def _scores(of: Counts) -> dict[str, float]:
    tp, fp, fn = (sum(counts[place] for counts in of.values()) for place in range(3))
    return {
        "precision": round(tp / (tp + fp), 4),
        "recall": round(tp / (tp + fn), 4),
        "f1": round(2 * tp / (2 * tp + fp + fn), 4),
    }


def write_params(root: Path, **sections: Any) -> None:
    (root / "params.yaml").write_text(yaml.safe_dump(sections, sort_keys=False), encoding="utf-8")


def write_annotations(root: Path, md5: str) -> None:
    write(root, "data/annotations.dvc", f"outs:\n- md5: {md5}.dir\n  path: annotations\n")
