"""Progress of long work."""

from __future__ import annotations

import pytest

from stages.common.progress import steps


def test_every_step_is_announced_before_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    walk = steps("train: fold", ["a", "b"])
    assert next(walk) == "a"
    assert capsys.readouterr().err == "train: fold 1 of 2\n"
    assert list(walk) == ["b"]
    captured = capsys.readouterr()
    assert captured.err == "train: fold 2 of 2\n"
    assert captured.out == ""
