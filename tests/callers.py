"""Inner kernels, which only kernels may call, as tests call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def called(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Return a compiled function that passes everything on to a kernel."""
    function: Callable[..., Any] = numba.njit(lambda *arguments: kernel(*arguments))  # noqa: PLW0108
    return function
