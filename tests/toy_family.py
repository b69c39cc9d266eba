"""A model family as a newcomer would write it: one module that knows nothing but the protocol.

A word is a mention when training marked it more often than not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.checked import Header, read_header
from stages.common.files import write_json
from stages.common.tags import TokenSpan
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.comparing import Compare
from stages.train.taggers.judged import JudgedSpans, LogOdds, OutOfFoldMentions, no_leaderboard
from stages.train.taggers.spans.mention_judge import MentionJudge
from stages.train.taggers.tagger import TaggedSpan

if TYPE_CHECKING:  # what is read in a tagger must not depend on how it is learned
    from stages.train.params import TrainParams


class _Header(Header):
    words: dict[str, str]
    rows: int
    confidence: float


@dataclass(frozen=True)
class ToyTagger:
    words: dict[str, str]
    rows: int
    confidence: float = 0.9

    @classmethod
    def fit(
        cls,
        tokens: SparseTokens,
        spans: Sequence[Sequence[TokenSpan]],
        *,
        documents: Sequence[str],
        n_rows: int,
        params: TrainParams,
        compare: Compare,
    ) -> Self:
        assert tokens.surface is not None
        seen: dict[str, Counter[str]] = defaultdict(Counter)
        for start, end, sentence in zip(tokens.sentence_starts[:-1], tokens.sentence_starts[1:], spans, strict=True):
            labels = {first: label for first, stop, label in sentence if stop == first + 1}
            for place, word in enumerate(tokens.surface.words[start:end].tolist()):
                seen[str(word)][labels.get(place, "")] += 1
        usual = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
        return cls({word: label for word, label in sorted(usual.items()) if label}, n_rows)

    def tag(self, tokens: SparseTokens) -> list[list[TaggedSpan]]:
        assert tokens.surface is not None
        return [
            [
                TaggedSpan(place, place + 1, self.words[str(word)], self.confidence)
                for place, word in enumerate(tokens.surface.words[start:end].tolist())
                if str(word) in self.words
            ]
            for start, end in zip(tokens.sentence_starts[:-1], tokens.sentence_starts[1:], strict=True)
        ]

    def spans(self, tokens: SparseTokens) -> list[list[TokenSpan]]:
        return [[span[:3] for span in sentence] for sentence in self.tag(tokens)]

    def tag_and_suggest(
        self, tokens: SparseTokens, least: float
    ) -> tuple[list[list[TaggedSpan]], list[list[TaggedSpan]]]:
        return self.tag(tokens), [[] for _ in range(tokens.sentences)]

    def judge(self, tokens: SparseTokens) -> JudgedSpans:
        labels = tuple(sorted(set(self.words.values())))
        rows = [
            (s, tokens.sentence_starts[s] + span.first, tokens.sentence_starts[s] + span.end, labels.index(span.label))
            for s, sentence in enumerate(self.tag(tokens))
            for span in sentence
        ]
        count = len(rows)
        spans = np.array(rows, dtype=np.int32).reshape(-1, 4)
        return JudgedSpans(
            spans, labels, np.full(count, self.confidence), np.ones(count, dtype=bool), np.zeros(count, dtype=bool)
        )

    def shares(self, judged: JudgedSpans) -> list[LogOdds] | None:
        return None

    @property
    def chain(self) -> CrfTagger | None:
        return None

    @property
    def temperature(self) -> float | None:
        return None

    @property
    def out_of_fold(self) -> OutOfFoldMentions | None:
        return None

    def leaderboard(self) -> pd.DataFrame:
        return no_leaderboard()

    def judged_by(self, judge: MentionJudge) -> Self:
        raise TypeError("it has no evidence")

    def calibrated(self, tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]]) -> Self:
        pairs = zip(self.spans(tokens), spans, strict=True)
        right = [span in gold for predicted, gold in pairs for span in predicted]
        return replace(self, confidence=round((sum(right) + 1) / (len(right) + 2), 4))

    def like(self, other: Self) -> Self:
        return replace(self, confidence=other.confidence)

    def linear_weights(self) -> NDArray[np.float32]:
        return np.zeros((self.rows, 1), dtype=np.float32)

    def used_rows(self) -> NDArray[np.bool_]:
        return np.ones(self.rows, dtype=np.bool_)

    def pruned(self, keep: NDArray[np.bool_]) -> Self:
        return replace(self, rows=int(keep.sum()))

    def save(self, folder: Path) -> None:
        write_json(folder / "toy.json", {"words": self.words, "rows": self.rows, "confidence": self.confidence})

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**read_header(folder / "toy.json", _Header).model_dump())
