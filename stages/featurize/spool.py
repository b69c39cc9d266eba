"""Text that is walked through many times, kept on the disk as numbers."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np

_END = 0  # of a sentence; words are numbered from 1
_BLOCK = 1 << 18  # bytes in hand at a time


class SpooledText:
    """Sentences in a temporary file without a name: their words are in memory once, however often they occur.

    Holds what it was given and can be walked through any number of times. Memory grows with the
    vocabulary, not with the text. A context manager; the file is gone when it closes.

    Parameters
    ----------
    sentences : iterable of sequences of str
        Walked through once.
    """

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        numbers: dict[str, int] = {}
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed by __exit__
        block = array("i")
        for sentence in sentences:
            block.extend([numbers.setdefault(word, len(numbers) + 1) for word in sentence])
            block.append(_END)
            if len(block) * block.itemsize >= _BLOCK:
                self._write(block)
                del block[:]
        self._write(block)
        self._words = ["", *numbers]

    def _write(self, block: array[int]) -> None:
        left = memoryview(block).cast("B")
        while left:
            left = left[self._file.write(left) :]
        left.release()

    def __iter__(self) -> Iterator[list[str]]:
        """Yield the sentences; walks at the same time do not disturb each other."""
        words, place = self._words, 0
        rest = np.empty(0, dtype=np.intc)
        while block := os.pread(self._file.fileno(), _BLOCK, place):
            place += len(block)
            numbers = np.concatenate([rest, np.frombuffer(block, dtype=np.intc)])
            first, flat = 0, numbers.tolist()
            for end in np.flatnonzero(numbers == _END).tolist():
                yield [words[number] for number in flat[first:end]]
                first = end + 1
            rest = numbers[first:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
