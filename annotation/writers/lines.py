"""JSON lines, the same bytes for the same objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any


def json_lines(entries: Iterable[Mapping[str, Any]], *, ascii: bool = False) -> bytes:
    """Encode an object a line, in UTF-8; other scripts and emoji stay readable unless `ascii` escapes them."""
    return "".join(json.dumps(entry, ensure_ascii=ascii, allow_nan=False) + "\n" for entry in entries).encode("utf-8")
