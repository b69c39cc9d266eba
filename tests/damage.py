"""Damage to a valid export, of the kinds that tools, editors and people do: of its structure and of its bytes."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

Files = dict[str, bytes]

_NESTED: Any = []
for _ in range(300):
    _NESTED = [_NESTED]

VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, -(10**400), 1e308, float("nan"), float("inf"), "", " ", "x" * 300, "\u0000",
    "\ud800", "e\u0301 🎉", "\u2028", "1", "0", "labels", [], {}, [[]], [None], [0, 1, 2], {"a": {"a": 1}}, _NESTED,
]  # fmt: skip
"""What stands in place of a value; none of it is text of a note."""

IDENTIFIERS = ("id", "document")
KEYS = [
    "id",
    "text",
    "label",
    "labels",
    "start",
    "end",
    "type",
    "value",
    "mentions",
    "spans",
    "entities",
    "data",
    "",
    "x",
]
PIECES = [
    *["", "\t", "\n", "\r", "\r\n", "\n\n", " ", "0", "-1", "9" * 30, "|", "<", ">", "&", "&#0;", "]]>", '"', "{"],
    *["[" * 3000, "\ufeff", "\u0000", "\u0085", "\u2028", "🎉", "T1", "R1", "B-", "I-X", "O", "-DOCSTART-", "\ud800"],
]


def damaged(files: Files, chance: random.Random) -> Files:
    """Return an export with one to three faults; often one that a reader cannot see."""
    files = dict(files)
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(sorted(files))
        kinds = [_of_bytes, _of_text]
        if name.endswith((".json", ".jsonl")):
            kinds += [_of_json] * 4
        if name.endswith(".spacy"):
            kinds += [_of_docbin] * 4
        files[name] = chance.choice(kinds)(files[name], chance)
    if chance.random() < 0.05:
        files[chance.choice(["a.bin", "notes.csv", "sub.json", "b.txt"])] = b"\x00\xff"
    return files


def _of_bytes(data: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(data))
    return chance.choice(
        [
            data[:at],
            data[at:],
            b"",
            data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
            data[:at] + chance.randbytes(3) + data[at:],
            data + data,
            b"\xef\xbb\xbf" + data,
            data.replace(b"\n", b"\r\n"),
            data.decode("utf-8", "replace").encode("utf-16"),
        ]
    )


def _of_text(data: bytes, chance: random.Random) -> bytes:
    parts = re.split(r"(\w+|\s)", data.decode("utf-8", "replace"))
    at = chance.randrange(len(parts))
    change = chance.randrange(4)
    if change == 0:
        parts[at] = chance.choice(PIECES)
    elif change == 1:
        numbers = [place for place, part in enumerate(parts) if part.isdigit()] or [at]
        parts[chance.choice(numbers)] = str(chance.choice([0, 1, -1, 3, 19, 21, 10**6, 10**40]))
    elif change == 2:
        lines = "".join(parts).split("\n")
        chance.shuffle(lines)
        parts = ["\n".join(lines)]
    else:
        parts[at : at + chance.randint(1, 5)] = []
    return "".join(parts).encode("utf-8", "surrogatepass")


def _of_json(data: bytes, chance: random.Random) -> bytes:
    try:
        text = data.decode()
        entries = (
            [json.loads(text)] if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
        )
    except (ValueError, RecursionError):
        return _of_bytes(data, chance)
    changed = [change_tree(entry, chance) for entry in entries]
    lines = [json.dumps(entry, ensure_ascii=chance.random() < 0.5) for entry in changed]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _of_docbin(data: bytes, chance: random.Random) -> bytes:
    import srsly

    try:
        tree = srsly.msgpack_loads(zlib.decompress(data))
        return zlib.compress(srsly.msgpack_dumps(change_tree(tree, chance)))
    except Exception:  # what was damaged before, or cannot be packed
        return _of_bytes(data, chance)


def change_tree(tree: Any, chance: random.Random) -> Any:
    """Change one place of nested lists and objects: another value, another key, gone, twice, or exchanged."""
    places = list(_places(tree))
    if not places:
        return chance.choice(VALUES)
    holder, key = chance.choice(places)
    change: Callable[[], None] = chance.choice(
        [
            lambda: holder.__setitem__(key, chance.choice(VALUES)),
            lambda: holder.__setitem__(key, chance.choice(VALUES)),
            lambda: holder.__setitem__(key, [holder[key]]),
            lambda: holder.__setitem__(key, {"a": holder[key]}),
            lambda: holder.__delitem__(key),
            lambda: holder.append(holder[key]) if isinstance(holder, list) else None,
            lambda: holder.__setitem__(chance.choice(KEYS), holder.pop(key)) if isinstance(holder, dict) else None,
            lambda: _exchange(holder, key, *chance.choice(places)),
        ]
    )
    change()
    return tree


def _exchange(holder: Any, key: Any, other: Any, place: Any) -> None:
    one, two = holder[key], other[place]
    if any(at in IDENTIFIERS and " " not in str(value) for at, value in ((key, two), (place, one))):
        return  # a lone word is taken for an identifier, and shown
    if not isinstance(one, list | dict) and not isinstance(two, list | dict):  # else it could hold itself
        holder[key], other[place] = two, one


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items):
        yield tree, key
        yield from _places(value) if value is not _NESTED else ()
