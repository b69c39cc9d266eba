"""Which files of `stages/` a module needs, read from its source (imports inside functions included)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_REFERENCE = re.compile(r"(stages(?:\.\w+)+)(?::\w+)?")


def import_closure(module: str, root: Path) -> set[str]:
    """Return the files, relative to `root`, that running ``python -m module`` may import."""
    found: set[str] = set()
    waiting = _files_of(f"{module}.__main__", root)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            tree = ast.parse((root / path).read_text(encoding="utf-8"))
            for name in _references(tree):
                waiting |= _files_of(name, root) - found
    return found


def _references(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A registry names its modules in strings, such as "stages.train.crf:CrfTagger".
            match = _REFERENCE.fullmatch(node.value)
            names |= {match[1]} if match else set()
    return {name for name in names if name.split(".")[0] == "stages"}


def _files_of(name: str, root: Path) -> set[str]:
    """Return the module's own file and the `__init__.py` of each package around it."""
    parts = name.split(".")
    candidates = [Path(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    module = Path(*parts[:-1], f"{parts[-1]}.py")
    if not (root / module).is_file() and not (root / candidates[-1]).is_file():
        candidates = candidates[:-1]  # an attribute of the module, not a module
        module = Path(*parts[:-2], f"{parts[-2]}.py") if len(parts) > 2 else module
    return {str(path) for path in [*candidates, module] if (root / path).is_file()}
