"""As many notes as one likes, made of the seed's: the first half of one, the second half of another; all distinct."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stages.common.errors import BeHealthyError
from stages.prepare.batches import load_batches, read_batch
from stages.prepare.segmentation import split_sentences

ANNOTATIONS = Path("data/annotations")
INCOMING = Path("data/incoming/notes.jsonl")


class Seed(NamedTuple):
    """A note to be cut: its text, its metadata, where its second half begins."""

    text: str
    metadata: dict[str, Any]
    middle: int


def seed_notes() -> list[Seed]:
    """Read the notes of the repository, those to learn from and those that came in.

    Raises
    ------
    BeHealthyError
        When they are not there.
    """
    if not (ANNOTATIONS.is_dir() and INCOMING.is_file()):
        raise BeHealthyError("the notes of the seed are needed: run `make data`")
    documents = [document for batch in load_batches(ANNOTATIONS) for document in read_batch(batch)]
    learned = [_seed(document.text, dict(document.metadata)) for document in documents]
    lines = INCOMING.read_text(encoding="utf-8").splitlines()
    return learned + [_seed(note["text"], note["metadata"]) for note in map(json.loads, lines)]


def _seed(text: str, metadata: dict[str, Any]) -> Seed:
    sentences = split_sentences(text)
    return Seed(text, metadata, sentences[len(sentences) // 2][0])


def recombined(seeds: Sequence[Seed], number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield so many distinct notes, the same ones each time, as text and metadata.

    Raises
    ------
    BeHealthyError
        When the seed has not so many halves.
    """
    chance, seen = random.Random(number), set[tuple[int, int]]()  # noqa: S311 (no secret)
    if number > len(seeds) * (len(seeds) - 1) // 2:
        raise BeHealthyError(f"{len(seeds)} notes cannot be recombined to {number:,}: take fewer")
    while len(seen) < number:
        first, second = chance.sample(range(len(seeds)), 2)
        if (first, second) in seen:
            continue
        seen.add((first, second))
        one, other = seeds[first], seeds[second]
        yield one.text[: one.middle] + other.text[other.middle :], one.metadata
