"""Which files of `stages/` a module needs to run, read from the source: imports inside functions included."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_REFERENCE = re.compile(r"(stages(?:\.\w+)+)(?::\w+)?")


def import_closure(module: str, root: Path) -> set[str]:
    """Return the files of `stages/`, relative to `root`, that importing a module may import.

    Imports inside functions count, and so do modules named in strings, as ``"stages.train.x:Tagger"``;
    those below ``if TYPE_CHECKING:`` do not, since nothing runs them.
    """
    files: set[str] = set()
    waiting = _files_of(module, root)
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            for name in _references(ast.parse((root / path).read_text(encoding="utf-8"))):
                waiting |= _files_of(name, root) - files
    return files


def _references(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in _what_runs(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= {match[1]} if (match := _REFERENCE.fullmatch(node.value)) else set()
    return {name for name in names if name.split(".")[0] == "stages"}


def _what_runs(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk through a tree without what only a type checker reads."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        only_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        waiting += node.orelse if isinstance(node, ast.If) and only_for_types else ast.iter_child_nodes(node)


def _files_of(name: str, root: Path) -> set[str]:
    """Return the file of a module, or of the module whose attribute it is, and each `__init__.py` around it."""
    parts = name.split(".")
    packages = [Path(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    modules = [Path(*parts[:i]).with_suffix(".py") for i in (len(parts) - 1, len(parts)) if i > 1]
    return {str(path) for path in [*packages, *modules] if (root / path).is_file()}
