"""A folder with a manifest of its files: names, sizes, hashes. What is not what was saved is not loaded.

The manifest finds damage, mixed-up versions and files changed one by one. Whoever can write the whole folder
can write a manifest that fits it: against that stands the hash of the folder outside of it, in `dvc.lock`
and in the registry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path

from pydantic import Field

from stages.common.checked import Header, ModelError, read_header, require
from stages.common.files import write_text

MANIFEST = "manifest.json"


class _File(Header):
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Manifest(Header):
    files: dict[str, _File]


@contextmanager
def sealing(folder: Path) -> Iterator[None]:
    """Write a manifest of all files in `folder` when the block ends without an error.

    Until then there is none, so that a folder which was not finished cannot be loaded. The files that the
    manifest before this one lists are removed.
    """
    manifest = folder / MANIFEST
    if manifest.is_file():
        with suppress(ModelError):
            for name in read_header(manifest, _Manifest).files:
                _inside(folder, name).unlink(missing_ok=True)
        manifest.unlink()
    yield
    files = {_name(path, folder): _described(path) for path in _files_in(folder)}
    write_text(manifest, _rendered(_Manifest(files=files)))


def check_seal(folder: Path) -> None:
    """Compare the files of a folder with its manifest.

    Raises
    ------
    ModelError
        Names the first file that is missing, has another content, or is not in the manifest.
    """
    manifest = folder / MANIFEST
    read = read_header(manifest, _Manifest)
    require(manifest.read_bytes() == _rendered(read).encode(), manifest, "is not as it was written")
    expected = read.files
    present = {_name(path, folder): path for path in _files_in(folder) if path != manifest}
    for name, file in sorted(expected.items()):
        require(name in present, folder / name, "is missing")
        size = present[name].stat().st_size
        require(size == file.bytes, folder / name, f"has {size} bytes, where {file.bytes} were saved")
        require(_described(present[name]) == file, folder / name, "is not what was saved: its SHA-256 is another one")
    for name in sorted(present.keys() - expected.keys()):
        raise ModelError(folder / name, f"is no file of what {manifest.name} lists")


def _rendered(manifest: _Manifest) -> str:
    return json.dumps(manifest.model_dump(), indent=2, ensure_ascii=False) + "\n"


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def _inside(folder: Path, name: str) -> Path:
    require(not Path(name).is_absolute() and ".." not in Path(name).parts, folder / MANIFEST, "names a file elsewhere")
    return folder / name


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _described(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            return _File(bytes=path.stat().st_size, sha256=file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise ModelError(path, f"cannot be read: {error.strerror}") from None
