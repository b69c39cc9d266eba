"""Convert annotations from one format to another: `python -m annotation.convert IN --from F --to F OUT`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from annotation.writers import WRITERS, write
from stages.common.command import run_command
from stages.common.errors import BeHealthyError
from stages.common.wording import counted
from stages.prepare.annotated import left_out_of, told
from stages.prepare.formats import READERS, read
from stages.prepare.formats.rules import Rules
from stages.prepare.options import add_rules


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when OUT was written; when nothing was, 1 for a refusal and 2 for a fault."""
    parser = argparse.ArgumentParser(
        prog="python -m annotation.convert",
        description="Convert annotations from one format to another. Metadata, times and sentence borders for which the"
        " other has no place are left out; a note that it cannot hold is refused.",
    )
    parser.add_argument("source", metavar="IN", type=Path, help="the exported file, or the folder that holds it")
    parser.add_argument("target", metavar="OUT", type=Path, help="file to write (for brat: folder); must not exist yet")
    parser.add_argument("--from", dest="read", required=True, choices=sorted(READERS), help="format of IN")
    parser.add_argument("--to", dest="write", required=True, choices=sorted(WRITERS), help="format of OUT")
    parser.add_argument("--labels", type=Path, help="CSV of source_label,label: labels that it ignores are left out")
    add_rules(parser)
    options = parser.parse_args(arguments)
    return run_command("convert", lambda: _convert(options))


def _convert(options: argparse.Namespace) -> int:
    from stages.prepare.mapping import read_mapping  # not for --help: it brings all of a batch's description

    target = options.target
    if target.exists():
        raise BeHealthyError(f"{target} exists, and may be someone's annotations: choose another name")
    mapping = read_mapping(options.labels) if options.labels else None
    documents = read(options.source.absolute(), options.read, Rules(mapping, options.overlaps, options.discontinuous))
    left_out = left_out_of(documents)
    write(documents, target, options.write)
    mentions = counted(sum(len(document.mentions) for document in documents), "mention")
    size = f"{counted(len(documents), 'document')}, {mentions}"
    print(f"convert: {size} from {options.read} to {options.write}: {target}")
    for line in told(left_out):
        print(f"convert: left out {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
