"""How many mutants of each module the tests notice, from the lines of `mutmut results --all true` on standard input.

`make mutants` runs it. A mutant counts as noticed when a test failed or hung on it. One that no test runs, or that
could not be tried, counts as unnoticed: a score that cannot be computed is no pass.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

LEAST = 0.90
"""Share of the mutants of a module that must be noticed."""

NOTICED = {"killed", "timeout", "caught by type check"}


def scores(lines: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return, by module, how many mutants were noticed and how many there are."""
    noticed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in lines:
        name, found, status = line.strip().rpartition(": ")
        if found:
            module = name.rpartition(".")[0]
            total[module] += 1
            noticed[module] += status in NOTICED
    return {module: (noticed[module], total[module]) for module in sorted(total)}


def main() -> int:
    """Print a row for each module; return 1 where one is below `LEAST`, or where there is none."""
    found = scores(sys.stdin)
    for module, (noticed, total) in found.items():
        print(f"{module:32} {noticed:5} of {total:5} noticed {noticed / total:7.1%}")
    low = [module for module, (noticed, total) in found.items() if noticed < LEAST * total]
    if low or not found:
        print(
            f"mutants: below {LEAST:.0%}: {', '.join(low) or 'no mutants at all'}; see `mutmut results`, `mutmut show`"
        )
    return int(bool(low) or not found)


if __name__ == "__main__":
    sys.exit(main())
