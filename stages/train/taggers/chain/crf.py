"""Averaged passive-aggressive CRF over BIOES tags: several shuffled runs, averaged into one linear model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from stages.common.checked import Header, read_array, read_header
from stages.common.files import replacing, write_json
from stages.common.tags import TokenSpan, spans_of, to_bioes
from stages.featurize.attributes.tokens import FormScores, SparseTokens
from stages.train.taggers.calibration import fit_temperature
from stages.train.taggers.chain import kernels, learning_kernels
from stages.train.taggers.chain.candidate_kernels import COLUMNS, find_candidates
from stages.train.taggers.chain.candidates import LEAST, LONGEST, Candidates, choose_suggestions, tagged_spans
from stages.train.taggers.judged import JudgedSpans, LogOdds, OutOfFoldMentions, no_leaderboard
from stages.train.taggers.tagger import TaggedSpan

if TYPE_CHECKING:
    import pandas as pd

    from stages.train.params import CrfParams, TrainParams
    from stages.train.taggers.comparing import Compare
    from stages.train.taggers.spans.mention_judge import MentionJudge


@dataclass(frozen=True)
class TagSet:
    """BIOES tags of some labels, and which of them may follow each other.

    Parameters
    ----------
    labels : tuple of str
    """

    labels: tuple[str, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """``O`` first, then the four tags of each label."""
        return ("O", *(f"{prefix}-{label}" for label in self.labels for prefix in "BIES"))

    def illegal(self) -> NDArray[np.float32]:
        """Return 0 for legal transitions and `kernels.FORBIDDEN` for the others."""
        scores = np.full((len(self.tags), len(self.tags)), kernels.FORBIDDEN, dtype=np.float32)
        for i, left in enumerate(self.tags):
            for j, right in enumerate(self.tags):
                inside = left[0] in "BI"
                if (inside and right[0] in "IE" and left[2:] == right[2:]) or (not inside and right[0] in "OBS"):
                    scores[i, j] = 0
        return scores

    def ends(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the same for the first and the last tag of a sentence."""
        first = [0 if tag[0] in "OBS" else kernels.FORBIDDEN for tag in self.tags]
        last = [0 if tag[0] in "OES" else kernels.FORBIDDEN for tag in self.tags]
        return np.array(first, dtype=np.float32), np.array(last, dtype=np.float32)

    def of_span(self, label: str) -> tuple[int, int, int, int]:
        """Return the numbers of the single, first, inner and last tag of a label."""
        index = self.tags.index(f"B-{label}")
        return index + 3, index, index + 1, index + 2


class _Header(Header):
    """What ``tagger.json`` says."""

    labels: tuple[Annotated[str, Field(min_length=1)], ...] = Field(max_length=31)  # tags are numbered in 8 bits
    temperature: float = Field(gt=0, allow_inf_nan=False)

    @field_validator("labels")
    @classmethod
    def _each_once(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) < len(labels):
            raise ValueError("a label stands there twice")
        return labels


