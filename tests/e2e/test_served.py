"""The logged model behind the real `mlflow models serve`, on a machine where nothing was compiled before."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from delivery.registry.model import log_extractor
from delivery.registry.server import connect
from tests.repository import ROOT
from tests.servers import Server, running

pytestmark = pytest.mark.slow

NOTE = "Known asthma. Start aspirin 75 mg once daily."
PATIENCE = 60
"""Seconds that the server lets a request take."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    if not (ROOT / "models" / "model.json").is_file():
        pytest.skip("no model here: run `make repro`")
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        client = connect()
        experiment = client.create_experiment("behealthy", artifact_location=(folder / "artifacts").as_uri())
        uri = log_extractor(ROOT / "models", run_id=client.create_run(experiment).info.run_id, root=ROOT)
        model = mlflow.artifacts.download_artifacts(uri, dst_path=str(folder / "model"))
    command = ["mlflow", "models", "serve", "--model-uri", model, "--env-manager", "local"]
    log, settings = folder / "log", {"HOME": str(folder), "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": str(PATIENCE)}
    # It listens when the model is loaded, its loops compiled.
    with running(Server([*command, "--host", "127.0.0.1", "--port", "{port}"], log, settings), 500) as server:
        yield server.port, log


def ask(port: int, method: str, path: str, body: bytes | str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE + 30)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode("utf-8")


def test_the_first_request_is_answered_at_once(served: tuple[int, Path]) -> None:
    started = time.monotonic()
    status, said = ask(served[0], "POST", "/invocations", json.dumps({"inputs": [NOTE]}))
    assert status == 200
    assert {NOTE[one["start"] : one["end"]] for one in json.loads(said)["predictions"][0]["mentions"]} >= {"asthma"}
    assert time.monotonic() - started < PATIENCE / 6


@pytest.mark.parametrize(
    "body",
    [
        '{"inputs": [null]}',
        '{"inputs": [5]}',
        '{"inputs": [{"text": "Gout in 1961"}]}',
        '{"inputs": ["Gout in 1961"',
        '{"inputs": ["' + "Gout in 1961. " * 3_600_000 + '"]}',
    ],
    ids=["null", "number", "object", "malformed", "50 MB"],
)
def test_what_is_no_note_is_refused_at_once(served: tuple[int, Path], body: str) -> None:
    port, log = served
    started = time.monotonic()
    status, said = ask(port, "POST", "/invocations", body)
    assert status == 400
    assert "send a list of strings" in said
    assert time.monotonic() - started < 10
    assert "Gout" not in said + log.read_text(encoding="utf-8")
