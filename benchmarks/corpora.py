"""Annotated corpora to the tables of `data/prepared`, placed in the splits that the caller names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from benchmarks.contestants import segmented
from benchmarks.task import Note
from stages.common.documents import Document
from stages.common.errors import AnnotationError, BeHealthyError
from stages.common.files import write_table
from stages.common.pseudonyms import key_of_content, pseudonym
from stages.common.scoring import Span
from stages.common.tables import DOCUMENTS, MENTIONS, TOKENS
from stages.common.tags import spans_of
from stages.prepare.annotated import left_out_of
from stages.prepare.batches import digest, load_batches
from stages.prepare.corpus import prepare
from stages.prepare.duplicates import DuplicateIndex, content_hash
from stages.prepare.formats import read
from stages.prepare.formats.rules import Rules
from stages.prepare.formats.source import list_files
from stages.prepare.params import PrepareParams
from stages.prepare.tables import PlacedDocument, Tables, blocks_of, build_tables


@dataclass(frozen=True)
class Corpus:
    """Notes to train on and to test on, with their tables.

    Parameters
    ----------
    tables : Tables
        As the stage prepare writes them.
    """

    tables: Tables

    def write(self, folder: Path) -> None:
        """Write the tables as the stage prepare does."""
        write_table(folder / "documents.parquet", self.tables.documents, DOCUMENTS)
        write_table(folder / "tokens.parquet", self.tables.tokens, TOKENS)
        write_table(folder / "mentions.parquet", self.tables.mentions, MENTIONS)

    def notes(self, split: str) -> list[Note]:
        """Return the notes of a split, segmented, with their aligned gold mentions."""
        documents = self.tables.documents
        part = documents[documents["split"] == split]
        texts = dict(zip(part["document"], part["text"], strict=True))
        sentences: dict[str, list[list[tuple]]] = {name: [] for name in texts}
        tokens = self.tables.tokens[self.tables.tokens["document"].isin(texts.keys())]
        rows = zip(*(tokens[name].tolist() for name in TOKENS.names), strict=True)
        for (document, _), group in groupby(rows, key=lambda row: row[:2]):
            sentences[document].append(list(group))
        return [
            Note(
                name,
                text,
                [[row[3] for row in sentence] for sentence in sentences[name]],
                [[(row[4], row[5]) for row in sentence] for sentence in sentences[name]],
                [spans_of([row[6] for row in sentence]) for sentence in sentences[name]],
            )
            for name, text in texts.items()
        ]

    def gold(self, split: str) -> dict[str, list[Span]]:
        """Return every gold mention of a split by document, those off token boundaries too."""
        documents = self.tables.documents
        spans_of: dict[str, list[Span]] = {name: [] for name in documents.loc[documents["split"] == split, "document"]}
        mentions = self.tables.mentions
        for name, start, end, label in zip(
            *(mentions[column].tolist() for column in ("document", "start", "end", "label")), strict=True
        ):
            if name in spans_of:
                spans_of[name].append((start, end, label))
        return spans_of

    def source_labels(self) -> dict[str, list[str]]:
        """Return the labels of the source by the project's label that they became."""
        sources_of: dict[str, set[str]] = defaultdict(set)
        for label, source in zip(self.tables.mentions["label"], self.tables.mentions["source_label"], strict=True):
            sources_of[label].add(source)
        return {label: sorted(sources_of[label]) for label in sorted(sources_of)}

    def repeated(self, threshold: float) -> int:
        """Count the test notes that say nearly the same as a training note."""
        index = DuplicateIndex(threshold)
        parts = {split: self.tables.documents.loc[self.tables.documents["split"] == split, "text"] for split in _SPLITS}
        for text in parts["train"]:
            index.add(text)
        n_train = len(parts["train"])
        return sum(any(number < n_train for number in index.add(text)) for text in parts["test"])


_SPLITS = ("train", "test")


def read_corpus(
    train: Sequence[Path],
    test: Sequence[Path],
    format: str,
    rules: Rules,
    params: PrepareParams,
) -> Corpus:
    """Read the files of each split.

    Parameters
    ----------
    train, test : sequences of Path
        Exports (files or folders) of one format.
    format : str
        A key of `stages.prepare.formats.READERS`.
    rules : Rules
        What the labels mean, and what is done with overlaps and mentions in several parts.
    params : PrepareParams
        How a file of sentences is cut into documents. The whole file stays one context.

    Raises
    ------
    AnnotationError
        When a file cannot be read, or has a label that the mapping does not know.
    BeHealthyError
        When there is nothing to learn.
    """
    placed: list[PlacedDocument] = []
    everything: list[Document] = []
    mapping = rules.mapping or {}
    for split, paths in zip(_SPLITS, (train, test), strict=True):
        for number, path in enumerate(paths, 1):
            documents = read(path, format, rules)
            everything += documents
            _refuse_unmapped(documents, mapping, path.name)
            key = key_of_content({file.name: digest(file.path) for file in list_files(path)})
            placed += _placed(documents, f"{split}-{number}", split, mapping, params, key)
    corpus = Corpus(build_tables(placed))
    corpus.tables.left_out = left_out_of(everything)
    if not any(item.document.mentions for item in placed if item.split == "train"):
        raise BeHealthyError(
            "the training files mark no mention, so there is nothing to learn: check --format and --train"
        )
    return corpus


def _placed(
    documents: Iterable[Document], batch: str, split: str, mapping: Mapping[str, str], params: PrepareParams, key: str
) -> Iterator[PlacedDocument]:
    for document in documents:
        context = f"{batch}/{document.id}"
        parts = blocks_of(document, params.sentences_per_document) if document.stream else [document]
        for part in parts:
            public = pseudonym(key, f"{batch}/{part.id}")
            yield PlacedDocument(part, batch, context, content_hash(part.text), split, mapping, public)


def _refuse_unmapped(documents: Iterable[Document], mapping: Mapping[str, str], file: str) -> None:
    for document in documents:
        for mention in document.mentions:
            if mention.label not in mapping:
                raise AnnotationError(
                    f"label {mention.label} has no meaning in the mapping",
                    "Add it to data/mapping/labels.csv, or give a mapping of your own with --labels",
                    file,
                    document=document.id,
                    offset=mention.start,
                )


def project_corpus(annotations: Path, params: PrepareParams) -> Corpus:
    """Return the project's own annotations, split as the stage prepare splits them."""
    if not annotations.is_dir():
        raise BeHealthyError(f"{annotations} is missing: run make data, or give --train and --test")
    return Corpus(prepare(load_batches(annotations), params))


def read_texts(paths: Iterable[Path]) -> list[Note]:
    """Read raw text files (a folder stands for its ``*.txt``), segmented as production does it."""
    notes = []
    for path in paths:
        for file in sorted(path.glob("*.txt")) if path.is_dir() else [path]:
            text = file.read_text(encoding="utf-8")
            offsets = segmented(text)
            sentences = [[text[start:end] for start, end in sentence] for sentence in offsets]
            notes.append(Note(str(file), text, sentences, offsets, [[] for _ in sentences]))
    if not any(note.sentences for note in notes):
        raise BeHealthyError("the text files hold no word: check --text")
    return notes
