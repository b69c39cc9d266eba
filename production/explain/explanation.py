"""Why a span was marked or not: the shares of its log odds, by readable names.

Two models may have spoken. The *span model* (boosted trees, family ``stacked``) shares the log odds
of a candidate among the columns of its evidence. The *chain* (CRF) compares the span with no
mention in its place: the weight of each attribute for the span's tags minus that for ``O``, divided
by the temperature, so that both are in log odds. A family that has neither still shows its mentions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from stages.common.documents import Token
from stages.evaluate.importance import members_of, readable
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.parts import Sentences
from stages.featurize.attributes.tokens import SparseTokens
from stages.prepare.segmentation import segment
from stages.train.assertion.context import assertions_of
from stages.train.assertion.rules import PRESENT
from stages.train.extractor import Extractor
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.judged import LogOdds
from stages.train.taggers.tagger import Tagger

TAG_ORDER = "order of tags"
"""Share of the transitions between tags, with no mention on either side."""


class Share(NamedTuple):
    """What one attribute adds to the log odds."""

    name: str
    weight: float


@dataclass(frozen=True)
class Balance:
    """Log odds, shared out: `base` and the shares add up to `total`.

    Parameters
    ----------
    base : float
        Log odds before anything is known of the span.
    shares : tuple of Share
        Sorted by weight, largest first; no share is zero.
    """

    base: float
    shares: tuple[Share, ...]

    @property
    def total(self) -> float:
        """Log odds of the span."""
        return self.base + sum(share.weight for share in self.shares)

    def speak_for(self, top: int) -> list[Share]:
        """Return the largest positive shares, largest first."""
        return [share for share in self.shares if share.weight > 0][:top]

    def speak_against(self, top: int) -> list[Share]:
        """Return the largest negative shares, most negative first."""
        return [share for share in reversed(self.shares) if share.weight < 0][:top]


@dataclass(frozen=True)
class ExplainedSpan:
    """``text[start:end]``, how sure the model is that it is a `label`, and why.

    Parameters
    ----------
    start, end : int
    label : str
    confidence : float
        Calibrated, 0 to 1.
    verdict : str
        Empty for a mention; for a near miss, why it was not chosen.
    span_model, chain : Balance or None
        None where the model's family has no such part.
    assertion : str
        What the span says of the patient, one of `stages.train.assertion.rules.ASSERTIONS`.
    """

    start: int
    end: int
    label: str
    confidence: float
    verdict: str
    span_model: Balance | None
    chain: Balance | None
    assertion: str = PRESENT


class _Judged(NamedTuple):
    """A span in tokens of the whole text, before anything is named."""

    confidence: float
    is_mention: bool
    unlikely: bool
    log_odds: LogOdds | None


_Key = tuple[int, int, int, str]
_Name = Callable[[int], str]


def explain(extractor: Extractor, text: str) -> list[ExplainedSpan]:
    """Explain the mentions of a note and its near misses.

    Parameters
    ----------
    extractor : Extractor
        Of any family.
    text : str

    Returns
    -------
    list of ExplainedSpan
        In order of their offsets. Those without a verdict are exactly what `Extractor.extract` finds.
    """
    sentences = segment(text)
    if not sentences:
        return []
    words = [[text[token.start : token.end] for token in sentence] for sentence in sentences]
    tokens, tagger = extractor.attributes.transform(words), extractor.tagger
    judged = dict(sorted(_judge(tagger, tokens).items()))
    chain, name_of = tagger.chain, _names(extractor.attributes, words)
    flat = [token for sentence in sentences for token in sentence]
    places = [(flat[first].start, flat[end - 1].end) for _, first, end, _ in judged]
    said = assertions_of(text, places)
    return [
        ExplainedSpan(
            *place,
            key[3],
            span.confidence,
            verdict,
            None if span.log_odds is None else _balance(*span.log_odds),
            None if chain is None else _chain_balance(chain, tokens, key, name_of),
            assertion.value,
        )
        for (key, span), place, verdict, assertion in zip(
            judged.items(), places, _verdicts(judged, flat, text), said, strict=True
        )
    ]


def _judge(tagger: Tagger, tokens: SparseTokens) -> dict[_Key, _Judged]:
    """List the mentions and the candidates beside them."""
    starts = tokens.sentence_starts.tolist()
    mentions = {
        (s, starts[s] + span.first, starts[s] + span.end, span.label): span.confidence
        for s, sentence in enumerate(tagger.tag(tokens))
        for span in sentence
    }
    judged = tagger.judge(tokens)
    log_odds: Sequence[LogOdds | None] = tagger.shares(judged) or [None] * len(judged.spans)
    spans = {}
    for (s, first, end, label), confidence, unlikely, shares in zip(
        judged.spans.tolist(), judged.confidence.tolist(), judged.unlikely.tolist(), log_odds, strict=True
    ):
        key = (s, first, end, judged.labels[label])
        spans[key] = _Judged(mentions.get(key, confidence), key in mentions, unlikely, shares)
    others = {key: _Judged(p, True, False, None) for key, p in mentions.items() if key not in spans}
    return spans | others


def _verdicts(judged: Mapping[_Key, _Judged], tokens: Sequence[Token], text: str) -> list[str]:
    mentions = [key for key, span in judged.items() if span.is_mention]
    verdicts = []
    for (_, first, end, _), span in judged.items():
        rivals = [key for key in mentions if key[1] < end and first < key[2]]
        if span.is_mention:
            verdicts.append("")
        elif span.unlikely:
            verdicts.append("its probability is below the threshold")
        elif rivals:
            _, start, stop, label = rivals[0]
            verdicts.append(f"overlaps “{text[tokens[start].start : tokens[stop - 1].end]}” ({label})")
        else:
            verdicts.append("no mention here is likelier")
    return verdicts


def _chain_balance(crf: CrfTagger, tokens: SparseTokens, key: _Key, name_of: _Name) -> Balance:
    sentence, first, end, label = key
    single, begin, inside, last = crf.tag_set.of_span(label)
    tags = [single] if end - first == 1 else [begin, *[inside] * (end - first - 2), last]
    sums: dict[str, float] = defaultdict(float)
    for token, tag in enumerate(tags, start=first):
        rows = tokens.rows[tokens.starts[token] : tokens.starts[token + 1]]
        gains = (crf.weights[rows, tag] - crf.weights[rows, 0]) / crf.temperature
        for row, gain in zip(rows.tolist(), gains.tolist(), strict=True):
            sums[name_of(row)] += gain
    left = [0] if first > tokens.sentence_starts[sentence] else []
    right = [0] if end < tokens.sentence_starts[sentence + 1] else []
    steps = list(pairwise([*left, *tags, *right]))
    order = sum(float(crf.transitions[a, b]) for a, b in steps) - len(steps) * float(crf.transitions[0, 0])
    sums[TAG_ORDER] += order / crf.temperature
    return _balance(0.0, sums.items())


def _balance(base: float, shares: Iterable[tuple[str, float]]) -> Balance:
    kept = [Share(name, weight) for name, weight in shares if weight]
    return Balance(base, tuple(sorted(kept, key=lambda share: (-share.weight, share.name))))


def _names(attributes: AttributeExtractor, sentences: Sentences) -> _Name:
    """Name attributes by what the model may show and by the words of the text itself, which its reader knows."""
    names, members = attributes.row_names([sentences]), members_of(attributes)
    return lambda row: readable(names[row], members)
