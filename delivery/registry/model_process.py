"""The environment of a process that runs a model: on one thread, and with nothing of ours that it does not need."""

from __future__ import annotations

import os

from stages.common.variables import KERNELS

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "ARROW_NUM_THREADS"), "1"
)
_PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "XDG_CACHE_HOME",
    "NUMBA_CPU_NAME", "OPENBLAS_CORETYPE", KERNELS,
)  # fmt: skip


def environment() -> dict[str, str]:
    """Return it: no token, password or key of this process is in it."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _ONE_THREAD
