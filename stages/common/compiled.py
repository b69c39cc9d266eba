"""Kernels: functions that Numba compiles, once for all clones, copies and processes of a user.

What is compiled is kept in a folder of the user by its content (`kernel_keys`), so that a new clone, a copy that DVC
makes for a queued experiment, a model that MLflow downloads and a new process all find it there. Each kernel and
signature is a file of its own, put in place whole; there is no index that two processes could write at once.

Reading a file runs what it holds. So the folder is this user's, or root's (as in an image), and nobody else can
write there; the same is asked of each file. A file begins with a digest of its key and content: one that is
damaged, cut short or renamed is compiled anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core import compiler
from numba.core.caching import _Cache
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

from stages.common.kernel_keys import digest_of, digest_of_machine, digest_of_signature
from stages.common.variables import KERNELS

SUFFIX = ".kernel"
_DIGEST = hashlib.sha256().digest_size
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_DAY = 24 * 60 * 60

_log = logging.getLogger(__name__)


def kernel(
    function: Callable[..., Any] | None = None, *, inline: str = "never", nogil: bool = False, inner: bool = False
) -> Any:
    """Compile a function with Numba, and keep what was compiled: ``@kernel`` or ``@kernel(inner=True)``.

    Parameters
    ----------
    function : callable
        What it uses of its module are kernels, constants and NumPy.
    inline : {"never", "always"}
        As in `numba.njit`. It compiles the body anew at every call.
    nogil : bool
        As in `numba.njit`.
    inner : bool
        Only kernels call it: what Python calls it by is not compiled.
    """
    if function is None:
        return lambda it: kernel(it, inline=inline, nogil=nogil, inner=inner)
    options = {"inline": inline, "nogil": nogil, "no_cpython_wrapper": inner, "no_cfunc_wrapper": True}
    compiled = numba.njit(**options)(function)
    if isinstance(compiled, Dispatcher):  # not where NUMBA_DISABLE_JIT is set
        compiled._cache = KernelCache(compiled)  # type: ignore[attr-defined]  # as its own `enable_caching` does
        if inner:
            _refuse_python(compiled)
    return compiled


def _refuse_python(compiled: Any) -> None:
    """Let an inner kernel raise a TypeError when Python calls it, where it would run into nothing."""

    def refuse(*_: Any, **__: Any) -> None:
        raise TypeError(f"only kernels call {compiled.py_func.__qualname__}, an inner one")

    compiled._insert = lambda *_, **__: None  # nothing compiled is known to Python's calls
    compiled._compile_for_args = refuse  # which come here then


class KernelCache(_Cache):  # type: ignore[misc]  # mypy sees no types of Numba
    """What was compiled of one kernel, for Numba's dispatcher.

    Parameters
    ----------
    dispatcher : numba.core.dispatcher.Dispatcher
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher, self._enabled = dispatcher, True

    @property
    def cache_path(self) -> str | None:
        """Folder of the compiled kernels."""
        return str(folder) if (folder := kernels_folder()) else None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled of a signature, or None."""
        target_context.refresh()
        if not self._enabled or (folder := kernels_folder()) is None:
            return None
        key = self._key(sig, target_context.codegen())
        if (content := read_checked(self._path(folder, key), key)) is None:
            return None
        try:
            return compiler.CompileResult._rebuild(target_context, *pickle.loads(content))  # noqa: S301  (our own)
        except Exception:  # whole, but made by something that the key does not tell of
            _log.warning("%s could not be loaded and is compiled anew", self._path(folder, key))
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled of a signature."""
        if not self._enabled or (folder := kernels_folder()) is None:
            return
        if data.library.has_dynamic_globals or any(not lifted.can_cache for lifted in data.lifted):
            raise TypeError(
                f"{self._dispatcher.py_func.__qualname__} uses a large global array: pass it as an argument"
            )
        key = self._key(sig, data.codegen)
        try:
            write_checked(self._path(folder, key), key, dumps(data._reduce()))
        except OSError as error:
            _tell_once(f"compiled kernels could not be kept in {folder} ({error.strerror}): each process compiles")

    def enable(self) -> None:
        """Load and keep."""
        self._enabled = True

    def disable(self) -> None:
        """Neither load nor keep."""
        self._enabled = False

    def flush(self) -> None:
        """Do nothing: what a key names never becomes wrong."""

    @cached_property
    def _kernel(self) -> bytes:
        return digest_of(self._dispatcher)

    def _key(self, sig: Any, codegen: Any) -> bytes:
        return hashlib.sha256(self._kernel + digest_of_signature(sig) + digest_of_machine(codegen)).digest()

    def _path(self, folder: Path, key: bytes) -> Path:
        return folder / f"{self._dispatcher.py_func.__name__}-{key.hex()}{SUFFIX}"


# ---- the folder -----------------------------------------------------------------------------------


def kernels_folder() -> Path | None:
    """Return the folder of compiled kernels, made when it is missing; None, after a warning, where there can be none.

    `KERNELS` names it, else it is ``behealthy/kernels`` in the user's cache folder.
    """
    return _checked_folder(os.environ.get(KERNELS), os.environ.get("XDG_CACHE_HOME"))


@lru_cache
def _checked_folder(named: str | None, caches: str | None) -> Path | None:
    try:
        folder = Path(named or Path(caches or Path.home() / ".cache") / "behealthy" / "kernels").absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        trouble = _close(folder)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        folder, trouble = Path(named or "~/.cache"), str(error)
    if trouble is None:
        return folder
    _tell_once(f"compiled kernels are not kept, each process compiles: {trouble}; set {KERNELS} to a folder of yours")
    return None


def _close(folder: Path) -> str | None:
    """Close a folder of this user to others; return why it cannot be trusted, or None."""
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid not in (0, os.geteuid()):
        return f"{folder} is not a folder of this user"
    if about.st_mode & _OTHERS and about.st_uid == os.geteuid():
        folder.chmod(0o700)
        about = folder.lstat()
    if about.st_mode & _OTHERS_WRITE:
        return f"others can write into {folder}"
    for parent in {*folder.parents, *folder.resolve().parents}:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"others can move {folder}, for they can write into {parent}"
    return None


@lru_cache
def _tell_once(message: str) -> None:
    _log.warning(message)


# ---- the files ------------------------------------------------------------------------------------


def read_checked(path: Path, key: bytes) -> bytes | None:
    """Return what was kept under a key; None where there is nothing that can be trusted and is whole."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid not in (0, os.geteuid()) or about.st_mode & _OTHERS_WRITE:
            return None
        content = file.read()
        if time.time() - about.st_mtime > _DAY and about.st_uid == os.geteuid():
            os.utime(descriptor)  # in use, for `forget_unused`
    kept = content[_DIGEST:]
    return kept if hashlib.sha256(key + kept).digest() == content[:_DIGEST] else None


def write_checked(path: Path, key: bytes, content: bytes) -> None:
    """Keep content under a key; whoever reads at the same time finds all of it or nothing."""
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=SUFFIX, dir=path.parent)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(key + content).digest())
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def forget_unused(folder: Path, days: int = 60) -> int:
    """Remove files that nothing was loaded from for so long; return how many."""
    forgotten = 0
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # another process has put it in place, or removed it, meanwhile
            if time.time() - path.lstat().st_mtime > days * _DAY:
                path.unlink()
                forgotten += 1
    return forgotten
