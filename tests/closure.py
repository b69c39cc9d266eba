"""Which files of `stages/` a stage needs."""

from __future__ import annotations

from pathlib import Path

from delivery.registry.closure import import_closure as closure_of


def import_closure(module: str, root: Path) -> set[str]:
    """Return the files, relative to `root`, that running ``python -m module`` may import."""
    return closure_of(f"{module}.__main__", root)
