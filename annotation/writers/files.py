"""A folder of files that is there whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from stages.common.errors import AnnotationError
from stages.common.files import make_beside, replacing


def write_folder(path: Path, files: Mapping[str, bytes], *, private: bool = False) -> None:
    """Write files beside their place and rename the folder into it; `private`: only its owner may look into it.

    Raises
    ------
    AnnotationError
        When something is there already: a mixture of old and new files would be read as one export.
    """
    if path.is_symlink() or path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise AnnotationError(
            "is there already", "Give a folder that does not exist yet, or remove this one", path.name
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    building = make_beside(path, private=private)
    try:
        for name, content in files.items():
            with replacing(building / name) as file:
                file.write(content)
        building.replace(path)  # an empty folder gives way
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
