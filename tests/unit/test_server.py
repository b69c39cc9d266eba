from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException

from delivery.registry.server import server_session
from stages.common.command import run_command


def test_what_the_server_did_not_do_is_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:password@127.0.0.1:9")

    def work() -> None:
        raise MlflowException("403 for http://s3.example.org/model?X-Amz-Signature=abc\nsecond line")

    assert run_command("register", work, within=server_session()) == 2
    said = capsys.readouterr().err
    assert "register: http://127.0.0.1:9 did not do it (403 for http://s3.example.org/model?…)" in said
    assert "run the command again" in said
    for secret in ("password", "Signature", "second line"):
        assert secret not in said


def test_other_faults_are_not_hidden() -> None:
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), server_session():
        work()
    assert run_command("register", lambda: None, within=server_session()) == 0
