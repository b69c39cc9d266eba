"""Populations of notes that are reviewed in part: those that a model has looked at, and invented ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdicts.acceptance import Found
from production.review.estimates import ALL
from production.review.seen import Frame, Part, ReviewedNote, SeenSpan, Sums
from stages.train.acceptance import Acceptance
from stages.train.params import AcceptanceParams
from stages.train.promises import HeldOut, choose_acceptance

NOTES = 3000

KINDS = {"short": 0.5, "long": 0.3, "other": 0.2}
"""Slices, and the share of the documents in each."""

_LOOKING, _DECIDING, _TYPING, _UNEVEN = 40.0, 8.0, 28.0, 0.5  # seconds; the last of the logarithm, by note


@dataclass(frozen=True)
class Population:
    """All notes of a period, as if every one had been reviewed.

    Parameters
    ----------
    notes : sequence of ReviewedNote
    """

    notes: Sequence[ReviewedNote]

    @cached_property
    def labels(self) -> list[str]:
        """Labels that the model names."""
        return sorted({span.label for note in self.notes for span in note.spans})

    @cached_property
    def frame(self) -> Frame:
        """What is known of all notes without a review."""
        kinds = sorted({value for note in self.notes for value in note.slices.values()})
        slices = {
            ("kind", kind): _parts([note for note in self.notes if note.slices.get("kind") == kind]) for kind in kinds
        }
        return Frame(_parts(self.notes), slices)

    @cached_property
    def truth(self) -> Mapping[str, float]:
        """What the estimates are held against, by what `said` calls them."""
        right, found, missed = _counted(self.notes, ALL, False)
        truth = {
            "precision": right / found,
            "recall": right / (right + missed),
            "F1": 2 * right / (right + found + missed),
        }
        truth["minutes"] = float(np.mean([note.seconds for note in self.notes])) / 60
        for label in [ALL, *(self.labels if len(self.labels) > 1 else [])]:
            right, found, _ = _counted(self.notes, label, True)
            truth[f"accepted, {label}"] = right / found
        for _, kind in self.frame.slices:
            right, found, _ = _counted([note for note in self.notes if note.slices["kind"] == kind], ALL, True)
            truth[f"accepted, {kind} notes"] = right / found
        return truth

    def without_control(self) -> Population:
        """Leave confidence out, so that nothing but what was reviewed is known of the mentions."""
        return Population(
            [replace(note, spans=tuple(span._replace(confidence=0.0) for span in note.spans)) for note in self.notes]
        )

    def drawn_with(self, probabilities: NDArray[np.float64]) -> Population:
        """Write to each note how probable it is to be drawn."""
        pairs = zip(self.notes, probabilities.tolist(), strict=True)
        return Population([replace(note, probability=probability) for note, probability in pairs])

    def uniform(self, reviewed: int) -> NDArray[np.float64]:
        """Draw every note with the same probability."""
        return np.full(len(self.notes), reviewed / len(self.notes))

    def by_confidence(self, reviewed: int) -> NDArray[np.float64]:
        """Draw strata the more often, the less sure the model is of what it accepts there (Neyman's allocation)."""
        unsure: dict[str, list[float]] = {}
        for note in self.notes:
            at_stake = sum(span.confidence * (1 - span.confidence) for span in note.spans if span.accepted)
            unsure.setdefault(note.stratum, []).append(at_stake)
        spread = {stratum: np.sqrt(np.mean(values) + 0.02) for stratum, values in unsure.items()}
        weights = np.array([spread[note.stratum] for note in self.notes])
        return np.minimum(1.0, weights * reviewed / weights.sum())

    def reviewed(self, generator: np.random.Generator) -> list[ReviewedNote]:
        """Draw notes, each by itself."""
        chances = np.array([note.probability for note in self.notes])
        return [self.notes[number] for number in np.flatnonzero(generator.random(len(chances)) < chances)]


def acceptance_of(found: Found, params: AcceptanceParams) -> Acceptance:
    """Return what a model accepts."""
    return choose_acceptance(found.learned, sorted(set(found.learned.labels.tolist())), params)


def population_of(found: HeldOut, acceptance: Acceptance, seed: int = 1) -> Population:
    """Draw notes of a period from documents that a model did not learn from; reviewers say what is annotated."""
    documents = spans_of(found, acceptance)
    generator = np.random.default_rng(seed)
    kinds = generator.choice(list(KINDS), size=len(documents), p=list(KINDS.values()))
    return Population(
        [
            _note(
                documents[number],
                int(found.suggestions[number]),
                int(found.missed[number]),
                str(kinds[number]),
                float(np.exp(generator.normal(0, _UNEVEN))),
            )
            for number in generator.integers(len(documents), size=NOTES).tolist()
        ]
    )


def invented(precision: float, alike: float, seed: int = 1) -> Population:
    """Invent notes whose accepted mentions are right at a precision, right and wrong together within a note.

    Confidence is the same everywhere, as unsure as the promise, and says nothing.
    """
    generator = np.random.default_rng([seed, round(precision * 1000)])
    counts = 1 + generator.poisson(3, size=NOTES)
    right = generator.random(counts.sum()) < np.repeat(own_precision(generator, precision, alike, NOTES), counts)
    parts = np.split(right, np.cumsum(counts)[:-1])
    return Population(
        [
            ReviewedNote("accepted", 1.0, {}, tuple(SeenSpan("Disease", 0.96, True, bool(one)) for one in part))
            for part in parts
        ]
    )


def own_precision(
    generator: np.random.Generator, precision: float, alike: float, size: int | tuple[int, ...]
) -> NDArray[np.float64]:
    """Draw the precision of each note, so that the correlation within notes is `alike`."""
    if not alike or precision in (0, 1):
        return np.full(size, precision)
    strength = (1 - alike) / alike
    return generator.beta(precision * strength, (1 - precision) * strength, size=size)


def spans_of(found: HeldOut, acceptance: Acceptance) -> list[tuple[SeenSpan, ...]]:
    """Return the mentions of each document."""
    documents: list[list[SeenSpan]] = [[] for _ in found.missed]
    columns = (found.notes, found.labels, found.confidence, found.right)
    for note, label, confidence, right in zip(*(column.tolist() for column in columns), strict=True):
        documents[note].append(SeenSpan(label, confidence, acceptance.accepts(label, confidence), right))
    return [tuple(spans) for spans in documents]


def _note(spans: tuple[SeenSpan, ...], suggestions: int, missed: int, kind: str, slow: float) -> ReviewedNote:
    queried = sum(not span.accepted for span in spans)
    stratum = "queried" if queried else "suggested" if suggestions else "accepted" if spans else "silent"
    seconds = slow * (_LOOKING + _DECIDING * (queried + suggestions) + _TYPING * missed)
    return ReviewedNote(stratum, 1.0, {"kind": kind}, spans, {"any": missed}, seconds)


def _parts(notes: Sequence[ReviewedNote]) -> dict[str, Part]:
    by_stratum: dict[str, list[ReviewedNote]] = {}
    for note in notes:
        by_stratum.setdefault(note.stratum, []).append(note)
    return {stratum: Part(len(here), _sums(here)) for stratum, here in by_stratum.items()}


def _sums(notes: Sequence[ReviewedNote]) -> dict[str, Sums]:
    by_label: dict[str, list[SeenSpan]] = {}
    for note in notes:
        for span in note.spans:
            by_label.setdefault(span.label, []).append(span)
    return {label: _summed(spans) for label, spans in by_label.items()}


def _summed(spans: Sequence[SeenSpan]) -> Sums:
    accepted = [span.confidence for span in spans if span.accepted]
    return Sums(len(spans), len(accepted), sum(span.confidence for span in spans), sum(accepted))


def _counted(notes: Sequence[ReviewedNote], label: str, accepted: bool) -> tuple[int, int, int]:
    """Return how many mentions are right, how many there are, and how many were missed."""
    spans = [
        span for note in notes for span in note.spans if label in (span.label, ALL) and (span.accepted or not accepted)
    ]
    missed = sum(sum(note.missed.values()) for note in notes)
    return sum(span.correct for span in spans), len(spans), missed
