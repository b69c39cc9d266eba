"""Which model is asked: a folder of the working tree, or a version of the registry with the code that it brings."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from production.arguments import version_of
from production.inference.load_model import Model, Registry, folder_model

MODELS = "models"
HELP = "model folder, or models:/NAME@ALIAS or models:/NAME/VERSION of the registry (default: models)"


class Opened(NamedTuple):
    """A model, and how to look up whether it is another one by now; None where it cannot be."""

    model: Model
    find: Callable[[], Model] | None = None


@contextmanager
def opened_model(address: str, command: str = "serve") -> Iterator[Opened]:
    """Open a model folder or a version of the registry for a command; what was downloaded is removed with the block.

    Raises
    ------
    BeHealthyError
        When there is no such model, or its files are not those that were saved or registered.
    """
    wanted = version_of(address)
    if wanted is None:
        yield Opened(folder_model(Path(address)))
        return
    # A version that is being fetched when the service ends is no reason to end badly.
    with tempfile.TemporaryDirectory(prefix="behealthy-model-", ignore_cleanup_errors=True) as folder:
        registry = Registry(wanted, Path(folder), command)
        yield Opened(registry.find(), None if wanted.isdecimal() else registry.find)
