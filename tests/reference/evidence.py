"""Evidence about spans in plain Python: words and lists, no hash, no table, no array of counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from stages.featurize.attributes.abbreviations import LOOK_BACK
from stages.featurize.attributes.terminology import CATEGORIES
from stages.train.taggers.chain.candidates import LONGEST

OPENING, CLOSING, JOINING = "([{", ")]}", ("and", "or")
_NO_PHRASE = -1.0


class Span(NamedTuple):
    """A candidate: tokens `first` to `end` - 1 of its sentence, a label's number, the tagger's probability."""

    sentence: int
    first: int
    end: int
    label: int
    p: float


@dataclass(frozen=True)
class Text:
    """Sentences of words, with what the tagger and the readers of the text say of them.

    Parameters
    ----------
    outside : list of lists of float
        Probability of no mention, by sentence and token.
    long_forms : dict
        By sentence and token of a short form: how many tokens before it its long form starts.
    terms : dict
        By sentence and token: length of the longest term of each category that starts there.
    """

    sentences: list[list[str]]
    contexts: list[int]
    spans: list[Span]
    outside: list[list[float]]
    long_forms: dict[tuple[int, int], int] = field(default_factory=dict)
    terms: dict[tuple[int, int], dict[str, int]] = field(default_factory=dict)

    def stems(self, sentence: int) -> list[str | None]:
        """Return the stems of a sentence between two borders: token t is at t + 1."""
        return _bordered(self.sentences[sentence])


@dataclass(frozen=True)
class Training:
    """Sentences of words and their mentions: first token, token after the last, a label's number."""

    sentences: list[list[str]]
    mentions: list[list[tuple[int, int, int]]]
    labels: int

    def marked(self) -> Iterator[tuple[list[str | None], int, int, int]]:
        """Walk through the mentions: bordered stems, place of the first and after the last, label."""
        for words, mentions in zip(self.sentences, self.mentions, strict=True):
            for first, end, label in mentions:
                yield _bordered(words), first + 1, end + 1, label

    def stem(self, stem: str | None) -> dict[str, int]:
        """Count how often a stem is at each place of a mention, and anywhere."""
        count = dict.fromkeys(("first", "last", "before", "after", "inside"), 0)
        count["anywhere"] = sum(stem == stem_of(word) for words in self.sentences for word in words)
        for stems, first, end, _ in self.marked() if stem is not None else ():
            count["first"] += stems[first] == stem
            count["last"] += stems[end - 1] == stem
            count["before"] += stems[first - 1] == stem
            count["after"] += stems[end] == stem
            count["inside"] += stems[first:end].count(stem)
        return count

    def stem_of_label(self, stem: str | None, label: int) -> dict[str, int]:
        """Count how often a stem is at each place of a mention of a label."""
        part = [[m for m in mentions if m[2] == label] for mentions in self.mentions]
        return Training(self.sentences, part, self.labels).stem(stem)

    def pair(self, left: str | None, right: str | None) -> dict[str, int]:
        """Count what stands between two neighbouring stems; the label's number for the last two of a mention."""
        count = dict.fromkeys(("starts", "ends", "joined", *map(str, range(self.labels))), 0)
        count["together"] = sum(
            pair == (left, right) for words in self.sentences for pair in pairwise(_bordered(words))
        )
        for stems, first, end, label in self.marked():
            count["starts"] += (stems[first - 1], stems[first]) == (left, right)
            count["ends"] += (stems[end - 1], stems[end]) == (left, right)
            count["joined"] += list(pairwise(stems[first:end])).count((left, right))
            count[str(label)] += end - first > 1 and (stems[end - 2], stems[end - 1]) == (left, right)
        return count

    def phrase(self, phrase: Sequence[str | None]) -> tuple[list[int], int]:
        """Count how often a phrase is a mention of each label, and how often a known one stands anywhere."""
        phrase = list(phrase)
        times = [0] * self.labels
        for stems, first, end, label in self.marked():
            times[label] += stems[first:end] == phrase
        if not any(times) or len(phrase) > LONGEST:
            return times, 0
        texts = [[stem_of(word) for word in words] for words in self.sentences]
        return times, sum(text[a : a + len(phrase)] == phrase for text in texts for a in range(len(text)))


