"""What a compiled kernel is made of, as a digest: the same wherever its code lies, another when any part is another.

Not the time stamp or the place of a file, which are new in every clone, but what Numba reads: the byte code, the
constants that it freezes, and the same of each kernel that is called or inlined. A name that cannot be followed is
refused when the kernel is first used, for a change behind it would go unnoticed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, ModuleType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import config, sigutils
from numba.core.dispatcher import Dispatcher
from numba.core.types.abstract import Type
from numba.core.types.containers import BaseTuple, NamedTuple, NamedUniTuple

_SETTINGS = (
    "OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "ENABLE_AVX", "LOOP_VECTORIZE", "SLP_VECTORIZE", "USING_SVML",
)  # fmt: skip
"""Of Numba, and read by its compiler."""

_SCALARS = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


def digest_of(dispatcher: Dispatcher) -> bytes:
    """Return a digest of a kernel and of all that is compiled into it.

    Raises
    ------
    TypeError
        When the kernel uses something whose content cannot be told.
    """
    return _digest(_parts_of_kernel(dispatcher, ()))


def digest_of_signature(signature: Any) -> bytes:
    """Return a digest of the types of a call; those of a tuple with named fields include the names and their order."""
    arguments, result = sigutils.normalize_signature(signature)
    return _digest([str(result).encode(), *(part for kind in arguments for part in _parts_of_type(kind))])


def digest_of_machine(codegen: Any) -> bytes:
    """Return a digest of what compiles and of the processor compiled for.

    Parameters
    ----------
    codegen : numba.core.codegen.CPUCodegen
        Of the target.
    """
    versions = (sys.implementation.cache_tag, sys.version, numba.__version__, llvmlite.__version__, np.__version__)
    settings = tuple((name, getattr(config, name, None)) for name in _SETTINGS)
    return _digest([repr((versions, settings, codegen.magic_tuple())).encode()])


def _digest(parts: Iterable[bytes]) -> bytes:
    """Digest parts with their lengths, so that they cannot run into each other."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return whole.digest()


def _parts_of_kernel(dispatcher: Dispatcher, callers: tuple[Dispatcher, ...]) -> Iterator[bytes]:
    function = dispatcher.py_func
    yield f"{function.__module__}.{function.__qualname__}".encode()
    if dispatcher in callers:  # a kernel that calls itself
        return
    yield repr(sorted((name, repr(value)) for name, value in dispatcher.targetoptions.items())).encode()
    yield from _parts_of_function(function, (*callers, dispatcher))


def _parts_of_function(function: Callable[..., Any], callers: tuple[Dispatcher, ...]) -> Iterator[bytes]:
    code = function.__code__
    yield from _parts_of_code(code)
    yield from _parts_of_value(function.__defaults__ or (), callers)
    closure = tuple(cell.cell_contents for cell in function.__closure__ or ())
    yield from _parts_of_value(closure, callers)
    for name in sorted(set(_names_of(code)) & function.__globals__.keys()):
        yield name.encode()
        yield from _parts_of_value(function.__globals__[name], callers)


def _parts_of_code(code: CodeType) -> Iterator[bytes]:
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    yield repr((counts, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)).encode()
    yield code.co_code
    yield code.co_exceptiontable
    for constant in code.co_consts:
        yield from _parts_of_code(constant) if isinstance(constant, CodeType) else [_typed(constant)]


def _names_of(code: CodeType) -> Iterator[str]:
    """Return all names that the code may look up; those of attributes are among them, which does no harm."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_of(constant)


def _parts_of_value(value: Any, callers: tuple[Dispatcher, ...]) -> Iterator[bytes]:
    if isinstance(value, Dispatcher):
        yield from _parts_of_kernel(value, callers)
    elif isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        yield repr((type(value).__name__, value.dtype.str, value.shape)).encode()
        yield value.tobytes()
    elif isinstance(value, tuple):
        yield repr((type(value).__qualname__, len(value))).encode()
        for part in value:
            yield from _parts_of_value(part, callers)
    elif isinstance(value, type):
        yield repr((value.__module__, value.__qualname__, getattr(value, "_fields", ()))).encode()
    elif isinstance(value, ModuleType) and value.__name__.partition(".")[0] in ("numpy", "math"):
        yield value.__name__.encode()
    elif isinstance(value, _SCALARS):
        yield _typed(value)
    else:
        raise TypeError(
            f"a kernel uses {value!r}, whose changes would go unnoticed: import the kernel or the constant itself"
        )


def _typed(value: Any) -> bytes:
    return f"{type(value).__name__} {value!r}".encode()


def _parts_of_type(kind: Type) -> Iterator[bytes]:
    yield str(kind).encode()
    if isinstance(kind, NamedTuple | NamedUniTuple):
        yield from _parts_of_value(kind.instance_class, ())
    if isinstance(kind, BaseTuple):
        for part in kind:
            yield from _parts_of_type(part)
