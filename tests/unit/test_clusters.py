"""Word clusters: when none are asked for, nothing is learned."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stages.featurize.clusters import learn_clusters
from stages.params import load_params

FEATURIZE = load_params().featurize.model_copy(update={"clusters": [2], "topic_clusters": [], "epochs": 1})
TEXT = [["Gout", "of", "the", "knee"], ["gout", "of", "the", "hand"], ["GOUT", "of", "the", "toe"]]


def test_words_seen_three_times_get_one_cluster_each() -> None:
    clusters = learn_clusters(TEXT, FEATURIZE)
    assert clusters.keys() == {"gout", "of", "the"}
    assert {name for names in clusters.values() for name in names} <= {"c2=0", "c2=1"}


def test_without_clusterings_the_text_is_not_read() -> None:
    def unread() -> Iterator[list[str]]:
        pytest.fail("word2vec would learn vectors that nobody asked for")
        yield []

    assert learn_clusters(unread(), FEATURIZE.model_copy(update={"clusters": []})) == {}
