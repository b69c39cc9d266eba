"""The gate for a batch that is not in the project yet: an export, or a folder with its `batch.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from stages.common.documents import Document
from stages.common.errors import GateError
from stages.common.labels import load_labels
from stages.common.wording import counted
from stages.prepare.annotated import left_out_of
from stages.prepare.formats.rules import Discontinuous, Overlaps, Rules
from stages.validate.annotations import check_documents
from stages.validate.catalogue import SCHEMAS
from stages.validate.findings import Finding, finding
from stages.validate.frames import Tables, content_frames
from stages.validate.gate import GateVerdict, bounds_of, check_schemas
from stages.validate.params import GateParams
from stages.validate.project import SPLITLESS_SUITES, Outcome, Project
from stages.validate.sources import Source, blocks

BATCH = "incoming"
MOST_SHOWN = 20
"""Labels without a meaning that are named; the rest are counted."""


@dataclass(frozen=True)
class Choices:
    """What is said on the command line of an export; a batch folder says it itself.

    Parameters
    ----------
    labels : Path, optional
        CSV of ``source_label,label``; by default the batch's own, or ``data/mapping/labels.csv``.
    annotates : tuple of str, optional
        Labels of the project that were looked for; by default those that are marked.
    overlaps, discontinuous : str, optional
        As in `stages.prepare.formats.rules.Rules`.
    """

    labels: Path | None = None
    annotates: tuple[str, ...] | None = None
    overlaps: Overlaps | None = None
    discontinuous: Discontinuous | None = None


def load_incoming(
    path: Path, format: str | None = None, choices: Choices = Choices()
) -> tuple[list[Document], dict[str, str]]:
    """Read a batch and the meaning of its labels.

    Parameters
    ----------
    path : Path
        A batch folder, or an export as it came out of its tool.
    format : str, optional
        Needed for an export.
    choices : Choices

    Raises
    ------
    AnnotationError, GateError
        When the batch cannot be read as it stands, or the format is not known.
    """
    from stages.prepare.annotated import with_labels
    from stages.prepare.batches import DESCRIPTION, load_batch, read_batch
    from stages.prepare.formats import READERS, read
    from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping

    if not path.exists():
        raise GateError(f"{path.name} does not exist: give an export or a batch folder")
    if (path / DESCRIPTION).is_file():
        batch = load_batch(path)
        if format not in (None, batch.about.format):
            raise GateError(f"{path.name} says {batch.about.format} in its {DESCRIPTION}: leave --format out")
        if (choices.annotates, choices.overlaps, choices.discontinuous) != (None, None, None):
            raise GateError(
                f"{path.name} says in its {DESCRIPTION} what it annotates and how it is read:"
                " leave --annotates, --overlaps and --discontinuous out"
            )
        if choices.labels:
            batch = replace(batch, mapping=read_mapping(choices.labels))
        return read_batch(batch), batch.mapping
    if format is None:
        raise GateError(f"{path.name} has no {DESCRIPTION}: say --format ({', '.join(READERS)})")
    labels = load_labels()
    mapping = read_mapping(choices.labels or DEFAULT_MAPPING, labels)
    rules = Rules(mapping, choices.overlaps or "refuse", choices.discontinuous or "refuse", labels)
    return with_labels(read(path, format, rules), mapping, choices.annotates, labels), mapping


def check_mapping(documents: Sequence[Document], mapping: Mapping[str, str]) -> list[Finding]:
    """Report labels of the source that mean nothing in the project."""
    from stages.prepare.mapping import unmapped_labels

    unknown = unmapped_labels(documents, mapping)
    if not unknown:
        return []
    ids = [document.id for document in documents if any(mention.label not in mapping for mention in document.mentions)]
    total = sum(label.mentions for label in unknown)
    named = ", ".join(f"{label.shown} {label.mentions:,}" for label in unknown[:MOST_SHOWN])
    more = f" and {len(unknown) - MOST_SHOWN} more" if len(unknown) > MOST_SHOWN else ""
    summary = (
        f"{counted(total, 'mention')} of {counted(len(unknown), 'label')} without a meaning ({named}{more})."
        " Add each to data/mapping/labels.csv, or to a CSV of your own given as --labels;"
        " with nothing after the comma it is ignored."
    )
    return [finding("label_mapping", "error", total, summary, ids)]


def mapped(documents: Sequence[Document], mapping: Mapping[str, str]) -> list[Document]:
    """Return the documents with labels of the project; labels without a meaning stay."""
    return [
        replace(
            document,
            mentions=tuple(
                mention._replace(label=mapping.get(mention.label, mention.label)) for mention in document.mentions
            ),
        )
        for document in documents
    ]


def tables_of(documents: Sequence[Document], mapping: Mapping[str, str]) -> Tables:
    """Build the tables that prepare would build, all in one split."""
    from stages.prepare.tables import PlacedDocument, build_tables

    built = build_tables(
        PlacedDocument(entry, BATCH, entry.id, entry.id, "train", mapping, entry.id) for entry in documents
    )
    return Tables(
        **{
            name: pa.Table.from_pandas(getattr(built, name), schema=schema, preserve_index=False).to_pandas()
            for name, schema in SCHEMAS.items()
        }
    )


def check_incoming(
    documents: Sequence[Document], mapping: Mapping[str, str], params: GateParams, project: Project | None = None
) -> GateVerdict:
    """Run the annotation checks, the mapping check, and the expectations that need no splits.

    The tables are only built when the first two found no error.
    """
    left_out = left_out_of(documents)
    report = {"mentions_left_out": left_out} if left_out else {}
    documents = blocks(documents, params.prepare.sentences_per_document)
    findings = [*check_mapping(documents, mapping), *check_documents(mapped(documents, mapping))]
    if any(entry.severity == "error" for entry in findings):
        return GateVerdict(Outcome(), tuple(findings), prepare=report)
    tables = tables_of(documents, mapping)
    project = project or Project(data_docs=False)
    outcome = check_schemas(project, tables)
    if not outcome.failed:
        frames = content_frames(
            tables,
            params.labels,
            near_duplicate=params.prepare.near_duplicate,
            copied=params.prepare.copied,
            sources={BATCH: Source(mapping, labels=documents[0].labels)},
        )
        for suite in SPLITLESS_SUITES:
            outcome += project.run(suite, frames[suite], bounds_of(params.validate_, params.labels))
    return GateVerdict(outcome, tuple(findings), prepare=report)
