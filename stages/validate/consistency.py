"""Does the same text carry the same annotation everywhere? All in time linear in the text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from stages.common.documents import Document, Mention
from stages.common.wording import counted
from stages.validate.findings import Finding, finding
from stages.validate.leakage import fingerprint, normalised

UNLABELLED = 0.05
"""Share of the occurrences of recurring mention strings from which unlabelled ones are reported."""

SHORTEST_SENTENCE = 3
"""Words; shorter sentences (headings) may well mean different things in different places."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n+")

Words = tuple[str, ...]


class _Word(NamedTuple):
    start: int
    end: int
    form: str


def _words(text: str) -> list[_Word]:
    return [_Word(match.start(), match.end(), match[0].casefold()) for match in _TOKEN.finditer(text)]


def _forms(text: str) -> Words:
    return tuple(word.form for word in _words(text))


def _marked(document: Document) -> Iterator[tuple[Words, str]]:
    """Yield the words and the label of each mention."""
    for mention in document.mentions:
        forms = _forms(document.text[mention.start : mention.end])
        if forms:
            yield forms, mention.label


def labelled_two_ways(documents: Sequence[Document]) -> Finding | None:
    """Report mention strings that carry more than one label; names where the rarer label stands."""
    uses: defaultdict[Words, list[tuple[str, str]]] = defaultdict(list)
    for document in documents:
        for forms, label in _marked(document):
            uses[forms].append((label, document.id))
    torn = 0
    ids: list[str] = []
    for places in uses.values():
        counts = Counter(label for label, _ in places)
        if len(counts) > 1:
            torn += 1
            usual = min(counts, key=lambda label: (-counts[label], label))
            ids += [identifier for label, identifier in places if label != usual]
    if not torn:
        return None
    summary = f"{counted(torn, 'mention string')} labelled in more than one way. Decide on one label, or confirm both."
    return finding("labelled_two_ways", "warning", torn, summary, ids)


class _Strings:
    """Known strings of words, and where they stand in a text, in time linear in both (Aho and Corasick 1975).

    The automaton reads from the end, so that its state at a word knows the longest string that
    *begins* there: which of several nested ones counts needs no second look.
    """

    def __init__(self, known: Iterable[Words]) -> None:
        self._next: dict[tuple[int, str], int] = {}
        self._longest = [0]  # for each state, the words of the longest string that it ends in
        self._shorter = [0]  # for each state, that of its longest proper ending
        depths: defaultdict[int, list[tuple[int, str, int]]] = defaultdict(list)
        for forms in known:
            state = 0
            for depth, form in enumerate(reversed(forms)):
                key = state, form
                if key not in self._next:
                    self._next[key] = len(self._longest)
                    depths[depth].append((*key, self._next[key]))
                    self._longest.append(0)
                    self._shorter.append(0)
                state = self._next[key]
            self._longest[state] = len(forms)
        for depth in sorted(depths):  # what is shorter is known before what is longer
            for parent, form, state in depths[depth]:
                shorter = self._step(self._shorter[parent], form) if parent else 0
                self._shorter[state] = shorter
                self._longest[state] = self._longest[state] or self._longest[shorter]

    def _step(self, state: int, form: str) -> int:
        while state and (state, form) not in self._next:
            state = self._shorter[state]
        return self._next.get((state, form), 0)

    def occurrences(self, words: Sequence[_Word]) -> Iterator[tuple[int, int]]:
        """Yield (first, last + 1) of the longest known string at each place, none inside another."""
        longest, state = [0] * len(words), 0
        for place in range(len(words) - 1, -1, -1):
            state = self._step(state, words[place].form)
            longest[place] = self._longest[state]
        place = 0
        while place < len(words):
            if longest[place]:
                yield place, place + longest[place]
            place += longest[place] or 1


def left_unlabelled(documents: Sequence[Document]) -> Finding | None:
    """Report strings that are marked in one place and left unmarked in another.

    Only whole words count, case aside, and only where no mention covers any part of them; and only in documents
    in which a label that the string carries elsewhere was looked for.
    """
    marked = Counter((forms, label) for document in documents for forms, label in _marked(document))
    missed: Counter[Words] = Counter()
    ids: list[str] = []
    for labels in dict.fromkeys(document.labels for document in documents):
        strings = _Strings(dict.fromkeys(forms for forms, label in marked if labels is None or label in labels))
        for document in documents:
            if document.labels == labels:
                for forms in _unmarked(document, strings):
                    missed[forms] += 1
                    ids.append(document.id)
    numbers: Counter[Words] = Counter()
    for (forms, _), number in marked.items():
        numbers[forms] += number
    count = missed.total()
    recurring = sum(number + missed[forms] for forms, number in numbers.items() if number + missed[forms] > 1)
    share = count / recurring if recurring else 0.0
    if share < UNLABELLED:
        return None
    summary = (
        f"{count:,} of {counted(recurring, 'occurrence')} ({share:.1%}) of recurring mention strings left unlabelled."
        " Look through them in the annotation tool."
    )
    order = {document.id: place for place, document in enumerate(documents)}
    return finding("left_unlabelled", "warning", count, summary, sorted(ids, key=order.__getitem__))


