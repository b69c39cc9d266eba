"""How often the intervals of reviews hold, how wide they are, and when a broken promise is found.

A model is trained on NCBI-disease and one on BC5CDR; what they say of documents that they did not learn from is the
population, drawn anew as some thousand notes, and the annotations are what reviewers say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.contest import say
from benchmarks.corpora import Corpus, read_corpus
from benchmarks.verdicts.acceptance import CORPORA, found_elsewhere
from benchmarks.verdicts.audits import false_alarms, found
from benchmarks.verdicts.rates import rate
from benchmarks.verdicts.reviewed import Population, acceptance_of, invented, population_of
from production.review.estimates import ALL, by_slice, estimates, precision, unlabelled
from production.review.seen import Estimate
from stages.params import Params, load_params
from stages.prepare.formats.rules import IGNORED, Rules
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping

REVIEWED = (100, 200, 500)
PRECISIONS = (1.0, 0.995, 0.99, 0.97, 0.95, 0.93, 0.92, 0.9)

MARGIN = 0.02
"""That of `stages.monitor.audited.harm_of`."""

_MACCROBAT = {"Disease_disorder": "Disease", "Medication": "Treatment", "Therapeutic_procedure": "Treatment"}

Row = dict[str, object]

Drawings = dict[str, list[tuple[float, float, float]]]
"""By estimate: value, low and high of each drawing, not a number where nothing was said."""


class Looked(NamedTuple):
    """What a model says of notes."""

    model: str
    notes: str
    population: Population


def tables(repetitions: int) -> dict[str, pd.DataFrame]:
    """Return the tables of this part.

    Parameters
    ----------
    repetitions : int
        Drawings of each cell; years of audits are 1,000 at least.
    """
    looked = [one for model in ("ncbi-disease", "bc5cdr") for one in _looked(model, load_params())]
    covered: list[Row] = []
    wide: list[Row] = []
    for one in looked:
        if one.model == one.notes:
            say(f"{one.model}: {repetitions} drawings of each number of notes")
            coverage, widths = reviewed(one, repetitions)
            covered, wide = covered + coverage, wide + widths
    return {
        "coverage": pd.DataFrame(covered),
        "width": pd.DataFrame(wide),
        "invented": pd.DataFrame([row for share in PRECISIONS for row in invented_notes(share, repetitions)]),
        "unlabelled": pd.DataFrame([row for one in looked for row in alone(one)]),
        "kept": false_alarms(repetitions),
        "broken": found(repetitions),
    }


def _looked(model: str, params: Params) -> Iterator[Looked]:
    """Train, and look at the corpus's other documents, at the other corpus, and at case reports."""
    mapping = read_mapping(DEFAULT_MAPPING, params.labels)
    own = ["Disease"] if model == "ncbi-disease" else list(params.labels)
    known = {source: label if label in own else IGNORED for source, label in mapping.items()}
    files = {name: CORPORA / name for name in ("ncbi-disease", "bc5cdr")}
    corpus = read_corpus(
        [files[model] / "train.tsv"], [files[model] / "devel.tsv"], "iob", Rules(known), params.prepare
    )
    other = next(name for name in files if name != model)
    others = {
        other: read_corpus([files[other] / "devel.tsv"], [], "iob", Rules(known), params.prepare),
        "maccrobat": _case_reports(own, params),
    }
    if other == "ncbi-disease":  # has no treatments annotated
        del others[other]
    learned, elsewhere = found_elsewhere(corpus, list(others.values()), params)
    acceptance = acceptance_of(learned, params.train.acceptance)
    for name, held in {model: learned.following, **dict(zip(others, elsewhere, strict=True))}.items():
        yield Looked(model, name, population_of(held, acceptance))


def _case_reports(labels: list[str], params: Params) -> Corpus:
    folder = CORPORA / "maccrobat"
    lines = (line for file in sorted(folder.glob("*.ann")) for line in file.read_text(encoding="utf-8").splitlines())
    types = {line.split("\t")[1].split(" ")[0] for line in lines if line.startswith("T")}
    meanings = {name: _MACCROBAT.get(name, IGNORED) for name in sorted(types)}
    mapping = {name: label if label in labels else IGNORED for name, label in meanings.items()}
    rules = Rules(mapping, "longest", "join", tuple(labels))
    return read_corpus([folder], [], "brat", rules, params.prepare)


