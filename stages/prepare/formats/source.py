"""The files of an export, read without changing a character, and what no format may contain."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stages.common.errors import AnnotationError, RequestError
from stages.common.wording import counted

MAX_CHARACTERS = 5_000_000
"""Longest document, and longest line; a note is a few thousand characters, so more is a broken export."""

MAX_IDENTIFIER = 200
"""Most characters of a document's identifier."""

MAX_DEPTH = 32
"""Most folders within one another: an export of a tool has two or three."""

MAX_BYTES = 1 << 30
"""Largest file: it is read at once."""

COMPANIONS = ("readme", "license", "licence")
"""Files of these names, with any suffix, belong to an export but hold no annotations."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_LONE_RETURN = re.compile(r"\r(?!\n|\Z)")
_NAME = re.compile(r"[\w.:/+-]{1,40}")


class File(NamedTuple):
    """A file of an export: its name relative to the export, and where it is."""

    name: str
    path: Path


def refuse_identifier(id: str, text: str | None = None, *, file: str, line: int | None = None) -> None:
    """Refuse what cannot name a document: it stands in messages, tables and file names.

    A phrase of the note in its place, as where columns were exchanged, would put the note into every message; a
    single word is taken for an identifier, whatever it is. Without `text`, as where the name of a file is the
    identifier, it is not asked.
    """
    if not id or not id.isprintable() or id != id.strip() or len(id) > MAX_IDENTIFIER:
        raise AnnotationError(
            f"a document's identifier is empty, unprintable, has blanks at its ends or is longer than {MAX_IDENTIFIER}"
            " characters",
            "Give every document a short identifier of printable characters",
            file,
            line=line,
        )
    if text is not None and len(id.split()) > 1 and (id in text or len(text) < len(id)):
        raise AnnotationError(
            "a document's identifier looks like its text",
            "Exchange the two, or give the document an identifier of one word, which says nothing of the patient",
            file,
            line=line,
        )


def list_files(path: Path) -> list[File]:
    """List the files of an export in order of their names; hidden ones are not part of it.

    Parameters
    ----------
    path : Path
        A file, or a folder with its sub-folders.

    Raises
    ------
    AnnotationError
        When `path` is missing, or anything in it is a symbolic link or not a regular file: a link
        would let a batch change without its hash, and a pipe would hang the reader. When folders are
        nested deeper than `MAX_DEPTH`.
    """
    remedy = "Give the path of the exported file or folder"
    if path.is_symlink():
        raise AnnotationError("the export is a symbolic link", remedy, path.name)
    if not path.exists():
        raise RequestError("the export does not exist", remedy, path.name)
    if not path.is_dir():
        return [_regular(path, path.name)]
    files = []
    for folder, folders, names in os.walk(path, onerror=_stop):
        if len(Path(folder).relative_to(path).parts) > MAX_DEPTH:
            raise AnnotationError(
                f"has folders within folders, more than {MAX_DEPTH} deep", "Put the files side by side", path.name
            )
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*linked, *names]:
            if not name.startswith("."):
                where = Path(folder, name)
                files.append(_regular(where, where.relative_to(path).as_posix()))
    return sorted(files)


def _stop(error: OSError) -> None:
    raise error


def _regular(path: Path, name: str) -> File:
    if not name.isprintable():
        raise AnnotationError("a file name has unprintable characters", "Rename the file", repr(name))
    if path.is_symlink() or not path.is_file():
        raise AnnotationError("is a link or not a regular file", "Put the file itself in its place", name)
    if path.name.startswith("."):
        raise AnnotationError("is a hidden file", "Rename it without the leading dot", name)
    return File(name, path)


def data_files(path: Path, suffixes: Sequence[str], *, beside: Sequence[str] = ()) -> list[File]:
    """List the files with one of `suffixes`; nothing else may lie there unnoticed.

    A README or a licence, and files with a suffix in `beside`, belong to the export but hold no
    annotations. Any other file is refused: skipping it would be a half-read batch.
    """
    files = []
    for file in list_files(path):
        suffix = file.path.suffix.lower()
        if file.path.stem.lower() in COMPANIONS or suffix in beside:
            continue
        if suffix not in suffixes:
            wanted = ", ".join(suffixes)
            raise AnnotationError(
                "has a suffix that this format does not know",
                f"Take it out of the export, or rename it if it is one of {wanted}",
                file.name,
            )
        files.append(file)
    if not files:
        raise AnnotationError(
            "holds no annotation files", f"Give a file or folder with {' or '.join(suffixes)} files", path.name
        )
    return files


def read_bytes(file: File, most: int) -> bytes:
    """Read a file whole, after a look at its size.

    Raises
    ------
    AnnotationError
        When it has more than `most` bytes.
    """
    if file.path.stat().st_size > most:
        raise AnnotationError(f"is larger than {most >> 20} MiB", "Split it into several files", file.name)
    return file.path.read_bytes()


def read_text(file: File) -> str:
    """Read a UTF-8 file as it stands: a byte order mark is dropped, line ends are not translated.

    Raises
    ------
    AnnotationError
        On bytes that are not UTF-8 (with the byte offset), on control characters, on a file of
        more than `MAX_BYTES`.
    """
    data = read_bytes(file, MAX_BYTES)
    mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    try:
        text = data[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        at = mark + error.start
        raise AnnotationError(
            f"is not UTF-8 (byte {at})",
            "Convert it, for example with iconv -f latin1 -t utf-8, and look at the accents before adding it",
            file.name,
            line=data.count(b"\n", 0, at) + 1,
            offset=at,
        ) from None
    refuse_controls(text, file=file.name)
    return text


def refuse_controls(text: str, *, file: str, line: int | None = None, document: str | None = None) -> None:
    """Refuse control characters other than tab and line ends, and lone surrogates.

    They are the mark of a binary file, of UTF-16 or of a broken conversion, and break XML and
    Parquet further on.
    """
    control = _CONTROL.search(text)
    if control:
        raise AnnotationError(
            f"has the control character U+{ord(control[0]):04X}",
            "Remove it, or export again as UTF-8 text (replacing it by a space keeps the offsets)",
            file,
            line=line or text.count("\n", 0, control.start()) + 1,
            offset=control.start(),
            document=document,
        )


def read_lines(file: File) -> list[str]:
    r"""Read a file of lines that end in LF or CRLF; element 0 is line 1.

    Only these end a line: `str.splitlines` would also cut at U+0085 or U+2028, which are text.

    Raises
    ------
    AnnotationError
        As `read_text`; also on a lone carriage return and on a line of over `MAX_CHARACTERS`.
    """
    text = read_text(file)
    lone = _LONE_RETURN.search(text)
    if lone:
        raise AnnotationError(
            "has a carriage return inside a line",
            "Save the file with LF or CRLF line ends",
            file.name,
            line=text.count("\n", 0, lone.start()) + 1,
            offset=lone.start(),
        )
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_CHARACTERS:
            raise too_long("the line", file=file.name, line=number)
    return lines


def too_long(what: str, *, file: str, line: int | None = None, document: str | None = None) -> AnnotationError:
    """Return the error for a document or line over `MAX_CHARACTERS`."""
    return AnnotationError(
        f"{what} is longer than {MAX_CHARACTERS:,} characters",
        "Split the document, or check that the export kept its line ends",
        file,
        line=line,
        document=document,
    )


def shown(name: str, text: str = "") -> str:
    """Return a label or key for a message, or a stand-in where it could be note text.

    Where it is a word of `text`, columns may have been exchanged.
    """
    if not _NAME.fullmatch(name):
        return f"(a name of {counted(len(name), 'character')})"
    if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text):
        return f"(a name of {counted(len(name), 'character')}, which is also a word of the note)"
    return repr(name)
