"""Hashes as DVC computes them: of a file's content, and of a folder's list of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def content_md5(content: bytes) -> str:
    """Return the hash of a file with this content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def listing_md5(files: Mapping[str, str]) -> str:
    """Return the hash of a folder, given the hashes of its files by their paths in it."""
    entries = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    return f"{content_md5(json.dumps(entries).encode())}.dir"


def folder_md5(folder: Path) -> str:
    """Return the hash of a folder as it lies there."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return listing_md5({path.relative_to(folder).as_posix(): content_md5(path.read_bytes()) for path in files})
