"""Questions to the record: which name is asked for, and what stands beside it.

The name is looked for in three steps, and the answer says which one it took: as it is spelled in
the record; sharing its words (*retinoblastoma* for *hereditary retinoblastoma*); spelled alike.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from production.record.forms import label_named
from production.record.names import identity_of, key_of
from production.record.pairs import DISEASE, SIDES, TREATMENT, Extracts, Sides
from production.record.table import PAST_CHANCE, rank
from stages.common.errors import BeHealthyError

EXACT, PART, ALIKE = "exact", "shares words", "spelled alike"

_MOST_NAMES = 5
_ALIKE, _CLOSE = 0.92, 0.5
"""Similarity from which a misspelling is taken for a name (*prednisone* and *prednisolone* have .91), or named."""

_WORD = re.compile(r"\w+(?:['\u2019\-\u2010\u2011]\w+)*")
_LONGEST = 8
_ASKING = frozenset((
    "a", "about", "against", "an", "and", "any", "are", "be", "been", "best", "by", "can", "condition",
    "conditions", "could", "did", "disease", "diseases", "do", "does", "drug", "drugs", "for", "get", "gets",
    "give", "given", "gives", "got", "has", "have", "help", "helps", "how", "i", "in", "indicated", "indication",
    "indications", "is", "it", "manage", "managed", "me", "medication", "medications", "medicine", "medicines",
    "of", "on", "or", "patient", "patients", "prescribe", "prescribed", "should", "show", "take", "taken", "tell",
    "the", "therapies", "therapy", "there", "to", "treat", "treated", "treating", "treatment", "treatments",
    "treats", "use", "used", "uses", "using", "was", "we", "were", "what", "when", "which", "who", "why", "with",
    "work", "works", "you",
))  # fmt: skip


_KINDS = frozenset(["disease", "diseases", "therapy", "condition"])
"""Last words of names."""


class KnownName(NamedTuple):
    """A name of the record."""

    label: str
    identity: str
    display: str
    keys: tuple[str, ...]
    notes: int


@dataclass(frozen=True)
class Answer:
    """What the record says.

    Parameters
    ----------
    term : str
        The name as it stands in the question.
    how : str
        `EXACT`, `PART`, `ALIKE`; empty when no name was found.
    names : tuple of KnownName
        What it was taken for.
    rows : DataFrame
        Rows of the record that count, with `rank`: first what has the largest sum of ranks over the names.
    flagged : int
        Pairs of these names that are not shown: negated or of relatives wherever they stand.
    closest : tuple of str
        When no name was found, the names nearest in spelling.
    """

    term: str
    how: str
    names: tuple[KnownName, ...]
    rows: pd.DataFrame
    flagged: int
    closest: tuple[str, ...]

    def past_chance(self) -> pd.DataFrame:
        """Return the rows whose strength is at least `PAST_CHANCE`: the others may well stand together by luck."""
        return self.rows[self.rows["strength"] >= PAST_CHANCE].reset_index(drop=True)


def known_names(record: pd.DataFrame) -> list[KnownName]:
    """List the names of a record, diseases first."""
    names = []
    for label, side in ((DISEASE, "disease"), (TREATMENT, "treatment")):
        columns = [f"{side}_id", side, f"{side}_forms", f"{side}_notes"]
        rows = record.drop_duplicates(f"{side}_id")[columns].itertuples(index=False, name=None)
        names += [KnownName(label, i, name, tuple({key_of(f): 0 for f in forms}), int(n)) for i, name, forms, n in rows]
    return names


def answer(question: str, record: pd.DataFrame, extractor: Extracts | None, sides: Sides = SIDES) -> Answer:
    """Find the names of a question and what stands beside them.

    Parameters
    ----------
    question : str
    record : DataFrame
    extractor : Extracts or None
        Tells where the name stands in the question when the record does not know it; without one,
        the words that do not ask are taken for it.
    sides : Sides
        Which labels of the extractor are diseases, and which are treatments.

    Raises
    ------
    BeHealthyError
        When the question is of no form that the record can answer, or takes a treatment for a disease or
        the reverse.
    """
    known = known_names(record)
    label = label_named(question, {spelled for name in known for spelled in _spellings(name)})
    names = [name for name in known if label in (None, name.label)]
    exact = list(_spelled_so(question, names))
    term = _term_of(question, extractor, sides)
    words = max((len(key_of(span).split()) for span, _ in exact), default=0)
    if exact and words >= len(key_of(term).split()):
        spelled = " + ".join(dict.fromkeys(span for span, _ in exact))
        return _answer(spelled, EXACT, _with_narrower([name for _, name in exact], names), record)
    for how, matches in ((PART, _sharing_words(term, names)), (ALIKE, _spelled_alike(term, names, _ALIKE, 1))):
        if matches:
            return _answer(term, how, matches, record)
    if others := [name.label for _, name in _spelled_so(question, known)]:
        remedy = "ask what treats it" if others[0] == DISEASE else "ask what it is used for"
        raise BeHealthyError(f"the record knows this name as a {others[0].lower()} only: {remedy}")
    closest = tuple(dict.fromkeys(name.display for name in _spelled_alike(term, names, _CLOSE, _MOST_NAMES)))
    return Answer(term, "", (), record.head(0), 0, closest)


def _with_narrower(matches: Sequence[KnownName], names: Iterable[KnownName]) -> list[KnownName]:
    """Add the most frequent names of the same kind that say more: *seropositive* rheumatoid arthritis."""
    more = []
    for name in names:
        for wanted in matches:
            if name.label == wanted.label and name.identity != wanted.identity and _says_more(name, wanted):
                more.append(name)
    return [*matches, *sorted(dict.fromkeys(more), key=lambda name: (-name.notes, name.display))[:_MOST_NAMES]]


def _says_more(name: KnownName, wanted: KnownName) -> bool:
    return any(set(w.split()) < set(key.split()) for w in wanted.keys if w for key in name.keys)


def _term_of(question: str, extractor: Extracts | None, sides: Sides) -> str:
    """Return the part of the question that names something."""
    mentions = [m for m in extractor.extract(question).mentions if m.label in sides] if extractor else []
    if mentions:
        return _without_asking(max((question[m.start : m.end] for m in mentions), key=len))
    return " ".join(word for word in _WORD.findall(question) if word.casefold() not in _ASKING) or question.strip()


def _without_asking(span: str) -> str:
    """Cut words that ask from both ends, should the extractor have taken them in."""
    words = span.split()
    while len(words) > 1 and words[0].casefold() in _ASKING:
        words = words[1:]
    while len(words) > 1 and words[-1].casefold() in _ASKING - _KINDS:
        words = words[:-1]
    return " ".join(words)


def _spelled_so(question: str, names: Sequence[KnownName]) -> Iterator[tuple[str, KnownName]]:
    """Yield the longest known name of each label that the question spells out."""
    known = {(name.label, spelled): name for name in names for spelled in _spellings(name)}
    places = [match.span() for match in _WORD.finditer(question)]
    for label in (DISEASE, TREATMENT):
        for span in _spans(question, places):
            name = known.get((label, identity_of(span)))
            if name:
                yield span, name
                break


def _spellings(name: KnownName) -> list[str]:
    """Return a name as `identity_of` makes it of each of its forms."""
    return [key.replace(" ", "") for key in (*name.keys, name.identity) if key]


def _spans(question: str, places: Sequence[tuple[int, int]]) -> Iterator[str]:
    for length in range(min(_LONGEST, len(places)), 0, -1):
        for first in range(len(places) - length + 1):
            span = question[places[first][0] : places[first + length - 1][1]]
            if length > 1 or span.casefold() not in _ASKING:
                yield span


def _sharing_words(term: str, names: Iterable[KnownName]) -> list[KnownName]:
    """Return names that have all words of `term`; failing that, those of which it has all words, the longest only."""
    wanted = set(key_of(term).split())
    if not wanted:
        return []
    narrower, broader = [], []
    for name in names:
        parts = [set(key.split()) for key in name.keys]
        if any(wanted <= part for part in parts):
            narrower.append(name)
        elif covered := [len(part) for part in parts if part and part <= wanted]:
            broader.append((max(covered), name))
    longest = max((length for length, _ in broader), default=0)
    matches = narrower or [name for length, name in broader if length == longest]
    return sorted(matches, key=lambda name: (-name.notes, name.display))[:_MOST_NAMES]


def _spelled_alike(term: str, names: Sequence[KnownName], least: float, most: int) -> list[KnownName]:
    keys: dict[str, list[KnownName]] = {}
    for name in names:
        for key in name.keys:
            keys.setdefault(key, []).append(name)
    close = difflib.get_close_matches(key_of(term), keys, n=2 * most, cutoff=least)
    matches = {(name.label, name.identity): name for key in close for name in keys[key]}
    return list(matches.values())[:most]


def _answer(term: str, how: str, names: Sequence[KnownName], record: pd.DataFrame) -> Answer:
    """Select the rows of the names: those of a disease and a treatment when the question names both."""
    kept = pd.Series(True, index=record.index)
    diseases = [name.identity for name in names if name.label == DISEASE]
    treatments = [name.identity for name in names if name.label == TREATMENT]
    if how != EXACT and diseases and treatments:  # words shared by names of both kinds: either will do
        kept = record["disease_id"].isin(diseases) | record["treatment_id"].isin(treatments)
    else:
        for column, identities in (("disease_id", diseases), ("treatment_id", treatments)):
            kept &= record[column].isin(identities) if identities else True
    rows = record[kept]
    ranked = rows[rows["notes"] > 0].assign(rank=rank)
    # What stands beside several of the names is one finding: its rows come together, by the sum of their ranks.
    ranked["together"] = ranked.groupby("treatment_id" if diseases else "disease_id")["rank"].transform("sum")
    order = ["together", "rank", "closeness", "notes", "disease_id", "treatment_id"]
    ranked = ranked.sort_values(order, ascending=[False] * 4 + [True] * 2).reset_index(drop=True)
    return Answer(term, how, tuple(names), ranked, len(rows) - len(ranked), ())
