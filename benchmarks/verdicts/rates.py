"""Rates and means as tables show them, with their standard errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def rate(hits: Sequence[bool] | NDArray) -> str:
    """Return a share and its standard error; of none or all, what one more would make of it.

    >>> rate([True] * 90 + [False] * 10), rate([False] * 100)
    ('90.0% ± 3.0', '0.0% ± 1.0')
    """
    share, size = float(np.mean(hits)), len(hits)
    error = max(np.sqrt(share * (1 - share) / size), 1 / size if share in (0, 1) else 0.0)
    return f"{share:.1%} ± {100 * error:.1f}"


def mean(values: NDArray) -> str:
    """Return a mean and its standard error.

    >>> mean(np.array([1.0, 3.0]))
    '+2.00 ± 1.00'
    """
    return f"{np.mean(values):+.2f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.2f}"
