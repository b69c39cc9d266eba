"""The examples of docs/formats.md, by format."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from annotation import convert
from tests.repository import ROOT

PAGE = ROOT / "docs" / "formats.md"
_NAME = r"`([\w.-]+)`"
_BLOCK = re.compile(r"```(?:text|json|xml)\n(.*?)```", re.DOTALL)


def sections() -> dict[str, str]:
    """Return what the page says of each format."""
    parts = re.split(r"^## (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {name: text for name, text in zip(parts[::2], parts[1::2], strict=True) if " " not in name}


def samples() -> dict[str, dict[str, bytes]]:
    """Return the files of each example: every block under the first file name that stands before it."""
    found: dict[str, dict[str, bytes]] = {}
    for format, text in sections().items():
        before, *blocks = re.split(_BLOCK, text)
        files: dict[str, bytes] = {}
        for content, after in zip(blocks[::2], blocks[1::2], strict=True):
            files[_file_name(before)] = content.encode()
            before = after
        found[format] = files
    found["spacy"] = _converted(found["jsonl"])
    return found


def _file_name(before: str) -> str:
    names = [name for name in re.findall(_NAME, before) if re.fullmatch(r"\w+(\.\w+|_sent|_label)", name)]
    return names[0]


def _converted(files: dict[str, bytes]) -> dict[str, bytes]:
    """Run the command that the page gives for the binary format."""
    (command,) = re.findall(r"```bash\npython -m annotation\.convert (.*?)\n```", sections()["spacy"])
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        words = [str(Path(folder, word)) if "." in word else word for word in command.split()]
        assert convert.main(words) == 0
        return {"notes.spacy": Path(folder, "notes.spacy").read_bytes()}
