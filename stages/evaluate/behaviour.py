"""What the extractor can do, as a table of small tests (CheckList; Ribeiro et al. 2020, ACL).

Three kinds of test. *Minimum functionality*: in a simple hand-written sentence exactly the expected
mentions are found. *Invariance*: a test document is changed in a way that means nothing, and the
same mentions are found. *Directional*: it is changed in a way that means something, and the
mentions change just so. The last two compare the extractor with itself and need no annotation; a
case is one document and passes when **all** its mentions come out, moved as the change moves them,
with their labels, and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

import numpy as np

from stages.common.scoring import Span
from stages.evaluate import perturbations
from stages.evaluate.cases import Case, simple_cases
from stages.evaluate.perturbations import Change, Perturbation, changed, moved
from stages.train.extractor import Extraction

MOST_DOCUMENTS = 100
"""Test documents that are changed; the first by the hash of their text."""

UNTESTED = "not tested"
"""Kind of the row that says that no case was written by hand for a label."""

OTHER_DISEASES = ("asthma", "pneumonia", "hypertension", "gout", "migraine", "epilepsy", "COPD")
OTHER_TREATMENTS = ("aspirin", "metformin", "ramipril", "prednisolone", "apixaban", "amoxicillin", "salbutamol",
                    "bisoprolol", "atorvastatin", "omeprazole")  # fmt: skip
"""Words that are put in the place of another in a document."""


class CanExtract(Protocol):
    """What is tested: an `Extractor`, or anything that finds mentions in a text."""

    def extract(self, text: str) -> Extraction:
        """Find the mentions of one note."""
        ...


class _Document(NamedTuple):
    text: str
    found: list[Span]
    digest: int


def behaviour(
    extractor: CanExtract, texts: Iterable[str], labels: Sequence[str], seed: int
) -> dict[str, dict[str, Any]]:
    """Test the extractor.

    Parameters
    ----------
    extractor : CanExtract
    texts : iterable of str
        Documents to change; more than `MOST_DOCUMENTS` are sampled.
    labels : sequence of str
        Those of the project. What expects a mention of any other label is left out.
    seed : int
        Decides which word gets the typo, and the like.

    Returns
    -------
    dict
        By capability: ``kind``, ``cases``, ``passed`` and ``rate``, which is None without cases.
        Holds no text. A label without a capability of its own has a row of kind `UNTESTED`, without cases.
    """
    documents = [_Document(text, spans_found(extractor, text), _digest(text)) for text in _sampled(texts)]
    table = {}
    for name, (kind, cases) in _capabilities(documents, labels, seed).items():
        passed = [set(spans_found(extractor, case.text)) == case.expected for case in cases]
        rate = sum(passed) / len(passed) if passed else None
        table[name] = {"kind": kind, "cases": len(passed), "passed": sum(passed), "rate": rate}
    return table


def _capabilities(
    documents: Sequence[_Document], labels: Sequence[str], seed: int
) -> dict[str, tuple[str, list[Case]]]:
    simple = {
        name: ("minimum functionality", cases)
        for name, cases in simple_cases().items()
        if _labels_expected(cases) <= set(labels)
    }
    same = {name: ("invariance", _changed_cases(documents, change, seed)) for name, change in INVARIANT.items()}
    other = {
        name: ("directional", _changed_cases(documents, change, seed))
        for name, (label, change) in _SWAPPED.items()
        if label in labels
    }
    more = {
        name: ("directional", _longer_cases(documents, before, word, label))
        for name, (before, word, label) in _ADDED.items()
        if label in labels
    }
    return simple | same | other | more | _untested(labels)


def _labels_expected(cases: Iterable[Case]) -> set[str]:
    return {label for case in cases for _, _, label in case.expected}


def _untested(labels: Sequence[str]) -> dict[str, tuple[str, list[Case]]]:
    tested = {label for cases in simple_cases().values() for label in _labels_expected(cases)}
    return {f"cases_of_{label}": (UNTESTED, []) for label in labels if label not in tested}


INVARIANT: dict[str, Perturbation] = {
    "upper_case": perturbations.upper_case,
    "lower_case": perturbations.lower_case,
    "typo_elsewhere": perturbations.typo,
    "no_punctuation_at_line_ends": perturbations.no_last_marks,
    "no_commas": perturbations.no_commas,
    "bullets": perturbations.bullets,
    "wide_spaces": perturbations.wide_spaces,
    "other_doses": perturbations.other_doses,
    "glued_doses": perturbations.glued_doses,
    "parted_doses": perturbations.parted_doses,
}
"""Changes that mean nothing."""
_SWAPPED = {
    "another_disease": ("Disease", perturbations.replacing_one("Disease", OTHER_DISEASES)),
    "another_treatment": ("Treatment", perturbations.replacing_one("Treatment", OTHER_TREATMENTS)),
}
_ADDED = {
    "a_disease_more": ("\nNew diagnosis of ", "asthma", "Disease"),
    "a_treatment_more": ("\nStarted on ", "ramipril", "Treatment"),
}


def _changed_cases(documents: Sequence[_Document], change: Perturbation, seed: int) -> list[Case]:
    cases = []
    for document in documents:
        changes = change(document.text, document.found, np.random.default_rng([seed, document.digest]))
        if changes:
            cases.append(Case(changed(document.text, changes), moved(document.found, changes)))
    return cases


def _longer_cases(documents: Sequence[_Document], before: str, word: str, label: str) -> list[Case]:
    cases = []
    for document in documents:
        place = len(document.text) + len(before)
        text = changed(document.text, [Change(len(document.text), len(document.text), f"{before}{word}.")])
        cases.append(Case(text, {*document.found, (place, place + len(word), label)}))
    return cases


def spans_found(extractor: CanExtract, text: str) -> list[Span]:
    """Return the mentions that an extractor finds, without their confidence."""
    return [(mention.start, mention.end, mention.label) for mention in extractor.extract(text).mentions]


def _digest(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def _sampled(texts: Iterable[str]) -> list[str]:
    by_digest: Callable[[str], tuple[int, str]] = lambda text: (_digest(text), text)  # noqa: E731
    return sorted(texts, key=by_digest)[:MOST_DOCUMENTS]