def stem_of(word: str) -> str:
    """Return what a word is compared by."""
    return word.lower()


def _bordered(words: list[str]) -> list[str | None]:
    return [None, *map(stem_of, words), None]


def evidence(text: Text, training: Training, span: Span) -> dict[str, float]:
    """Describe a candidate, column by column in order."""
    columns: dict[str, float] = {}
    for group in (_rivals, _certainty, _surface):
        columns |= group(text, span)
    columns |= _phrase(text, training, span)
    columns |= _words(text, training, span)
    columns |= _nearby(text, span)
    columns |= _abbreviations(text, span)
    for learned in (_pairs, _label, _variants):
        columns |= learned(text, training, span)
    return columns | _terms(text, span)


def _share(part: float, whole: float, prior: float) -> float:
    return (part + prior) / (whole + 1)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _rivals(text: Text, span: Span) -> dict[str, float]:
    others = [other for other in text.spans if other.sentence == span.sentence and other is not span]
    rivals = [other for other in others if other.first < span.end and span.first < other.end]
    same = [other for other in rivals if other.label == span.label]
    another = [other.p for other in rivals if other.label != span.label]
    inside = [other.p for other in same if span.first <= other.first and other.end <= span.end]
    around = [other.p for other in same if other.first <= span.first and span.end <= other.end]
    p = min(max(span.p, 1e-6), 1 - 1e-6)
    return {
        "log odds of the tagger": math.log(p / (1 - p)),
        "best rival of the same label": max((other.p for other in same), default=0),
        "sum of rivals of the same label": sum(other.p for other in same),
        "best rival of another label": max(another, default=0),
        "sum of rivals of another label": sum(another),
        "best span inside": max(inside, default=0),
        "best span around": max(around, default=0),
        "rivals with the same start": sum(other.p for other in same if other.first == span.first),
        "rivals with the same end": sum(other.p for other in same if other.end == span.end),
    }


def _certainty(text: Text, span: Span) -> dict[str, float]:
    outside = text.outside[span.sentence]
    within = outside[span.first : span.end]
    return {
        "mean probability of no mention": _mean(within),
        "largest probability of no mention": max(within),
        "least probability of no mention": min(within),
        "probability of no mention before": outside[span.first - 1] if span.first else -1,
        "probability of no mention after": outside[span.end] if span.end < len(outside) else -1,
    }


def _surface(text: Text, span: Span) -> dict[str, float]:
    sentence = ["", *text.sentences[span.sentence], ""]
    before, words, after = sentence[span.first], sentence[span.first + 1 : span.end + 1], sentence[span.end + 1]
    opening, closing = (sum(word != "" and word in kind for word in words) for kind in (OPENING, CLOSING))
    return {
        "tokens": len(words),
        "characters": sum(map(len, words)),
        "label": span.label,
        "bracket balance": opening - closing,
        "has a bracket": opening > 0,
        "alone in brackets": before != "" and before in OPENING and after != "" and after in CLOSING,
        "single capitalised word": len(words) == 1 and words[0][0].isupper(),
        "has a conjunction": any(word in JOINING for word in words),
        "has a hyphen": "-" in words,
        "hyphen before": before == "-",
        "hyphen after": after == "-",
    }


def _phrase(text: Text, training: Training, span: Span) -> dict[str, float]:
    times, anywhere = training.phrase(text.stems(span.sentence)[span.first + 1 : span.end + 1])
    same, other = times[span.label], sum(times) - times[span.label]
    return {
        "times seen with this label": same,
        "times seen with another label": other,
        "times seen unmarked": anywhere - same - other,
        "share marked where seen": (same + 0.1) / (anywhere + 0.5) if anywhere else _NO_PHRASE,
    }


