"""What `benchmarks.growth` measures: texts that hospitals have and texts made to be slow, at any size."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from annotation.writers import SUFFIXES, WRITERS, write
from stages.common.documents import Document, Mention
from stages.params import load_params
from stages.prepare.formats import READERS, read
from stages.prepare.segmentation import split_sentences, tokenize
from stages.prepare.splits import SPLITS, assign
from stages.prepare.tables import PlacedDocument, build_tables
from stages.validate import annotations as checks
from stages.validate import leakage
from stages.validate.annotations import check_documents
from stages.validate.frames import content_frames
from stages.validate.incoming import BATCH, check_mapping, tables_of
from stages.validate.sources import Source, blocks

if TYPE_CHECKING:
    from stages.validate.frames import Tables

Work = Callable[[], object]
LABELS = ("Disease", "Treatment")
"""Of the notes that are written here."""
_WORDS = 40


@dataclass(frozen=True)
class Case:
    """One thing whose time is measured.

    Parameters
    ----------
    name, unit : str
    largest : int
        In `unit`; the largest that an attack on this repository tried.
    prepared : callable
        From a size and a folder that exists to the work that is timed.
    """

    name: str
    unit: str
    largest: int
    prepared: Callable[[int, Path], Work]


def notes(number: int, words: int = _WORDS, seed: int = 1) -> list[Document]:
    """Write notes of sentences of ten words, two mentions in each; some words are new, as in any corpus."""
    return [_note(f"n{name:06d}", words, random.Random(f"{seed}/{name}")) for name in range(number)]  # noqa: S311


def _note(name: str, words: int, generator: random.Random) -> Document:
    text, mentions = "", []
    for place in range(words):
        rare = f"w{generator.randrange(10**6)}" if place % 10 == 5 else f"word{generator.randrange(2000)}"
        if place % 10 in (3, 7):
            mentions.append(Mention(len(text), len(text) + len(rare), LABELS[place % 10 == 7]))
        text += f"{rare}. " if place % 10 == 9 else f"{rare} "
    return Document(name, text.strip(), tuple(mentions))


def templated(number: int, own: float, words: int = 150) -> list[str]:
    """Fill a form in: every note has the same words but for so large a share of its own, anywhere in it."""
    generator = random.Random(1)  # noqa: S311
    form = [f"word{generator.randrange(2000)}" for _ in range(words)]
    texts = []
    for _ in range(number):
        text = list(form)
        for place in generator.sample(range(words), round(own * words)):
            text[place] = f"own{generator.randrange(10**9)}"
        texts.append(" ".join(text))
    return texts


def nested(words: int) -> list[Document]:
    """Mark strings each of which begins the next, `words` in all, and a text that begins like the longest."""
    depth = max(2, round(words**0.5))
    stair = [" ".join(f"w{place}" for place in range(length)) for length in range(1, depth)]
    marked = [Document(f"n{n}", text, (Mention(0, len(text), LABELS[0]),)) for n, text in enumerate(stair)]
    repeated = "again " * depth + "end"
    return [
        *marked,
        Document("long", repeated, (Mention(0, len(repeated), LABELS[0]),)),
        Document("text", "again " * words),
    ]


def _reader(format: str, documents: Callable[[int], list[Document]], size: int, folder: Path) -> Work:
    path = folder / f"{format}{SUFFIXES.get(format, ('',))[0]}"
    built = documents(size)
    if format in WRITERS:
        write(built, path, format)
    else:
        _write_token_lines(built, path)
    return partial(read, path, format)


def _write_token_lines(documents: Sequence[Document], folder: Path) -> None:
    """Write the one format that no tool asks for, and that has no writer therefore."""
    tokens, tags = [], []
    for document in documents:
        words = tokenize(document.text)
        marks = {mention.start: mention.label[0] for mention in document.mentions}
        tokens.append("\n".join(document.text[start:end] for start, end in words))
        tags.append("\n".join(marks.get(start, "O") for start, _ in words))
    folder.mkdir()
    (folder / "x_sent").write_text("\n\n".join(tokens) + "\n")
    (folder / "x_label").write_text("\n\n".join(tags) + "\n")


def _one_note(mentions: int) -> list[Document]:
    return notes(1, words=5 * mentions)


def _readers() -> Iterator[Case]:
    for format in READERS:
        yield Case(f"read {format}, many notes", "notes", 4_000, partial(_reader, format, notes))
        yield Case(f"read {format}, one note", "mentions", 40_000, partial(_reader, format, _one_note))


def _on(work: Callable[[list[Document]], object], documents: Callable[[int], list[Document]]) -> Callable[..., Work]:
    return lambda size, _: partial(work, documents(size))


def _placed(documents: list[Document]) -> list[PlacedDocument]:
    meaning = {label: label for label in LABELS}
    return [PlacedDocument(entry, "b", entry.id, entry.id, SPLITS[0], meaning, entry.id) for entry in documents]


def _assigned(texts: Callable[[int], list[str]]) -> Callable[..., Work]:
    return lambda size, _: partial(assign, [(text, None) for text in texts(size)], load_params().prepare)


def _segmented(piece: str, size: int, _: Path) -> Work:
    return partial(split_sentences, piece * size)


def _prepare() -> Iterator[Case]:
    for own in (0.02, 0.04, 0.05, 0.1):
        yield Case(f"split, {own:.0%} of a template", "notes", 20_000, _assigned(partial(templated, own=own)))
    yield Case("split, unrelated notes", "notes", 20_000, _assigned(lambda size: [n.text for n in notes(size)]))
    yield Case("place, many notes", "notes", 2_000, _on(lambda docs: build_tables(_placed(docs)), notes))
    yield Case(
        "place, one note", "mentions", 100_000, _on(lambda documents: build_tables(_placed(documents)), _one_note)
    )
    wrapped = "who went on with the tablets for as long as they lasted and then"
    pieces = {
        "sentences": "Asthma is stable on salbutamol. ",
        "numbered items": "Seen. 1. ",
        "numbers": "1. ",
        "wrapped lines": f"{wrapped}\n",
        "wrapped by returns": f"{wrapped}\r",
        "no full stop": "word ",
        "empty lines": "\n \n",
    }
    for name, piece in pieces.items():
        yield Case(f"segment, {name}", "pieces", 40_000, partial(_segmented, piece))
    yield Case("tokenize", "pieces", 400_000, lambda size, _: partial(tokenize, "co-amoxiclav 625mg t.d.s. " * size))


def _asserted(piece: str, size: int, _: Path) -> Work:
    from stages.train.assertion.context import assertions_of  # not where only help is wanted

    text = piece * size
    return partial(assertions_of, text, [match.span() for match in re.finditer("gout", text)])


def _assertions() -> Iterator[Case]:
    pieces = {
        "sentences": "No gout. His father has gout. Seen today, ?gout. ",
        "one list": "no gout, ",
        "one sentence": "gout if ",
        "headings": "Allergies\ngout\nFamily history: gout\n",
        "one section": "Past medical history:\n- gout\n",
        "blanks": "Allergies       gout ",
    }
    for name, piece in pieces.items():
        yield Case(f"assertions, {name}", "pieces", 40_000, partial(_asserted, piece))


def _spread(texts: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    return texts, [SPLITS[place % 2] for place in range(len(texts))]


def _near(texts: Sequence[str]) -> list[tuple[int, int]]:
    texts, splits = _spread(texts)
    return list(leakage.near_duplicates(texts, 0.7, splits))


def _copied(texts: Sequence[str]) -> list[tuple[int, int]]:
    return list(leakage.copied_passages(*_spread(texts), 0.4))


def _frames(documents: Callable[[int], list[Document]], size: int, _: Path) -> Work:
    meaning = {label: label for label in LABELS}
    tables: Tables = tables_of(documents(size), meaning)
    sources = {BATCH: Source(meaning)}
    return partial(content_frames, tables, LABELS, near_duplicate=0.7, copied=0.4, sources=sources)


def _leaks(search: Callable[[Sequence[str]], object], own: float, size: int, _: Path) -> Work:
    return partial(search, templated(size, own))


def _unmapped(documents: Sequence[Document]) -> object:
    return check_mapping(documents, {})


def _checks() -> Iterator[Case]:
    shapes: dict[str, tuple[str, int, Callable[[int], list[Document]]]] = {
        "many notes": ("notes", 4_000, notes),
        "one note": ("mentions", 20_000, _one_note),
    }
    for shape, (unit, largest, documents) in shapes.items():
        for check in (checks._outside, *checks._CHECKS):
            yield Case(f"check {check.__name__.lstrip('_')}, {shape}", unit, largest, _on(check, documents))
        yield Case(f"check label_mapping, {shape}", unit, largest, _on(_unmapped, documents))
        yield Case(f"look up for expectations, {shape}", unit, largest, partial(_frames, documents))
    yield Case("check_documents, nested mentions", "words", 100_000, _on(check_documents, nested))
    yield Case("cut a stream", "sentences", 40_000, _stream)
    for own in (0.02, 0.05, 0.1):
        yield Case(f"near duplicates, {own:.0%} of a template", "notes", 20_000, partial(_leaks, _near, own))
        yield Case(f"copied passages, {own:.0%} of a template", "notes", 20_000, partial(_leaks, _copied, own))


def _stream(size: int, _: Path) -> Work:
    (note,) = notes(1, words=10 * size)
    sentences = tuple(split_sentences(note.text))
    stream = Document("s", note.text, note.mentions, sentences, stream=True)
    return partial(blocks, [stream], load_params().prepare.sentences_per_document)


@cache
def cases() -> tuple[Case, ...]:
    """List what is measured: every reader, what prepare does with notes, assertions, every check of the gate."""
    return (*_readers(), *_prepare(), *_assertions(), *_checks())
