"""How many test documents a comparison with the champion needs, as git and the registry have the counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.errors import DeliveryError
from delivery.registry.bounds import Bounds
from delivery.registry.planning import plan, plan_in_words
from delivery.registry.registry import CHALLENGER, CHAMPION, commit_of, version_with_alias
from delivery.revision.revision import resolve
from stages.common.wording import counted

if TYPE_CHECKING:
    from mlflow import MlflowClient


def planned(root: Path, client: MlflowClient | None, bounds: Bounds) -> Iterator[str]:
    """Say how many test documents a comparison with the champion needs.

    Parameters
    ----------
    root : Path
        Of the repository.
    client : MlflowClient or None
        None where there is no registry yet.
    bounds : Bounds

    Raises
    ------
    DeliveryError
        When neither champion nor checked-out commit has counts by document.
    """
    champion = version_with_alias(client, CHAMPION) if client else None
    challenger = version_with_alias(client, CHALLENGER) if client else None
    counts = resolve(commit_of(champion) if champion else "HEAD", root).document_counts()
    if counts is None or counts.empty:
        raise DeliveryError("there is no metrics/documents.csv to plan by: run `dvc repro` and commit metrics/")
    measured = {}
    if champion and challenger and champion.version != challenger.version:
        other = resolve(commit_of(challenger), root).document_counts()
        if other is not None and len(set(other["document"]) & set(counts["document"])) >= bounds.minimum_documents:
            measured[f"version {challenger.version}, measured"] = other
    who = f"version {champion.version}, champion," if champion else "no champion yet; what is checked out"
    yield f"{who} has {counted(counts['document'].nunique(), 'test document')}; with these, and how many would do:"
    yield from plan_in_words(plan(counts, measured, bounds), bounds)