def _words(text: Text, training: Training, span: Span) -> dict[str, float]:
    stems = text.stems(span.sentence)
    within = stems[span.first + 1 : span.end + 1]
    before, after = stems[span.first], stems[span.end + 1]
    first, last = training.stem(within[0]), training.stem(within[-1])

    def starts(count: dict[str, int]) -> float:
        return _share(count["first"], count["first"] + count["before"], 0.2)

    def ends(count: dict[str, int]) -> float:
        return _share(count["last"], count["last"] + count["after"], 0.2)

    return {
        "first word starts mentions": starts(first),
        "first word at or before a start, count": first["first"] + first["before"],
        "last word ends mentions": ends(last),
        "last word at an end, count": last["last"],
        "word before starts mentions": -1 if before is None else starts(training.stem(before)),
        "word after ends mentions": -1 if after is None else ends(training.stem(after)),
        "first word inside of mentions": _share(first["inside"], first["anywhere"], 0.2),
        "last word inside of mentions": _share(last["inside"], last["anywhere"], 0.2),
        "rarest word, count": min(training.stem(stem)["anywhere"] for stem in within),
    }


def _nearby(text: Text, span: Span) -> dict[str, float]:
    def phrase(other: Span) -> list[str | None]:
        return text.stems(other.sentence)[other.first + 1 : other.end + 1]

    nearby = [
        other
        for other in text.spans
        if 0 < abs(other.sentence - span.sentence) <= LOOK_BACK
        and text.contexts[other.sentence] == text.contexts[span.sentence]
        and phrase(other) == phrase(span)
    ]
    same = [other.p for other in nearby if other.label == span.label]
    return {
        "same phrase nearby, count": len(same),
        "same phrase nearby, best": max(same, default=-1),
        "same phrase nearby, mean": _mean(same) if same else -1,
        "same phrase nearby, other label": max((o.p for o in nearby if o.label != span.label), default=-1),
    }


def _abbreviations(text: Text, span: Span) -> dict[str, float]:
    """The nearest definition before or in the sentence counts; -1 where there is none."""
    columns = dict.fromkeys(("long form found", "long form found exactly"), -1.0)
    word = text.sentences[span.sentence][span.first] if span.end - span.first == 1 else None
    for (there, short), distance in sorted(text.long_forms.items()):
        near = 0 <= span.sentence - there <= LOOK_BACK and text.contexts[there] == text.contexts[span.sentence]
        if near and text.sentences[there][short] == word:
            ending = [o for o in text.spans if (o.sentence, o.end, o.label) == (there, short - 1, span.label)]
            columns["long form found"] = sum(other.p for other in ending)
            exact = [other.p for other in ending if other.first == short - distance]
            columns["long form found exactly"] = exact[0] if exact else 0
    columns |= {"short form found": -1.0, "starts where the long form starts": -1.0}
    for (there, short), distance in text.long_forms.items():
        if (there, short - 1) == (span.sentence, span.end):
            ending = [o for o in text.spans if (o.sentence, o.end, o.label) == (there, short + 1, span.label)]
            start = short - distance
            columns["short form found"] = sum(other.p for other in ending)
            columns["starts where the long form starts"] = (
                1 if span.first == start else 0.5 if span.first < start else 0
            )
    return columns


def _pairs(text: Text, training: Training, span: Span) -> dict[str, float]:
    stems = text.stems(span.sentence)
    edges = list(pairwise(stems[span.first : span.end + 2]))
    left, *inner, right = (training.pair(*pair) for pair in edges)
    columns = {
        "mention starts between the words at the left edge": _share(left["starts"], left["together"], 0.2),
        "words at the left edge, count": left["together"],
        "mention ends between the words at the right edge": _share(right["ends"], right["together"], 0.2),
        "words at the right edge, count": right["together"],
        "words at the left edge in one mention": left["joined"] / (left["joined"] + left["starts"] + 0.5),
        "words at the right edge in one mention": right["joined"] / (right["joined"] + right["ends"] + 0.5),
    }
    if not inner:
        names = "last two words end mentions of this label|last two words, mentions of this label|last two words, count"
        means = "neighbouring words in one mention, mean|neighbouring words in one mention, least"
        return columns | dict.fromkeys([*names.split("|"), *means.split("|")], -1.0)
    head, shares = inner[-1], [_share(pair["joined"], pair["together"], 0.1) for pair in inner]
    return columns | {
        "last two words end mentions of this label": _share(head[str(span.label)], head["together"], 0.1),
        "last two words, mentions of this label": head[str(span.label)],
        "last two words, count": head["together"],
        "neighbouring words in one mention, mean": _mean(shares),
        "neighbouring words in one mention, least": min(shares),
    }