def reviewed(looked: Looked, repetitions: int) -> tuple[list[Row], list[Row]]:
    """Return how often the intervals hold, and how wide they are beside those of other rules."""
    coverage: list[Row] = []
    widths: list[Row] = []
    population = looked.population
    for notes in REVIEWED:
        here = {"corpus": looked.model, "notes reviewed": notes}
        uniform, unsure = (
            population.drawn_with(chances(notes)) for chances in (population.uniform, population.by_confidence)
        )
        drawn = {
            "uniform": drawings(uniform, repetitions),
            "by confidence": drawings(unsure, repetitions),
            "no control": drawings(uniform.without_control(), repetitions),
        }
        for name, truth in population.truth.items():
            plain, sure, bare = (np.array(drawn[rule][name]) for rule in drawn)
            coverage.append(
                {
                    **here,
                    "estimate": name,
                    "truth": f"{truth:.3f}",
                    "within the 95% interval": _held(plain, truth),
                    "drawn by confidence": _held(sure, truth),
                    "nothing said": rate(np.isnan(plain[:, 0])),
                }
            )
            if not name.startswith("accepted, ") or not name.endswith("notes"):
                widths.append(
                    {
                        **here,
                        "estimate": name,
                        "half the width": f"{_half(plain):.4f}",
                        "without the control": f"{_half(bare) / _half(plain) - 1:+.1%}",
                        "drawn by confidence": f"{_half(sure) / _half(plain) - 1:+.1%}",
                    }
                )
    return coverage, widths


def drawings(population: Population, repetitions: int) -> Drawings:
    """Review notes of a population again and again, and estimate everything."""
    generator = np.random.default_rng([len(population.notes), repetitions])
    drawn: Drawings = {name: [] for name in population.truth}
    for _ in range(repetitions):
        for name, estimate in said(population, generator).items():
            drawn[name].append(_ends(estimate))
    return drawn


def said(population: Population, generator: np.random.Generator) -> dict[str, Estimate]:
    """Return what one drawing of notes makes people say."""
    notes, frame = population.reviewed(generator), population.frame
    found = estimates(notes, frame.strata, population.labels)
    labels = [ALL, *(population.labels if len(population.labels) > 1 else [])]
    slices = by_slice(notes, frame, [])
    return {
        "precision": found.precision[ALL],
        "recall": found.recall[ALL],
        "F1": found.f1[ALL],
        "minutes": found.minutes,
        **{f"accepted, {label}": found.accepted[label] for label in labels},
        **{f"accepted, {kind} notes": one.accepted[ALL] for (_, kind), one in slices.items()},
    }


def invented_notes(share: float, repetitions: int) -> list[Row]:
    """Return the same of invented notes of a precision, and how often it is said to hold the promise."""
    rows: list[Row] = []
    for notes in REVIEWED:
        population = invented(share, 0.05)
        drawn_from = population.drawn_with(population.uniform(notes))
        generator = np.random.default_rng([notes, repetitions])
        ends = np.array(
            [
                _ends(precision(drawn_from.reviewed(generator), population.frame.strata, ALL, accepted=True))
                for _ in range(repetitions)
            ]
        )
        rows.append(
            {
                "precision of the accepted": f"{population.truth[f'accepted, {ALL}']:.3f}",
                "notes reviewed": notes,
                "within the 95% interval": _held(ends, population.truth[f"accepted, {ALL}"]),
                "half the width": f"{_half(ends):.4f}",
                "said to hold .95": rate(ends[:, 1] >= 0.95 - MARGIN),
            }
        )
    return rows


def alone(looked: Looked) -> list[Row]:
    """Return what confidence alone says of a population, beside the truth and what 200 reviewed notes say."""
    population = looked.population
    notes = population.drawn_with(population.uniform(200)).reviewed(np.random.default_rng(1))
    rows: list[Row] = []
    for words, accepted in (("of the accepted", True), ("of all", False)):
        parts = population.frame.strata
        estimate, people = unlabelled(parts, ALL, accepted=accepted), precision(notes, parts, ALL, accepted=accepted)
        truth = population.truth[f"accepted, {ALL}" if accepted else "precision"]
        assert estimate.value is not None
        rows.append(
            {
                "trained on": looked.model,
                "notes of": looked.notes,
                "precision": words,
                "truth": f"{truth:.3f}",
                "confidence alone (estimated)": f"{estimate.value:.3f}",
                "off by": f"{estimate.value - truth:+.3f}",
                "200 reviewed notes": f"{people.value:.3f} ({people.low:.3f} to {people.high:.3f})",
            }
        )
    return rows


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return (np.nan, np.nan, np.nan)
    return (estimate.value, estimate.low, estimate.high)


def _held(ends: NDArray[np.float64], truth: float) -> str:
    told = ends[~np.isnan(ends[:, 0])]
    return rate((told[:, 1] <= truth) & (truth <= told[:, 2])) if len(told) else "nothing said"


def _half(ends: NDArray[np.float64]) -> float:
    return float(np.nanmean(ends[:, 2] - ends[:, 1]) / 2)
