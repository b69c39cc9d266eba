"""`huggingface`: token classification as JSONL, as the datasets of Hugging Face are exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.common.tags import spans_of
from stages.common.wording import counted
from stages.prepare.formats.faults import noting
from stages.prepare.formats.iob import TAG
from stages.prepare.formats.objects import Place, lines_of, list_in, parse_json, string_in
from stages.prepare.formats.sequences import Sentence, join_sentences, refuse_spaces
from stages.prepare.formats.source import data_files, read_text, refuse_controls, refuse_identifier

SUFFIXES = (".jsonl",)
NAMES = "dataset_info.json"


class _Row(NamedTuple):
    """A sentence, where it stands, and the document that it says it belongs to."""

    place: Place
    document: str | None
    sentence: Sentence


def read(path: Path) -> list[Document]:
    """Read a file, or a folder of files, with one sentence a line: ``{"tokens": […], "ner_tags": […]}``.

    Tags are strings (IOB1, IOB2 or BIOES), or whole numbers that count in the list of names in
    ``dataset_info.json``, the file that `datasets` writes beside its data; give the folder then.
    Lines with the same string under ``document``, one after the other, are the sentences of one document;
    a file without that key is one stream. Other columns are ignored.

    Raises
    ------
    AnnotationError
        On tags that are unknown or not as many as the tokens, on a token with white space in it, and when only
        some lines of a file say their document.
    """
    names = _names(path)
    documents: list[Document] = []
    seen: set[str] = set()
    for file, of_file in groupby(_rows(path, names), key=lambda row: row.place.file):
        with noting:
            for document in _documents(list(of_file), file):
                if document.id in seen:
                    raise AnnotationError(
                        "a second document has this identifier",
                        "Put the lines of a document one after the other, and give every document its own",
                        file,
                        document=document.id,
                    )
                seen.add(document.id)
                documents.append(document)
    return documents


def _rows(path: Path, names: Sequence[str] | None) -> Iterator[_Row]:
    for place, entry in lines_of(path, beside=(".json",)):
        with noting:
            yield _row(place, entry, names)


def _documents(rows: list[_Row], file: str) -> Iterator[Document]:
    if all(row.document is None for row in rows):
        stem = PurePosixPath(file).with_suffix("").as_posix()
        yield join_sentences([row.sentence for row in rows], id=stem, file=file, stream=True)
        return
    for row in rows:
        if row.document is None:
            raise row.place.refuse(
                'has no "document", though others have', "Give it on every line of a file or on none"
            )
    for id, group in groupby(rows, key=lambda row: row.document or ""):
        first, *rest = group
        sentences = [first.sentence, *(row.sentence for row in rest)]
        said = " ".join(" ".join(sentence.tokens) for sentence in sentences)
        refuse_identifier(id, said, file=file, line=first.place.line)
        yield join_sentences(sentences, id=id, file=file, stream=False, line=first.place.line)


def _row(place: Place, entry: dict[str, Any], names: Sequence[str] | None) -> _Row:
    document = string_in(entry, "document", place)
    if document is not None:
        refuse_identifier(document, file=place.file, line=place.line)
        if len(document.split()) == 1:  # else it may be text, which only the whole document can tell
            place = place.within(document)
    tokens, tags = list_in(entry, "tokens", place), list_in(entry, "ner_tags", place)
    if not tokens or len(tokens) != len(tags):
        raise place.refuse(
            f"has {counted(len(tokens), 'token')} and {counted(len(tags), 'tag')}",
            "Give every token its tag, one at least",
        )
    for token in tokens:
        if not isinstance(token, str):
            raise place.refuse("has a token that is not a string", "Write tokens as strings")
        refuse_spaces(token, file=place.file, line=place.line)
        refuse_controls(token, file=place.file, line=place.line, document=place.document)
    return _Row(place, document, Sentence(tokens, spans_of([_tag(tag, names, place) for tag in tags])))


def _tag(tag: Any, names: Sequence[str] | None, place: Place) -> str:
    if type(tag) is int:
        if names is None:
            raise place.refuse(
                "has tags that are numbers without names", f"Give the folder, with {NAMES} beside the data"
            )
        tag = names[tag] if 0 <= tag < len(names) else None
    if not isinstance(tag, str) or not TAG.fullmatch(tag) or not tag.isprintable():
        raise place.refuse("has an unknown tag", "Use O, or B-, I-, E- or S- followed by a label")
    return tag


def _names(path: Path) -> Sequence[str] | None:
    """Read the names of the tags from `dataset_info.json`, where the export has one."""
    files = [file for file in data_files(path, (".json", *SUFFIXES)) if file.path.name == NAMES]
    if not files:
        return None
    place = Place(files[0].name)
    names = parse_json(read_text(files[0]), place)
    for key in ("features", "ner_tags", "feature", "names"):
        names = names.get(key) if isinstance(names, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise place.refuse(
            "does not name the classes of ner_tags", "Export again, or write the tags as strings in the data"
        )
    return names
