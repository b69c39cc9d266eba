"""Annotated corpora of a few made-up lines, written in every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stages.common.tags import to_iob2

DISEASES = ("asthma", "type 2 diabetes", "chronic kidney disease ( CKD )", "CKD", "gout", "heart failure")
TREATMENTS = ("aspirin", "inhaled salbutamol", "metformin", "allopurinol", "dialysis")

Sentence = tuple[list[str], list[tuple[int, int, str]]]
Writer = Callable[[Path, list[list[Sentence]]], Path]


def notes_of(number: int, seed: int) -> list[list[Sentence]]:
    """Notes of three sentences, a disease and a treatment in each."""
    generator = np.random.default_rng(seed)
    return [[_sentence(generator) for _ in range(3)] for _ in range(number)]


def _sentence(generator: np.random.Generator) -> Sentence:
    disease = str(generator.choice(DISEASES)).split()
    treatment = str(generator.choice(TREATMENTS)).split()
    head = str(
        generator.choice(["She has", "Known", "Dr Roe suspects", f"Seen {generator.integers(99)} times for"])
    ).split()
    tokens = [*head, *disease, "and", "takes", *treatment, "."]
    first, second = len(head), len(head) + len(disease) + 2
    return tokens, [(first, first + len(disease), "D"), (second, second + len(treatment), "T")]


def write_iob(path: Path, notes: list[list[Sentence]]) -> Path:
    lines = []
    for tokens, spans in (sentence for note in notes for sentence in note):
        lines += [f"{t}\t{tag}" for t, tag in zip(tokens, to_iob2(len(tokens), spans), strict=True)] + [""]
    path.with_suffix(".tsv").write_text("\n".join(lines) + "\n")
    return path.with_suffix(".tsv")


def write_token_lines(path: Path, notes: list[list[Sentence]]) -> Path:
    path.mkdir()
    sentences = [sentence for note in notes for sentence in note]
    tags = [[tag[2:] or "O" for tag in to_iob2(len(tokens), spans)] for tokens, spans in sentences]
    (path / "x_sent").write_text("\n\n".join("\n".join(tokens) for tokens, _ in sentences) + "\n")
    (path / "x_label").write_text("\n\n".join("\n".join(column) for column in tags) + "\n")
    return path


def texts_of(notes: list[list[Sentence]]) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Texts with their mentions in characters."""
    found = []
    for note in notes:
        text, mentions = "", []
        for tokens, spans in note:
            starts = [len(text) + len(" ".join(tokens[:i])) + (i > 0) for i in range(len(tokens))]
            mentions += [(starts[a], starts[b - 1] + len(tokens[b - 1]), label) for a, b, label in spans]
            text += " ".join(tokens) + " "
        found.append((text.strip(), mentions))
    return found


def write_pubtator(path: Path, notes: list[list[Sentence]]) -> Path:
    blocks = []
    for number, (text, mentions) in enumerate(texts_of(notes)):
        rows = [f"{number}\t{s}\t{e}\t{text[s:e]}\t{label}\tX1" for s, e, label in mentions]
        head, _, body = text.partition(" ")
        blocks.append("\n".join([f"{number}|t|{head}", f"{number}|a|{body}", *rows]))
    path.with_suffix(".txt").write_text("\n\n".join(blocks) + "\n")
    return path.with_suffix(".txt")


def write_brat(path: Path, notes: list[list[Sentence]]) -> Path:
    path.mkdir()
    for number, (text, mentions) in enumerate(texts_of(notes)):
        rows = [f"T{i}\t{label} {s} {e}\t{text[s:e]}\n" for i, (s, e, label) in enumerate(mentions, 1)]
        (path / f"{number}.txt").write_text(text)
        (path / f"{number}.ann").write_text("".join(rows))
    return path


def write_jsonl(path: Path, notes: list[list[Sentence]]) -> Path:
    rows = [
        {"id": str(number), "text": text, "mentions": [{"start": s, "end": e, "label": x} for s, e, x in mentions]}
        for number, (text, mentions) in enumerate(texts_of(notes))
    ]
    path.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.with_suffix(".jsonl")


WRITERS: dict[str, Writer] = {
    "iob": write_iob,
    "token-lines": write_token_lines,
    "pubtator": write_pubtator,
    "brat": write_brat,
    "jsonl": write_jsonl,
}