def _unmarked(document: Document, strings: _Strings) -> Iterator[Words]:
    words = _words(document.text)
    covered = _covered(words, document.mentions)
    for first, last in strings.occurrences(words):
        if not any(covered[first:last]):
            yield tuple(word.form for word in words[first:last])


def _covered(words: Sequence[_Word], mentions: Iterable[Mention]) -> list[bool]:
    """Tell for each word whether a mention touches it; mentions in order of their start."""
    waiting = sorted(mentions)
    covered, place, reach = [], 0, 0
    for word in words:
        while place < len(waiting) and waiting[place].start < word.end:
            reach = max(reach, waiting[place].end)
            place += 1
        covered.append(reach > word.start)
    return covered


def conflicting_documents(documents: Sequence[Document]) -> Finding | None:
    """Report texts that stand more than once with different annotations."""
    what = "repeated with different annotations. Keep the right one of each"
    conflicts = (
        (fingerprint(document.text), _Use(tuple(_marked(document)), document.id, document.labels))
        for document in documents
        if document.text.strip()
    )
    return _conflicts(conflicts, "conflicting_documents", "text", what)


def conflicting_sentences(documents: Sequence[Document]) -> Finding | None:
    """Report sentences that stand more than once with different annotations, in different documents or in one."""
    what = "repeated with different annotations. Decide on one annotation"
    repeated = {key for key, number in Counter(map(_document_key, documents)).items() if number > 1}
    conflicts = (
        (normalised(text), _Use(tuple(marked), document.id, document.labels))
        for document in documents
        if _document_key(document) not in repeated  # their conflicts are reported as documents
        for text, marked in _sentences(document)
        if len(text.split()) >= SHORTEST_SENTENCE
    )
    return _conflicts(conflicts, "conflicting_sentences", "sentence", what)


def _document_key(document: Document) -> str:
    return fingerprint(document.text)


def _sentences(document: Document) -> Iterator[tuple[str, list[tuple[Words, str]]]]:
    """Yield the text and the marked strings of each sentence; where none are given, cut at full stops."""
    text, mentions, place = document.text, document.mentions, 0
    for start, end in document.sentences or _cut(text):
        inside = []
        while place < len(mentions) and mentions[place].start < end:
            mention = mentions[place]
            inside.append((_forms(text[mention.start : mention.end]), mention.label))
            place += 1
        yield text[start:end], inside


def _cut(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _SENTENCE_END.finditer(text):
        yield start, match.start()
        start = match.end()
    yield start, len(text)


class _Use(NamedTuple):
    """One place of a text: the strings marked in it, its document, and the labels that were looked for."""

    marked: tuple[tuple[Words, str], ...]
    document: str
    labels: tuple[str, ...] | None


def _conflicts(conflicts: Iterable[tuple[str, _Use]], check: str, noun: str, what: str) -> Finding | None:
    """Report the texts that come with more than one annotation."""
    uses: defaultdict[str, list[_Use]] = defaultdict(list)
    for key, use in conflicts:
        uses[key].append(use)
    torn = [places for places in uses.values() if len(places) > 1 and _disagree(places)]
    if not torn:
        return None
    ids = [use.document for places in torn for use in places]
    return finding(check, "warning", len(torn), f"{counted(len(torn), noun)} {what}.", ids)


def _disagree(places: Sequence[_Use]) -> bool:
    """Tell whether any two places are marked otherwise with the labels that were looked for in both."""
    kinds = list(dict.fromkeys(use.labels for use in places))
    return any(
        len({_with(use.marked, one, other) for use in places if use.labels in (one, other)}) > 1
        for place, one in enumerate(kinds)
        for other in kinds[place:]
    )


def _with(marked: tuple[tuple[Words, str], ...], *looked_for: tuple[str, ...] | None) -> tuple[tuple[Words, str], ...]:
    """Keep the strings whose label is among all the labels given; None stands for every label."""
    return tuple(item for item in marked if all(labels is None or item[1] in labels for labels in looked_for))