def _label(text: Text, training: Training, span: Span) -> dict[str, float]:
    stems = text.stems(span.sentence)
    within = stems[span.first + 1 : span.end + 1]

    def share(stem: str | None, place: str) -> float:
        return _share(training.stem_of_label(stem, span.label)[place], training.stem(stem)["anywhere"], 0.1)

    def among(stem: str | None, place: str) -> float:
        return _share(training.stem_of_label(stem, span.label)[place], training.stem(stem)[place], 0.5)

    inside = [share(stem, "inside") for stem in within]
    return {
        "word before inside of this label": share(stems[span.first], "inside"),
        "word after inside of this label": share(stems[span.end + 1], "inside"),
        "first word starts this label": share(within[0], "first"),
        "last word ends this label": share(within[-1], "last"),
        "last word, mentions of this label": training.stem_of_label(within[-1], span.label)["last"],
        "last word, this label among mentions": among(within[-1], "last"),
        "words inside of this label, least": min(inside),
        "words inside of this label, mean": _mean(inside),
        "words inside of this label, most": max(inside),
        "words inside, this label among mentions": _mean([among(stem, "inside") for stem in within]),
        "unknown words": sum(not training.stem(stem)["anywhere"] for stem in within),
    }


def _variants(text: Text, training: Training, span: Span) -> dict[str, float]:
    stems = text.stems(span.sentence)
    first, end, label = span.first + 1, span.end + 1, span.label

    def times(first: int, end: int) -> list[int]:
        return training.phrase(stems[first:end])[0] if end > first else [0] * training.labels

    return {
        "without the first word a mention": any(times(first + 1, end)),
        "without the first word, times with this label": times(first + 1, end)[label],
        "without the last word a mention": any(times(first, end - 1)),
        "without the last word, times with this label": times(first, end - 1)[label],
        "with the word before, times with this label": times(first - 1, end)[label],
        "with the word after, times with this label": times(first, end + 1)[label],
    }


def _terms(text: Text, span: Span) -> dict[str, float]:
    relations = [terms_of_category(text, span, category) for category in CATEGORIES]
    names = (
        "is a term: {}",
        "in a longer term: {}, tokens",
        "longest term inside: {}, share",
        "ends with a term: {}, share",
        "crosses a term: {}, tokens",
    )
    return {
        name.format(category): relation[k]
        for k, name in enumerate(names)
        for category, relation in zip(CATEGORIES, relations, strict=True)
    }


def terms_of_category(text: Text, span: Span, category: str) -> list[float]:
    """Say how a span lies to the terms of a category: is one, in a longer one, longest inside, ends with, crosses."""
    starts = {t: own.get(category, 0) for (s, t), own in text.terms.items() if s == span.sentence}
    terms = [(t, t + length) for t, length in starts.items() if length]
    near = [(a, b) for a, b in terms if a < span.end and b > span.first]
    inside = [(a, b) for a, b in near if span.first <= a and b <= span.end]
    around = [b - a for a, b in near if a <= span.first and span.end <= b and (a, b) != (span.first, span.end)]
    crossing = [b - a for a, b in near if a < span.first < b < span.end or span.first < a < span.end < b]
    length = span.end - span.first
    return [
        float((span.first, span.end) in terms),
        max(around, default=0),
        max(((b - a) / length for a, b in inside), default=0),
        max(((b - a) / length for a, b in inside if b == span.end), default=0),
        max(crossing, default=0),
    ]
