"""The section `featurize` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path

from stages.common.params import PARAMS, Positive, Section, Seed, load_section


class FeaturizeParams(Section):
    """What is learned from the training text before any label is looked at."""

    minimum_count: Positive
    named_documents: Positive
    clusters: list[Positive]
    topic_clusters: list[Positive]
    epochs: Positive
    terminology: str | None
    seed: Seed


def load_params(path: Path = PARAMS) -> FeaturizeParams:
    """Read and check the section `featurize`."""
    return load_section("featurize", FeaturizeParams, path)
