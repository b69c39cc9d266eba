"""Word clusters: when none are asked for, nothing is learned."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.featurize.clusters import learn_clusters
from stages.params import load_params

FEATURIZE = load_params().featurize.model_copy(update={"clusters": [2], "topic_clusters": [], "epochs": 1})
TEXT = [["Gout", "of", "the", "knee"], ["gout", "of", "the", "hand"], ["GOUT", "of", "the", "toe"]]
_THREADS = """
from threadpoolctl import threadpool_info
from stages.featurize import clusters
from tests.unit.test_clusters import FEATURIZE, TEXT
clusters._kmeans = lambda _, k, words, *__: print(
    *((pool["user_api"], pool["num_threads"]) for pool in threadpool_info())
) or [""] * len(words)
clusters.learn_clusters(TEXT, FEATURIZE)
"""


def test_words_seen_three_times_get_one_cluster_each() -> None:
    clusters = learn_clusters(TEXT, FEATURIZE)
    assert clusters.keys() == {"gout", "of", "the"}
    assert {name for names in clusters.values() for name in names} <= {"c2=0", "c2=1"}


def test_without_clusterings_the_text_is_not_read() -> None:
    def unread() -> Iterator[list[str]]:
        pytest.fail("word2vec would learn vectors that nobody asked for")
        yield []

    assert learn_clusters(unread(), FEATURIZE.model_copy(update={"clusters": []})) == {}


def test_clusters_are_learned_in_one_thread_by_every_library() -> None:
    """In a process of its own: only what is loaded already can be held, and here all is."""
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", _THREADS], env=environment, capture_output=True, text=True, check=True)
    assert "('openmp', 1)" in done.stdout
    assert "2)" not in done.stdout, done.stdout
