"""Distributional word clusters: word2vec on the training text, then k-means.

Vectors: Mikolov et al. 2013 (skip-gram with a narrow window for kind of word, bag of words with a
wide one for topic). One thread, fixed seeds and sorted input make them the same bytes every time.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.words import normalised
from stages.featurize.params import FeaturizeParams
from stages.featurize.spool import SpooledText

Clusters = dict[str, tuple[str, ...]]

_MINIMUM_COUNT = 3


def learn_clusters(sentences: Iterable[Sequence[str]], params: FeaturizeParams) -> Clusters:
    """Cluster the words of the training text.

    Parameters
    ----------
    sentences : iterable of sequences of str
        Tokens of the training split; walked through once. Memory grows with the vocabulary only.
    params : FeaturizeParams

    Returns
    -------
    dict of str to tuple of str
        For each normalised form seen at least three times, one attribute per clustering, such as
        ``("c64=3", "c256=17", …)``. Empty when the text has too few words to cluster, or no
        clustering is asked for; then the text is not read.
    """
    if not (params.clusters or params.topic_clusters):
        return {}
    from threadpoolctl import threadpool_limits

    normal = ([normalised(token) for token in sentence] for sentence in sentences)
    # Sums of floats depend on how many threads share them: one thread, the same bytes everywhere.
    with SpooledText(normal) as text, threadpool_limits(limits=1):
        kinds = _vectors(text, params, size=100, window=2, skip_gram=True, epochs=params.epochs)
        if not kinds:
            return {}
        topics = _vectors(text, params, size=60, window=8, skip_gram=False, epochs=max(1, params.epochs * 3 // 4))
    import sklearn.cluster  # noqa: F401  (only libraries that are loaded already can be held to one thread)

    with threadpool_limits(limits=1):
        words = sorted(kinds)
        columns = [_kmeans("c", k, words, kinds, params.seed) for k in params.clusters]
        columns += [_kmeans("t", k, words, topics, params.seed) for k in params.topic_clusters]
    return {word: tuple(column[i] for column in columns) for i, word in enumerate(words)}


def _vectors(
    text: SpooledText, params: FeaturizeParams, *, size: int, window: int, skip_gram: bool, epochs: int
) -> dict[str, NDArray[np.float32]]:
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=size,
        window=window,
        min_count=_MINIMUM_COUNT,
        sg=int(skip_gram),
        negative=10,
        sample=1e-3 if skip_gram else 1e-4,
        workers=1,
        seed=params.seed,
    )
    model.build_vocab(text)
    if not len(model.wv):
        return {}
    model.train(text, total_examples=model.corpus_count, epochs=epochs)
    return {word: model.wv.get_vector(word, norm=True) for word in model.wv.index_to_key}


def _kmeans(name: str, k: int, words: list[str], vectors: dict[str, NDArray[np.float32]], seed: int) -> list[str]:
    from sklearn.cluster import MiniBatchKMeans

    matrix = np.stack([vectors[word] for word in words])
    k = min(k, len(words))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct points than clusters, in tiny corpora
        model = MiniBatchKMeans(k, random_state=seed, batch_size=4096, n_init=2, max_iter=60).fit(matrix)
    return [f"{name}{k}={label}" for label in model.labels_]
