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
from stages.prepare.formats import READERS, read


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when OUT was written; when nothing was, 1 for a refusal and 2 for a fault."""
    parser = argparse.ArgumentParser(
        prog="python -m annotation.convert",
        description="Convert annotations from one format to another. Metadata, times and sentence borders for which the"
        " other has no place are left out; a note that it cannot hold is refused.",
    )
    parser.add_argument("source", metavar="IN", type=Path, help="the exported file, or the folder that holds it")
    parser.add_argument("target", metavar="OUT", type=Path, help="file to write (for brat: folder); must not exist yet")
    parser.add_argument("--from", dest="read", required=True, choices=sorted(READERS))
    parser.add_argument("--to", dest="write", required=True, choices=sorted(WRITERS))
    options = parser.parse_args(arguments)
    return run_command("convert", lambda: _convert(options.source, options.read, options.target, options.write))


def _convert(source: Path, read_as: str, target: Path, write_as: str) -> int:
    if target.exists():
        raise BeHealthyError(f"{target} exists, and may be someone's annotations: choose another name")
    documents = read(source.absolute(), read_as)
    write(documents, target, write_as)
    mentions = counted(sum(len(document.mentions) for document in documents), "mention")
    print(f"convert: {counted(len(documents), 'document')}, {mentions} from {read_as} to {write_as}: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