@dataclass(frozen=True)
class CrfTagger:
    """A linear-chain CRF: `weights` by attribute and tag, `transitions` between tags."""

    tag_set: TagSet
    weights: NDArray[np.float32]
    transitions: NDArray[np.float32]
    temperature: float = 1.0

    @classmethod
    def fit(
        cls,
        tokens: SparseTokens,
        spans: Sequence[Sequence[TokenSpan]],
        *,
        documents: Sequence[str] = (),
        n_rows: int,
        params: TrainParams,
        compare: Compare | None = None,
        labels: Sequence[str] | None = None,
    ) -> Self:
        """Learn `params.crf.runs` models in different orders and average their weights.

        `documents` and `compare` do not matter to a chain; `labels` are those of the spans unless given.
        """
        tag_set = TagSet(tuple(labels or sorted({label for sentence in spans for _, _, label in sentence})))
        text = learning_kernels.text_of(tokens, _encode(tokens, spans, tag_set), n_rows)

        def learn(run: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            return _learn_once(text, tag_set, params.crf, (params.seed, run))

        # The runs do not know of each other and are summed in order: any number of threads gives the same bytes.
        weights = np.zeros((n_rows, len(tag_set.tags)), dtype=np.float32)
        transitions = np.zeros((len(tag_set.tags),) * 2, dtype=np.float32)
        with ThreadPoolExecutor(max_workers=2) as pool:
            for run_weights, run_transitions in pool.map(learn, range(params.crf.runs)):
                weights += run_weights / params.crf.runs
                transitions += run_transitions / params.crf.runs
        return cls(tag_set, weights, transitions)

    def spans(self, tokens: SparseTokens) -> list[list[TokenSpan]]:
        """Return the best mentions of each sentence, without their confidence."""
        best = kernels.decode(*self.inputs(tokens), *self.scores)
        names = self.tag_set.tags
        tags = [names[tag] for tag in best.tolist()]
        bounds = tokens.sentence_starts.tolist()
        return [spans_of(tags[first:end]) for first, end in pairwise(bounds)]

    def tag(self, tokens: SparseTokens) -> list[list[TaggedSpan]]:
        """Return the best mentions of each sentence with their posterior at the fitted temperature."""
        spans = self.spans(tokens)
        confidence = iter(self.posteriors(tokens, spans, self.temperature).tolist())
        return [[TaggedSpan(*span, next(confidence)) for span in sentence] for sentence in spans]

    def tag_and_suggest(
        self, tokens: SparseTokens, least: float
    ) -> tuple[list[list[TaggedSpan]], list[list[TaggedSpan]]]:
        """Return the mentions, and beside them the spans whose posterior is at least `least`."""
        tagged = self.tag(tokens)
        mentions = [
            (offset + span.first, offset + span.end)
            for offset, sentence in zip(tokens.sentence_starts.tolist(), tagged, strict=False)
            for span in sentence
        ]
        candidates = self.candidates(tokens, least=least)
        spans, posteriors = candidates.spans, candidates.posteriors
        ends = np.array(mentions, dtype=np.int32).reshape(-1, 2)
        suggested = choose_suggestions(candidates, posteriors, ends, least, tokens)
        return tagged, tagged_spans(spans[suggested], posteriors[suggested], self.tag_set.labels, tokens)

    def judge(self, tokens: SparseTokens) -> JudgedSpans:
        """Return the candidates with their posteriors, and which of them are mentions."""
        candidates = self.candidates(tokens)
        number = {label: place for place, label in enumerate(self.tag_set.labels)}
        offsets = tokens.sentence_starts.tolist()
        mentions = {
            (s, offsets[s] + first, offsets[s] + end, number[label])
            for s, sentence in enumerate(self.spans(tokens))
            for first, end, label in sentence
        }
        is_mention = np.array([tuple(span) in mentions for span in candidates.spans.tolist()], dtype=np.bool_)
        unlikely = np.zeros(len(is_mention), dtype=np.bool_)  # the best sequence decides, and no threshold
        return JudgedSpans(candidates.spans, self.tag_set.labels, candidates.posteriors, is_mention, unlikely)

    def shares(self, judged: JudgedSpans) -> list[LogOdds] | None:
        """Return None: a chain weighs attributes of tokens."""
        return None

    @property
    def chain(self) -> CrfTagger | None:
        """The tagger itself."""
        return self

    @property
    def out_of_fold(self) -> OutOfFoldMentions | None:
        """None: a chain is calibrated on held-out documents."""
        return None

    def leaderboard(self) -> pd.DataFrame:
        """Return no rows: nothing was compared."""
        return no_leaderboard()

    def judged_by(self, judge: MentionJudge) -> Self:
        """Refuse: there is no evidence that the judge could weigh.

        Raises
        ------
        TypeError
        """
        raise TypeError("a chain has no evidence of spans for a judge")

    def candidates(self, tokens: SparseTokens, *, least: float = LEAST) -> Candidates:
        """List the spans whose posterior, at the fitted temperature, is at least `least`."""
        labels, outside = len(self.tag_set.labels), np.empty(len(tokens.starts) - 1, dtype=np.float64)

        def listed(room: int) -> Candidates:
            spans, posteriors = np.empty((room, COLUMNS), dtype=np.int32), np.empty(room, dtype=np.float64)
            count = find_candidates(
                *self.inputs(tokens), *self.scores,
                self.temperature, labels, least, LONGEST, spans, posteriors, outside,
            )  # fmt: skip
            if count > room:
                return listed(count)
            return Candidates(spans[:count].copy(), posteriors[:count].copy(), outside)

        return listed(len(tokens.starts) + labels * LONGEST)

    def posteriors(
        self, tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]], temperature: float
    ) -> NDArray[np.float64]:
        """Return the probability of each span, sentence by sentence.

        Parameters
        ----------
        tokens : SparseTokens
        spans : sequence of sequences of TokenSpan
            Any spans, not only the best ones.
        temperature : float

        Returns
        -------
        float64 array with one probability per span
        """
        rows = [
            (s, offset + first, offset + end, *self.tag_set.of_span(label))
            for s, (offset, sentence) in enumerate(zip(tokens.sentence_starts.tolist(), spans, strict=False))
            for first, end, label in sentence
        ]
        table = np.array(rows, dtype=np.int32).reshape(-1, 7)
        return kernels.span_posteriors(
            *self.inputs(tokens), *self.scores,
            table[:, 0].copy(), table[:, 1:3].copy(), table[:, 3:].astype(np.int8), temperature,
        )  # fmt: skip

    def calibrated(self, tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]]) -> Self:
        """Return the same tagger with the temperature that fits these held-out sentences best."""
        return replace(self, temperature=fit_temperature(self, tokens, spans))

    def at(self, temperature: float) -> Self:
        """Return the same tagger at another temperature."""
        return replace(self, temperature=temperature)

    def like(self, other: Self) -> Self:
        """Return the same tagger with the calibration of `other`."""
        return replace(self, temperature=other.temperature)

    def linear_weights(self) -> NDArray[np.float32]:
        """Return the weights by attribute and tag."""
        return self.weights

    def used_rows(self) -> NDArray[np.bool_]:
        """Tell which attributes have any weight."""
        return np.abs(self.weights).max(axis=1) > 0

    def pruned(self, keep: NDArray[np.bool_]) -> Self:
        """Return the same tagger over the attributes of `keep` only."""
        return replace(self, weights=self.weights[keep].copy())

    def save(self, folder: Path) -> None:
        """Write ``tagger.json``, ``weights.npy`` and ``transitions.npy``; no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        header = {"labels": list(self.tag_set.labels), "temperature": self.temperature}
        write_json(folder / "tagger.json", header, digits=6)
        with replacing(folder / "weights.npy") as file:
            np.save(file, self.weights, allow_pickle=False)
        with replacing(folder / "transitions.npy") as file:
            np.save(file, self.transitions, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ModelError
            When a file is missing, or holds no labels, weights or transitions that fit each other.
        """
        header = read_header(folder / "tagger.json", _Header)
        tag_set = TagSet(header.labels)
        tags = len(tag_set.tags)
        return cls(
            tag_set,
            read_array(folder / "weights.npy", np.float32, [None, tags]),
            read_array(folder / "transitions.npy", np.float32, [tags, tags]),
            header.temperature,
        )

    @cached_property
    def scores(self) -> tuple[NDArray[np.float32], ...]:
        """Weights, transitions, start and end scores as the kernels take them."""
        return self.weights, self.transitions + self.tag_set.illegal(), *self.tag_set.ends()

    def inputs(self, tokens: SparseTokens) -> tuple[NDArray[np.generic], ...]:
        """Attributes, sums of word forms and sentences as the kernels take them."""
        form_scores = tokens.form_scores or FormScores(np.empty(0, np.int32), np.empty((0, 0, 0), np.float32))
        return tokens.starts, tokens.rows, form_scores.forms, form_scores.scores, tokens.sentence_starts


def _encode(tokens: SparseTokens, spans: Iterable[Sequence[TokenSpan]], tag_set: TagSet) -> NDArray[np.int8]:
    numbers = {tag: number for number, tag in enumerate(tag_set.tags)}
    lengths = np.diff(tokens.sentence_starts).tolist()
    tags = (tag for length, sentence in zip(lengths, spans, strict=True) for tag in to_bioes(length, sentence))
    return np.fromiter((numbers[tag] for tag in tags), dtype=np.int8, count=len(tokens))


def _learn_once(
    text: learning_kernels.Text, tag_set: TagSet, params: CrfParams, seed: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    generator, sentences = np.random.default_rng(seed), len(text.sentence_starts) - 1
    orders = np.stack([generator.permutation(sentences) for _ in range(params.iterations)]).astype(np.int32)
    return learning_kernels.learn(text, orders, tag_set.illegal(), *tag_set.ends(), params.aggressiveness)
