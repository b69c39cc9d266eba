"""Write the table of terms that the extractor looks up: `python -m annotation.terminology MESH_TABLE OUT`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from stages.common.command import run_command
from stages.common.errors import AnnotationError
from stages.common.files import write_text

_COLUMNS = 4
_PROTEINS = ("D08", "D12")  # enzymes and coenzymes; amino acids, peptides and proteins


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when OUT was written; when nothing was, 1 for a refusal and 2 for a fault."""
    parser = argparse.ArgumentParser(
        prog="python -m annotation.terminology",
        description="Write the terms of Medical Subject Headings, each with its category by its place in the tree.",
    )
    parser.add_argument(
        "source",
        metavar="MESH_TABLE",
        type=Path,
        help="tab-separated: descriptor, name, synonyms and tree numbers (both separated by |)",
    )
    parser.add_argument("target", metavar="OUT", type=Path, help="for example data/terminology/mesh.tsv")
    options = parser.parse_args(arguments)
    return run_command("terminology", lambda: _convert(options.source, options.target))


def _convert(source: Path, target: Path) -> int:
    from stages.featurize.attributes.terminology import HEADER, LONGEST, words_of

    # Of spellings that are looked up as the same words, the first in order stands for all.
    rows = {(words_of(term), category): term for term, category in sorted(_terms(source), reverse=True)}
    kept = sorted((term, category) for (words, category), term in rows.items() if 0 < len(words) <= LONGEST)
    write_text(target, "\n".join(map("\t".join, [HEADER, *kept])) + "\n")
    print(f"terminology: {len(kept):,} terms: {target}")
    return 0


def _terms(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            fields = line.rstrip("\r\n").split("\t")
            if len(fields) < _COLUMNS:
                raise AnnotationError(
                    f"has {len(fields)} columns instead of {_COLUMNS}",
                    "Give the table of descriptors: number, name, synonyms, tree numbers",
                    file=path.name,
                    line=number,
                )
            _, name, synonyms, tree = fields[:_COLUMNS]
            categories = {category_of(place) for place in tree.split("|") if place}
            for term in filter(None, [name, *synonyms.split("|")]):
                for category in categories:
                    yield term, category


def category_of(place: str) -> str:
    """Return the category of a place in the tree of Medical Subject Headings.

    >>> [category_of(place) for place in ("C08.127.108", "D03.132", "D12.776", "E02.319", "A01")]
    ['disease', 'chemical', 'protein', 'procedure', 'other']
    """
    if place.startswith(("C", "F03")):
        return "disease"
    if place.startswith("D"):
        return "protein" if place.startswith(_PROTEINS) else "chemical"
    return "procedure" if place.startswith("E") else "other"


if __name__ == "__main__":
    sys.exit(main())
