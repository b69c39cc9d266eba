"""The model card of one version: `docs/model-card.md` of its commit, with its figures and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from delivery.changes.directions import NO_CASES
from delivery.errors import DeliveryError
from delivery.registry.measured import behaviour_table
from delivery.registry.server import MODEL
from delivery.revision.revision import Revision
from stages.common.wording import counted

CARD = "docs/model-card.md"
_SHOWN = ("prepare", "featurize", "train")


def card_of(revision: Revision, version: int) -> str:
    """Return the card as Markdown; no clinical text.

    Raises
    ------
    DeliveryError
        When the commit has no card, or not the metrics that belong into one.
    """
    content = revision.read(CARD)
    if content is None:
        raise DeliveryError(f"{CARD} is missing at {revision.name}: a model without a card is not registered")
    body = re.sub(
        r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", content.decode()
    )  # links into the repository lead nowhere
    parameters = (f"- `{key}`: {value}" for key, value in revision.params().items() if key.split(".")[0] in _SHOWN)
    parts = [
        f"# Model card: {MODEL}, version {version}",
        body.split("\n", 1)[1].strip(),
        *_measured(revision),
        "## Parameters\n\n" + "\n".join(parameters),
    ]
    return "\n\n".join(parts) + "\n"


def summary_of(revision: Revision, version: int) -> str:
    """Return what of the card fits into a description, of which servers keep 5,000 characters."""
    pointer = f"The whole card: artifact `model_card/version-{version}.md` of the run. Not a medical device."
    return "\n\n".join([pointer, *_measured(revision)]) + "\n"


def _measured(revision: Revision) -> list[str]:
    metrics = revision.metrics()
    try:
        figures = [*_scores(metrics), "", *_other_figures(metrics)]
    except KeyError as error:
        missing = error.args[0]
        raise DeliveryError(f"no {missing} at {revision.name}: run `dvc repro` and commit metrics/") from None
    return [
        "## Figures of this version\n\n" + "\n".join(figures),
        "## Lineage\n\n" + "\n".join(_lineage(revision, metrics)),
    ]


def _scores(metrics: dict[str, Any]) -> Iterator[str]:
    from tabulate import tabulate

    documents, mentions = (counted(metrics[f"evaluation.{noun}s"], noun) for noun in ("document", "mention"))
    yield f"Test split: {documents}, {mentions}.\n"
    rows = []
    for name in _strict_names(metrics):
        values = [
            metrics[f"evaluation.strict.{name}.{key}"] for key in ("precision", "recall", "f1", "f1_low", "f1_high")
        ]
        precision, recall, f1, low, high = (f"{value:.4f}" for value in values)
        rows.append([name, precision, recall, f1, f"{low} to {high}"])
    header = ["exact mentions", "precision", "recall", "F1", "95% interval over documents"]
    yield tabulate(rows, header, tablefmt="pipe", disable_numparse=True)


def _strict_names(metrics: Iterable[str]) -> list[str]:
    """Return what flat metrics have a strict F1 of: ``micro`` first, then the labels as the model reports them."""
    keys = (key.split(".") for key in metrics)
    labels = [parts[2] for parts in keys if parts[:2] == ["evaluation", "strict"] and parts[3:] == ["f1"]]
    return ["micro", *(label for label in labels if label != "micro")]


def _other_figures(metrics: dict[str, Any]) -> Iterator[str]:
    seen, unseen = (f"{metrics[f'evaluation.{kind}.recall']:.4f}" for kind in ("seen", "unseen"))
    yield f"- Recall of mentions that training saw: {seen}; of others: {unseen}"
    yield f"- Expected calibration error: {metrics['evaluation.calibration.ece']:.4f}"
    share, promised = (metrics[f"evaluation.acceptance.{key}"] for key in ("mentions", "promised"))
    yield f"- Accepted without a person at a promised precision of {promised}: {share:.1%} of the mentions"
    precision = metrics.get("evaluation.acceptance.precision")
    yield f"- Precision of what was accepted: {'nothing was' if precision is None else f'{precision:.4f}'}"
    number, useful, shown = (
        metrics[f"evaluation.suggestions.{key}"] for key in ("number", "precision", "missed_shown")
    )
    yield (
        f"- Suggestions of what may have been missed: {number}; {useful:.0%} touch a gold mention, "
        f"{shown:.0%} of the missed are among them"
    )
    table = behaviour_table(metrics)
    weak = sorted((row["rate"], key) for key, row in table.items() if row.get("rate") is not None)[:3]
    yield "- Weakest behaviours: " + ", ".join(f"{key} {rate:.2f}" for rate, key in weak)
    untested = [key.removeprefix(NO_CASES) for key in table if key.startswith(NO_CASES)]
    if untested:
        yield f"- Without cases of behaviour: {', '.join(untested)}"


def _lineage(revision: Revision, metrics: dict[str, Any]) -> Iterator[str]:
    yield f"- Commit `{revision.sha}`"
    hashes = revision.hashes()
    for path in ("data/annotations", "data/prepared", "data/features", "models"):
        yield f"- `{path}`: MD5 `{hashes.get(path, 'unknown')}`"
    gate = "passed" if metrics.get("validation.passed") is True else "not passed"
    yield f"- Validation of the data: {gate}, {metrics.get('validation.warnings', 'unknown')} warnings"
    yield "- To reproduce it: `python -m delivery.lineage` with the number of this version"


def _parameters(revision: Revision) -> Iterator[str]:
    for key, value in revision.params().items():
        if key.split(".")[0] in _SHOWN:
            yield f"- `{key}`: {value}"
