"""Find the mentions of a note, or of files of notes.

    python -m production.predict "Known COPD, no asthma. Start tiotropium 18 mcg once daily."
    python -m production.predict data/incoming/notes.jsonl --format parquet --out mentions.parquet
    zcat notes.jsonl.gz | python -m production.predict - --from jsonl --format jsonl

What is no file is a note. What is written has clinical text: git must not take it. Exit codes: 0 all was read; 1 some
rows were not, each is named, the others are written; 2 nothing could be done.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from production.predict.results import ENDINGS, WRITERS, Write
from production.predict.rows import FORMATS, STANDARD_INPUT, BadRow, Columns, Note, read_rows, size_of
from production.service.models import HELP, MODELS, opened_model
from production.terminal import on_one_line
from stages.common.command import DONE, REFUSED, run_command
from stages.common.wording import counted

if TYPE_CHECKING:
    from production.inference.host import ModelHost

_ENDINGS = ", ".join(ENDINGS)
_NAMED = 20
"""Bad rows that are named one by one."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notes", nargs="+", metavar="NOTE|FILE", help="a note, a file of notes, or - (standard input)")
    parser.add_argument(
        "--from", dest="kind", choices=FORMATS, help="format of the files; without it their suffix tells"
    )
    parser.add_argument("--text-column", default=Columns().text, help="column of the notes (default: text)")
    parser.add_argument("--id-column", default=Columns().id, help="column of their names (default: id)")
    parser.add_argument(
        "--format",
        choices=list(WRITERS),
        help=f"of what is written; default: by --out's suffix ({_ENDINGS}), else marked",
    )
    parser.add_argument("--out", type=Path, help="a file, replaced whole when all is done")
    parser.add_argument("--model", default=MODELS, help=HELP)
    options = parser.parse_args(arguments)
    options.format = options.format or (ENDINGS.get(options.out.suffix.lower()) if options.out else "marked")
    if options.format is None:
        parser.error(f"the suffix of --out {options.out} is none of {_ENDINGS}: correct it, or say --format")
    if options.format == "parquet" and options.out is None:
        parser.error("--format parquet needs --out")
    if options.notes.count(STANDARD_INPUT) > 1:
        parser.error("standard input can be read once")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("predict", lambda: _predict(options))


def _predict(options: argparse.Namespace) -> int:
    from production.inference.host import ModelHost
    from production.record.work_tree import refuse_shared
    from production.service.params import load_params

    if options.out is not None:
        refuse_shared(options.out, option="--out", holds="predictions quote notes")
    seconds = load_params().note_seconds
    with (
        opened_model(options.model, "predict") as opened,
        ModelHost(opened.model.code, opened.model.models) as host,
        _output(options) as file,
        WRITERS[options.format](file, host.labels) as write,
        _progress(options) as rows,
    ):
        read, bad = _find(rows, host, seconds, write)
    if options.out is not None:
        print(f"predict: {counted(read, 'note')}: {options.out}", file=sys.stderr)
    if bad:
        print(f"predict: {counted(bad, 'row')} left out", file=sys.stderr)
    return REFUSED if bad else DONE


def _find(rows: Iterator[tuple[str, Note | BadRow]], host: ModelHost, seconds: float, write: Write) -> tuple[int, int]:
    """Write what is found in each note; return how many were read, and how many rows were not."""
    from production.inference.host import NoteFailedError

    read = bad = 0
    for source, row in rows:
        fault = row if isinstance(row, BadRow) else None
        if isinstance(row, Note):
            try:
                found = host.extract(row.text, seconds)
            except NoteFailedError as error:
                fault = BadRow(_named(source, row), str(error))
            else:
                write(row, found)
                read += 1
        if fault is not None:
            bad += 1
            if bad <= _NAMED:
                print(f"predict: {fault.place}: {fault.problem}", file=sys.stderr)
    return read, bad


def _named(source: str, note: Note) -> str:
    """Name a note by its file; what is no file is the note itself, and not named."""
    named = f"{source}, {note.id}" if size_of(source) or source == STANDARD_INPUT else note.id
    return on_one_line(named)


@contextmanager
def _output(options: argparse.Namespace) -> Iterator[IO[bytes]]:
    from stages.common.files import replacing

    if options.out is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with replacing(options.out, private=True) as file:
            yield file


@contextmanager
def _progress(options: argparse.Namespace) -> Iterator[Iterator[tuple[str, Note | BadRow]]]:
    """Yield the rows of all sources; a bar tells how far it is, where somebody looks and nothing else is printed."""
    from rich.console import Console
    from rich.progress import Progress

    columns = Columns(options.text_column, options.id_column)
    sizes = {source: size_of(source) for source in options.notes}
    console = Console(stderr=True)
    shown = console.is_terminal and any(sizes.values()) and (options.out is not None or not sys.stdout.isatty())
    bar = Progress(console=console, transient=True, disable=not shown)
    task = bar.add_task("notes", total=sum(sizes.values()))

    def rows() -> Iterator[tuple[str, Note | BadRow]]:
        behind = 0
        for source in options.notes:
            for row, done in read_rows(source, options.kind, columns):
                bar.update(task, completed=behind + done)
                yield source, row
            behind += sizes[source]

    with bar:
        yield rows()


if __name__ == "__main__":
    sys.exit(main())
