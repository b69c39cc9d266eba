"""Add an annotation batch, or refuse it and change nothing: `python -m annotation.add PATH --format F --name N`."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from annotation.summary import summary_of
from stages.common.command import DONE, run_command
from stages.common.documents import Document
from stages.common.errors import AnnotationError, RequestError
from stages.common.files import make_beside
from stages.common.labels import load_labels
from stages.common.locks import locked
from stages.common.wording import counted
from stages.prepare import batches
from stages.prepare.annotated import marks_in, with_labels
from stages.prepare.batches import Batch, BatchFile
from stages.prepare.formats import READERS, read
from stages.prepare.formats.faults import collected, note
from stages.prepare.formats.rules import IGNORED, Discontinuous, Overlaps, Rules
from stages.prepare.formats.source import list_files
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping, unmapped_labels
from stages.prepare.options import add_annotates, add_rules

MOST_LABELS = 200
"""Labels without a meaning that are told one by one: all of a corpus, so that its mapping is written in one go."""


@dataclass(frozen=True)
class Request:
    """What the user asks for; see the command's help."""

    path: Path
    format: str
    name: str
    labels: Path | None
    split: str | None
    source: str | None
    licence: str | None
    to: Path
    annotates: tuple[str, ...] | None = None
    overlaps: Overlaps = "refuse"
    discontinuous: Discontinuous = "refuse"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0 when the batch was added, 1 when it was refused, 2 when it could not be stored; nothing has changed then.
    """
    request = _parse(arguments)
    return run_command("add", lambda: _run(request))


def _run(request: Request) -> int:
    try:
        batch, documents, warnings = add(request)
    except AnnotationError as error:
        return print_refusal(error, request.name)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(summary_of(batch, documents, len(warnings), request.to))
    return DONE


def print_refusal(error: AnnotationError, batch: str) -> int:
    """Print why a batch is refused, with its name; return the exit code."""
    print(f"refused: {error if error.batch else error.within(batch)}", file=sys.stderr)
    return error.exit_code


def add(request: Request) -> tuple[Batch, list[Document], list[str]]:
    """Read, check and store a batch.

    Returns
    -------
    batch : Batch
    documents : list of Document
        With the labels of the project.
    warnings : list of str
        Without note text.

    Raises
    ------
    AnnotationError
        When the batch is refused; nothing on the disk has changed then.
    """
    _refuse_request(request)
    project = load_labels()
    mapping = read_mapping(request.labels or DEFAULT_MAPPING, project)
    rules = Rules(mapping, request.overlaps, request.discontinuous, project)
    documents = with_labels(read(request.path.absolute(), request.format, rules), mapping, request.annotates, project)
    mapped = map_labels(documents, mapping)
    warnings = _check(mapped)
    request.to.mkdir(parents=True, exist_ok=True)
    with locked(request.to, "adding a batch"):  # from here on, another `add` waits
        _refuse_taken(request)
        present = batches.load_batches(request.to)
        warnings += _warn_of_known(documents, present)
        order = 1 + max((batch.order for batch in present), default=0)
        batch = _store(request, documents, mapping, order)
    return batch, mapped, warnings


def map_labels(documents: Sequence[Document], mapping: dict[str, str]) -> list[Document]:
    """Replace the labels of the source by those of the project; what the mapping ignores is left out.

    Raises
    ------
    AnnotationError
        Names every label that has no counterpart, and where it stands first.
    """
    with collected(most=MOST_LABELS):
        for label in unmapped_labels(documents, mapping):
            often = f" ({label.mentions:,} mentions; the first is here)" if label.mentions > 1 else ""
            note(
                AnnotationError(
                    f"the label {label.shown} is not mapped to a label of the project{often}",
                    f"Add it to {DEFAULT_MAPPING}, or to a CSV of your own given as --labels;"
                    " with nothing after the comma it is ignored",
                    document=label.document,
                    offset=label.offset,
                )
            )
    mapped = []
    for document in documents:
        meant = (mention._replace(label=mapping[mention.label]) for mention in document.mentions)
        mentions = tuple(mention for mention in meant if mention.label != IGNORED)
        mapped.append(replace(document, mentions=mentions))
    return mapped


def _parse(arguments: Sequence[str] | None) -> Request:
    parser = argparse.ArgumentParser(prog="python -m annotation.add", description="Add an annotation batch.")
    parser.add_argument("path", type=Path, help="the exported file, or the folder that holds it")
    parser.add_argument("--format", required=True, choices=sorted(READERS), help="see docs/formats.md")
    parser.add_argument("--name", required=True, help="lower-case letters, digits and dashes")
    parser.add_argument("--labels", type=Path, help="CSV of source_label,label; default: data/mapping/labels.csv")
    add_annotates(parser)
    add_rules(parser)
    parser.add_argument("--split", choices=["train", "dev", "test"], help="fix the split of the whole batch")
    parser.add_argument("--source", help="where the annotations come from")
    parser.add_argument("--licence", help="what they may be used for")
    parser.add_argument("--to", type=Path, default=Path("data/annotations"), help="folder of the batches")
    return Request(**vars(parser.parse_args(arguments)))


def _refuse_request(request: Request) -> None:
    if not re.fullmatch(batches.NAME, request.name):
        raise RequestError("the name is not usable", "Use up to 64 of a-z, 0-9 and -, beginning with no dash")
    if request.to.exists() and not request.to.is_dir():
        raise RequestError("--to is not a folder", "Give the folder of the batches, data/annotations")
    if not request.to.exists() and request.to.with_name(f"{request.to.name}.dvc").is_file():
        raise RequestError("the batches before it are not here", "Fetch them with make data, then add it")
    _refuse_taken(request)
    for name in ("source", "licence"):
        value = getattr(request, name)
        if value is not None and not value.isprintable():
            raise RequestError(f"--{name} has unprintable characters", "Give one line of text")


def _refuse_taken(request: Request) -> None:
    if (request.to / request.name).exists():
        raise AnnotationError(
            "a batch of this name exists", "Choose another name: batches are immutable, a correction is a new one"
        )


def _check(documents: Sequence[Document]) -> list[str]:
    """Run the gate's annotation checks; return warnings, refuse on errors."""
    from stages.validate.annotations import check_documents

    findings = check_documents(documents)
    faults = [finding.message.rstrip(".") for finding in findings if finding.severity == "error"]
    if faults:
        raise AnnotationError("; ".join(faults), "Correct the annotations in their tool and export again")
    return [finding.message for finding in findings]


