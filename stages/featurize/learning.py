"""What is learned from the training text before any label is looked at."""

from __future__ import annotations

from collections.abc import Iterable

from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.parts import Sentences
from stages.featurize.attributes.terminology import NOTHING, TERMINOLOGIES, Terminology
from stages.featurize.clusters import learn_clusters
from stages.featurize.collecting import collect_attributes
from stages.featurize.params import FeaturizeParams


def learn_attributes(contexts: Iterable[Sentences], params: FeaturizeParams) -> AttributeExtractor:
    """Learn word clusters, then collect the attributes of the training text.

    Parameters
    ----------
    contexts : iterable of sequences of sequences of str
        Tokens by sentence and context, of the training split only. Walked through up to five
        times, so not a generator; `stages.featurize.store.SplitSentences` holds none of it in memory.
    params : FeaturizeParams
        Names the table in `TERMINOLOGIES` to look terms up in, if any.
    """
    terminology = Terminology.read(TERMINOLOGIES / params.terminology) if params.terminology else NOTHING
    clusters = learn_clusters((sentence for sentences in contexts for sentence in sentences), params)
    extractor = collect_attributes(contexts, clusters, terminology, named_documents=params.named_documents)
    if params.minimum_count > 1:
        extractor = extractor.pruned(extractor.counts(contexts) >= params.minimum_count)
    return extractor
