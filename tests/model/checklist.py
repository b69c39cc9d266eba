"""CheckList for extractors: capabilities, and the cases that show them (Ribeiro et al. 2020, ACL).

Three kinds of test, scored as the share of passed cases:

- **minimum functionality**: a simple sentence; exactly the expected mentions must be found.
- **invariance**: a change that means nothing; the same mentions must be found.
- **directional**: a change that means something; the mentions must change just so.

An invariance or directional case compares the extractor with itself, so that it says nothing about accuracy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Found = tuple[str, str]
"""Text and label of a mention."""

Finder = Callable[[str], Sequence[Found]]
"""Extracts the mentions of a text, in order."""

Kind = Literal["minimum functionality", "invariance", "directional"]


class Case(NamedTuple):
    """One case: of `text`, and of `changed` where two texts are compared.

    `expected` turns what was found in `text` into what must be found in `changed` (or in `text`
    itself, where there is no change).
    """

    text: str
    changed: str | None
    expected: Callable[[list[Found]], list[Found]]


@dataclass(frozen=True)
class Capability:
    """What an extractor should be able to do, and the cases that show it."""

    name: str
    kind: Kind
    cases: tuple[Case, ...]

    def failures(self, find: Finder) -> list[tuple[Case, list[Found]]]:
        """List the failed cases with what was found instead."""
        failed = []
        for case in self.cases:
            found = list(find(case.text))
            got = found if case.changed is None else list(find(case.changed))
            if got != case.expected(found):
                failed.append((case, got))
        return failed

    def pass_rate(self, find: Finder) -> float:
        """Share of the cases that pass, 0 to 1."""
        return 1 - len(self.failures(find)) / len(self.cases)


def pass_rates(capabilities: Iterable[Capability], find: Finder) -> dict[str, dict[str, float]]:
    """Score capabilities: kind, then name, then share of passed cases."""
    rates: dict[str, dict[str, float]] = {}
    for capability in capabilities:
        rates.setdefault(capability.kind, {})[capability.name] = capability.pass_rate(find)
    return rates


# --- material -------------------------------------------------------------------------------------

DISEASES = ["asthma", "pneumonia", "hypertension", "gout", "atrial fibrillation", "COPD", "depression", "heart failure",
            "migraine", "epilepsy", "hypothyroidism", "iron deficiency anaemia"]  # fmt: skip
TREATMENTS = ["aspirin", "metformin", "ramipril", "prednisolone", "apixaban", "amoxicillin", "insulin", "salbutamol",
              "bisoprolol", "atorvastatin", "methotrexate", "omeprazole"]  # fmt: skip

_MARK = re.compile(r"\[([^\]:]+):(.)\]")
_LABELS = {"D": "Disease", "T": "Treatment"}

NOTES = [
    "Known [asthma:D], takes [salbutamol:T] when needed.",
    "Admitted with [pneumonia:D]. Started [amoxicillin:T] 500mg TDS.",
    "Her [hypertension:D] is well controlled on [ramipril:T] 5mg.",
    "PMH: [COPD:D], [gout:D], [atrial fibrillation:D].",
    "Continue [apixaban:T] 5mg BD and [bisoprolol:T] 2.5mg.",
    "No evidence of [pulmonary embolism:D]. Home on [aspirin:T].",
    "The [heart failure:D] has worsened despite [furosemide:T] 40mg.",
    "He was referred for [physiotherapy:T] after a [hip fracture:D].",
    "[Migraine:D] twice a month, [propranolol:T] 40mg helps.",
    "Family history of [breast cancer:D]; no [diabetes:D].",
    "[Methotrexate:T] 15mg weekly for [rheumatoid arthritis:D], bloods fine.",
    "Treated for [sepsis:D] with [antibiotics:T] and [oxygen:T].",
    "[Depression:D] has lifted since [sertraline:T] 100mg was begun.",
    "[Epilepsy:D], no seizures on [lamotrigine:T] 200mg for two years.",
    "Stop [omeprazole:T] 20mg, start [lansoprazole:T] 30mg for [GORD:D].",
    "[Hypothyroidism:D] diagnosed in spring, [levothyroxine:T] 75mcg daily.",
]
"""Simple notes, with what is marked in them."""


def _plain(note: str) -> tuple[str, list[Found]]:
    return _MARK.sub(r"\1", note), [(text, _LABELS[kind]) for text, kind in _MARK.findall(note)]


def _same(found: list[Found]) -> list[Found]:
    return found


def _invariant(change: Callable[[str], str], same: Callable[[list[Found]], list[Found]] = _same) -> tuple[Case, ...]:
    texts = [_plain(note)[0] for note in NOTES]
    return tuple(Case(text, changed, same) for text in texts if (changed := change(text)) != text)


def _expected(found: list[Found]) -> Callable[[list[Found]], list[Found]]:
    return lambda _: found


def _upper(found: list[Found]) -> list[Found]:
    return [(text.upper(), label) for text, label in found]


def _lower(found: list[Found]) -> list[Found]:
    return [(text.lower(), label) for text, label in found]


def _doubled(found: list[Found]) -> list[Found]:
    return [(text.replace(" ", "  "), label) for text, label in found]


def _without(crossed_out: str) -> Callable[[list[Found]], list[Found]]:
    return lambda found: [(text, label) for text, label in found if text != crossed_out]


_DIGITS = str.maketrans("0123456789", "1357924680")
_TYPOS = {"controlled": "controled", "Started": "Startd", "takes": "taks", "worsened": "worsend", "referred": "refered",
          "evidence": "evidance", "Continue": "Contine", "history": "histroy", "weekly": "weekyl", "month": "mnoth",
          "Treated": "Treted", "lifted": "liftd", "seizures": "siezures", "diagnosed": "diagnosd"}  # fmt: skip


def _mistype(text: str) -> str:
    for right, wrong in _TYPOS.items():
        text = text.replace(right, wrong)
    return text


def _frame(before: str, after: str, words: Sequence[str], label: str) -> tuple[Case, ...]:
    return tuple(Case(f"{before}{word}{after}", None, _expected([(word, label)])) for word in words)


def _with_added(addition: str, mention: Found) -> tuple[Case, ...]:
    """Put something in front of the last full stop."""
    texts = [_plain(note)[0].removesuffix(".") for note in NOTES]
    return tuple(Case(f"{text}.", f"{text}{addition}.", lambda found: [*found, mention]) for text in texts)


def _first_crossed_out() -> tuple[Case, ...]:
    cases = []
    for note in NOTES:
        text, marked = _plain(note)
        first = marked[0][0]
        cases.append(Case(text, text.replace(first, "This", 1), _without(first)))
    return tuple(cases)


CAPABILITIES = (
    Capability("common diseases", "minimum functionality", _frame("The patient has ", ".", DISEASES, "Disease")),
    Capability("common treatments", "minimum functionality", _frame("Continue ", " today.", TREATMENTS, "Treatment")),
    Capability("doses glued to units", "minimum functionality", _frame("- ", " 5mg BD", TREATMENTS, "Treatment")),
    Capability("negated diseases", "minimum functionality", _frame("No evidence of ", ".", DISEASES, "Disease")),
    Capability(
        "simple notes",
        "minimum functionality",
        tuple(Case(text, None, _expected(marked)) for text, marked in map(_plain, NOTES)),
    ),
    Capability(
        "nothing to find",
        "minimum functionality",
        tuple(
            Case(text, None, _expected([]))
            for text in (
                "Seen in clinic today.",
                "Feels well and is sleeping better.",
                "Bloods next week, please.",
                "BP 128/76, pulse 64, sats 98%.",
                "Lives alone on the second floor.",
                "Review in three months.",
            )
        ),
    ),
    Capability("upper case", "invariance", _invariant(str.upper, _upper)),
    Capability("lower case", "invariance", _invariant(str.lower, _lower)),
    Capability("extra spaces", "invariance", _invariant(lambda text: text.replace(" ", "  "), _doubled)),
    Capability("bullets", "invariance", _invariant(lambda text: f"- {text}")),
    Capability("trailing punctuation removed", "invariance", _invariant(lambda text: text.rstrip("."))),
    Capability("other doses", "invariance", _invariant(lambda text: text.translate(_DIGITS))),
    Capability("typos elsewhere", "invariance", _invariant(_mistype)),
    Capability("a sentence before", "invariance", _invariant(lambda text: f"Seen today with her daughter. {text}")),
    Capability("a disease more", "directional", _with_added(" and asthma", ("asthma", "Disease"))),
    Capability("a treatment more", "directional", _with_added(", on metformin", ("metformin", "Treatment"))),
    Capability("a mention less", "directional", _first_crossed_out()),
)