def _warn_of_known(documents: Sequence[Document], present: Sequence[Batch]) -> list[str]:
    """Compare with every document of the batches present, by the hash of the exact text."""
    places: dict[bytes, str] = {}
    for batch in present:
        for document in batches.read_batch(batch):
            places.setdefault(_hash(document), f"{batch.name}/{document.id}")
    known = [(document.id, places[_hash(document)]) for document in documents if _hash(document) in places]
    if not known:
        return []
    listed = ", ".join(f"{id} (as {place})" for id, place in known[:10])
    more = f" and {len(known) - 10} more" if len(known) > 10 else ""
    return [f"{counted(len(known), 'document')} already in other batches, word for word: {listed}{more}"]


def _hash(document: Document) -> bytes:
    return hashlib.sha256(document.text.encode("utf-8")).digest()


def _store(request: Request, documents: list[Document], mapping: dict[str, str], order: int) -> Batch:
    """Build the batch beside its place, read it back, and only then rename it into place."""
    target = request.to / request.name
    building = make_beside(target)
    try:
        hashes = _copy_export(request.path, building / batches.EXPORT)
        if request.labels:
            _copy(request.labels, building / batches.LABELS_FILE)
        about = BatchFile(
            name=request.name,
            order=order,
            format=request.format,
            labels=list(request.annotates) if request.annotates else None,
            mapping="labels.csv" if request.labels else None,
            overlaps=request.overlaps,
            discontinuous=request.discontinuous,
            split=request.split,  # type: ignore[arg-type]  # argparse allows no other; pydantic checks again
            source=request.source,
            licence=request.licence,
            documents=len(documents),
            mentions=marks_in(documents),
            sha256=hashes,
            key=secrets.token_hex(16),
        )
        batches.write_description(building, about)
        stored = batches.load_batch(building)
        if stored.mapping != mapping or batches.read_batch(stored) != documents:
            raise AnnotationError("the export changed while it was read", "Add it again when nothing writes to it")
        _flush(building)
        building.rename(target)
        _flush(request.to)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return replace(stored, folder=target)


def _copy_export(path: Path, folder: Path) -> dict[str, str]:
    hashes = {}
    folder.mkdir()
    for file in list_files(path):
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(file.path, target)
        hashes[file.name] = batches.digest(target)
    for inner in [folder, *(entry for entry in folder.rglob("*") if entry.is_dir())]:
        _flush(inner)
    return hashes


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as original, target.open("wb") as copy:
        shutil.copyfileobj(original, copy)
        copy.flush()
        os.fsync(copy.fileno())


def _flush(folder: Path) -> None:
    """Have the folder's entries on the disk: without it a crash may keep the files and lose their names."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
