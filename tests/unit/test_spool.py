"""Text on the disk: what goes in comes out, as often as one likes, and no word is written."""

from __future__ import annotations

import os
import tracemalloc
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.featurize import spool
from stages.featurize.spool import SpooledText


@given(st.lists(st.lists(st.text(max_size=3), max_size=6), max_size=20), st.sampled_from([4, 8, 12, 1 << 18]))
@settings(max_examples=80, deadline=None)
def test_sentences_come_back_every_time(sentences: list[list[str]], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "_BLOCK", block)
        with SpooledText(iter(sentences)) as text:
            assert list(text) == sentences
            assert list(text) == sentences
            assert [pair for pair in zip(text, text, strict=True) if pair[0] != pair[1]] == []


def test_no_word_is_written_and_nothing_is_left() -> None:
    with SpooledText([["Confidential", "asthma"]] * 9) as text:
        descriptor = text._file.fileno()
        assert os.pread(descriptor, 1 << 20, 0) == (b"\1\0\0\0\2\0\0\0\0\0\0\0") * 9
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_memory_does_not_grow_with_the_text() -> None:
    def peak(sentences: int) -> int:
        tracemalloc.start()
        with SpooledText(repeat(["a", "note", "on", "gout"], sentences)) as text:
            assert sum(map(len, text)) == 4 * sentences
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(200_000) < 1.5 * peak(50_000)
