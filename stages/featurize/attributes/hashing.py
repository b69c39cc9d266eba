"""Hashes of strings, many at a time; the same on every machine and in every process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.kernels import hash_all


def hashes_of(strings: Sequence[str]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each string.

    >>> first, second, third = hashes_of(["asthma", "gout", "asthma"])
    >>> first == third, first == second
    (True, False)
    """
    return hash_all(*characters_of(strings))


def characters_of(strings: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the characters of all strings, one after the other, and where each string starts; one more at the end."""
    starts = np.zeros(len(strings) + 1, dtype=np.int64)
    np.cumsum(list(map(len, strings)), out=starts[1:])
    return np.frombuffer("".join(strings).encode("utf-32-le", "surrogatepass"), dtype="<u4"), starts
