"""While a library is imported, nothing is collected, and afterwards what it made is passed over."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from stages.common.importing import without_collecting


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_meanwhile_and_is_then_as_it_was(enabled: bool) -> None:
    if not enabled:
        gc.disable()
    with pytest.raises(ImportError), without_collecting():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled() is enabled


def test_what_was_made_meanwhile_is_passed_over_later() -> None:
    before = gc.get_freeze_count()
    with without_collecting():
        made: list[list[object]] = [[] for _ in range(1000)]
    assert gc.get_freeze_count() >= before + len(made)
