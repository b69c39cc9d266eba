"""Annotation batches -> data/prepared: documents, tokens and mentions, split into train, dev and test."""

from __future__ import annotations

import sys
from pathlib import Path

from stages.common.annotated import write_annotated
from stages.common.command import parse_no_arguments, run_command
from stages.common.files import write_json, write_table
from stages.common.tables import DOCUMENTS, MENTIONS, TOKENS
from stages.common.wording import counted
from stages.prepare.annotated import told
from stages.prepare.batches import load_batches
from stages.prepare.corpus import prepare
from stages.prepare.params import load_params

ANNOTATIONS = Path("data/annotations")
PREPARED = Path("data/prepared")


def main() -> None:
    """Run the stage."""
    tables = prepare(load_batches(ANNOTATIONS), load_params())
    write_table(PREPARED / "documents.parquet", tables.documents, DOCUMENTS)
    write_table(PREPARED / "tokens.parquet", tables.tokens, TOKENS)
    write_table(PREPARED / "mentions.parquet", tables.mentions, MENTIONS)
    left_out = {"mentions_left_out": tables.left_out} if tables.left_out else {}
    write_json(PREPARED / "report.json", {**tables.report, **left_out})
    write_annotated(PREPARED, tables.annotated)
    splits = tables.documents["split"].value_counts().sort_index()
    print("prepare:", ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in tables.report.items()))
    for line in told(tables.left_out):
        print("prepare: marked, but no mention:", line)
    print("prepare:", ", ".join(f"{counted(count, 'document')} in {split}" for split, count in splits.items()))


if __name__ == "__main__":
    parse_no_arguments("stages.prepare", __doc__)
    sys.exit(run_command("prepare", main))
