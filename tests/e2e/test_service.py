"""`python -m production.serve` on the loopback: what it answers, what it refuses, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from delivery.registry.server import MODEL, connect
from tests.registered import add_version
from tests.repository import ROOT
from tests.servers import tracking_server

pytestmark = pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro")

TOKEN = "a-token-of-these-tests-alone"
NOTE = "Known asthma. Start aspirin 75 mg once daily."
PATHS = {"/analyze": {"text": NOTE}, "/api/process": {"content": {"text": NOTE}}, "/invocations": {"inputs": [NOTE]}}


class Service:
    """The command in a process of its own; what it prints goes to `log`."""

    def __init__(self, log: Path, *arguments: str, token: str | None = None, **environment: str) -> None:
        self.log = log
        settings = {**os.environ, **environment} | ({"BEHEALTHY_TOKEN": token} if token else {})
        command = [sys.executable, "-m", "production.serve", "--port", "0", "--workers", "1", *arguments]
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.started = time.monotonic()
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=output, stderr=output)
        self.port = int(self.wait_for(r"http://127\.0\.0\.1:(\d+)"))

    def wait_for(self, pattern: str, seconds: float = 60) -> str:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and self.process.poll() is None:
            if found := re.search(pattern, self.log.read_text()):
                return found[1]
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def until_ready(self) -> float:
        while self.process.poll() is None and time.monotonic() < self.started + 300:
            try:
                if self.ask("GET", "/ready")[0] == 200:
                    return time.monotonic() - self.started
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        content = body if isinstance(body, str | bytes | None) else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": kind, **self.headers, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            if self.process.poll() is None:
                self.process.kill()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = Service(tmp_path_factory.mktemp("service") / "log", token=TOKEN)
    try:
        seconds = started.until_ready()
        print(f"ready after {seconds:.1f} s")
        yield started
    finally:
        started.end()


def test_presidios_shape(service: Service) -> None:
    status, said, _ = service.ask("POST", "/analyze", {"text": NOTE, "language": "en"})
    found = json.loads(said)
    assert status == 200
    assert {NOTE[one["start"] : one["end"]]: one["entity_type"] for one in found} == {
        "asthma": "Disease",
        "aspirin": "Treatment",
    }
    assert all(0 <= one["score"] <= 1 and one["assertion"] for one in found)
    _, said, _ = service.ask("POST", "/analyze", {"text": NOTE, "entities": ["Disease"]})
    assert {one["entity_type"] for one in json.loads(said)} == {"Disease"}


def test_cogstacks_shape(service: Service) -> None:
    status, said, _ = service.ask(
        "POST", "/api/process_bulk", {"content": [{"text": NOTE, "footer": {"row": 7}}, {"text": ""}, {"text": NOTE}]}
    )
    first, second, third = json.loads(said)["result"]
    assert status == 200
    assert first["footer"] == {"row": 7}
    assert [one["source_value"] for one in first["annotations"]] == ["asthma", "aspirin"]
    assert second["annotations"] == []
    assert third["annotations"] == first["annotations"]


def test_mlflows_shape_is_that_of_a_served_model(service: Service) -> None:
    for body in ({"inputs": [NOTE]}, {"dataframe_split": {"columns": ["text"], "data": [[NOTE]]}}):
        status, said, _ = service.ask("POST", "/invocations", body)
        (row,) = json.loads(said)["predictions"]
        assert status == 200
        assert list(row) == ["mentions", "suggestions", "accepted", "sentences", "tokens", "unknown_tokens"]
        assert [NOTE[one["start"] : one["end"]] for one in row["mentions"]] == ["asthma", "aspirin"]
    status, said, _ = service.ask("POST", "/invocations", {"inputs": [NOTE, 1961]})
    assert (status, "note 1, counted from 0, is of type int" in said) == (400, True)
    assert service.ask("GET", "/ping")[0] == 200


BAD = {
    "malformed": '{"text": "Gout in 1961"',
    "deep": "[" * 100_000,
    "many digits": '{"text": ' + "9" * 5_000 + "}",
    "NaN": '{"text": "Gout in 1961", "score_threshold": NaN}',
    "half a character": '{"text": "Gout in 1961\\ud83d"}',
    "no UTF-8": b'{"text": "Gout in 1961 \xff"}',
    "number": '{"text": 1961, "content": {"text": 1961}}',
    "list": '["Gout in 1961"]',
    "deep footer": '{"content": {"text": "x", "footer": {"Gout in 1961": ' + "[" * 900 + "]" * 900 + "}}}",
    "nothing": "",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_is_no_note_is_400_and_never_quoted(service: Service, path: str, body: str | bytes) -> None:
    status, said, headers = service.ask("POST", path, body)
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert "Gout" not in said + service.log.read_text()
    assert "1961" not in said


@pytest.mark.parametrize("path", PATHS)
def test_another_content_type_is_400(service: Service, path: str) -> None:
    assert service.ask("POST", path, json.dumps(PATHS[path]), kind="text/plain")[0] == 400


def test_what_is_too_large_is_413(service: Service) -> None:
    status, said, _ = service.ask("POST", "/analyze", {"text": "Gout. " * 170_000})
    assert (status, "Gout" in said) == (413, False)
    assert service.ask("POST", "/analyze", {"text": "Gout. " * 2_000_000})[0] == 413


def test_a_length_that_is_not_true_does_not_help(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        head = (
            f"POST /analyze HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        for _ in range(11):
            connection.sendall(piece)
        assert b" 413 " in connection.recv(100)


def test_a_header_without_end_is_not_kept(service: Service) -> None:
    import psutil

    before = psutil.Process(service.process.pid).memory_info().rss
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(b"POST /analyze HTTP/1.1\r\nHost: x\r\nX-Long: ")
        with pytest.raises(OSError):  # closed at its other end
            for _ in range(300):
                connection.sendall(b"x" * 0x100000)
    assert psutil.Process(service.process.pid).memory_info().rss - before < 20_000_000


def test_who_has_no_token_learns_nothing(service: Service) -> None:
    for headers in ({"Authorization": "Bearer another"}, {"Authorization": "Bearer "}, {"Authorization": TOKEN}):
        assert service.ask("POST", "/analyze", {"text": NOTE}, **headers)[0] == 401
        assert service.ask("GET", "/metrics", **headers)[0] == 401
        assert service.ask("GET", "/version", **headers)[0] == 401
        assert service.ask("GET", "/health", **headers)[0] == 200


LONG = {"text": "No asthma, no gout. " * 45_000}


def test_a_note_whose_process_is_ended_once_is_asked_again(service: Service) -> None:
    (host,) = _hosts(service)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(service.ask, "POST", "/analyze", LONG)
        time.sleep(0.3)
        os.kill(host, signal.SIGKILL)
        status, said, _ = answer.result(60)
    assert (status, "asthma" in said) == (200, False)
    assert _hosts(service) != [host]


def test_a_note_that_kills_its_process_harms_no_other(service: Service) -> None:
    (host,) = _hosts(service)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(service.ask, "POST", "/analyze", LONG)
        time.sleep(0.3)
        while not answer.done():  # whatever process reads it
            for reader in _hosts(service):
                with suppress(ProcessLookupError):
                    os.kill(reader, signal.SIGKILL)
            time.sleep(0.05)
        status, said, _ = answer.result(60)
    assert (status, "asthma" in said) == (500, False)
    assert service.ask("POST", "/analyze", {"text": NOTE})[0] == 200
    assert _hosts(service) != [host]


def _hosts(service: Service) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(service.process.pid).children()]


def test_what_it_tells_of_itself(service: Service) -> None:
    service.ask("POST", "/analyze", {"text": NOTE})
    status, said, _ = service.ask("GET", "/metrics")
    assert status == 200
    for name in (
        'requests_total{path="/analyze",status="200"}', 'request_seconds_bucket{le="0.1",path="/analyze"}',
        "notes_total", 'mentions_total{label="Disease"}', "queue_depth", 'rejected_total{reason="too_large"}',
        "model_info{",
    ):  # fmt: skip
        assert f"behealthy_{name}" in said
    assert json.loads(service.ask("GET", "/version")[1])["model_version"].startswith("local-")


def test_the_documentation_is_what_it_does(service: Service, tmp_path: Path) -> None:
    """Requests of all kinds, made from the OpenAPI page: no 500, nothing undocumented."""
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{service.port}/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--max-examples", "30", "--seed", "1", "--no-color",
        "--generation-deterministic", "--phases", "examples,coverage,fuzzing",
        "--exclude-checks", "ignored_auth",
    ]  # fmt: skip
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]


def test_a_version_of_the_registry_is_served_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        client = connect()
        add_version(client, "0" * 40, alias="champion", artifacts=(tmp_path / "artifacts").as_uri())
    service = Service(tmp_path / "log", "--model", f"models:/{MODEL}@champion", MLFLOW_TRACKING_URI=uri)
    try:
        service.until_ready()
        said = json.loads(service.ask("GET", "/version")[1])
        assert (said["model_version"], said["commit"]) == ("1", "0" * 40)
        assert service.ask("POST", "/analyze", {"text": NOTE})[0] == 200
    finally:
        assert service.end() == 0
    (served,) = (tmp_path / "artifacts").rglob("stages/train/extractor.py")
    served.write_text(served.read_text() + "\n")
    result = subprocess.run(
        [sys.executable, "-m", "production.predict", NOTE, "--model", f"models:/{MODEL}/1"],
        cwd=ROOT, env={**os.environ, "MLFLOW_TRACKING_URI": uri}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (2, "")
    assert "not those that were sent" in result.stderr


@pytest.mark.slow
def test_a_promotion_and_a_rollback_need_no_restart(tmp_path: Path) -> None:
    """Requests go on all the while: each is answered, and as before; then the processes of before are gone."""
    backend, artifacts = f"sqlite:///{tmp_path}/mlflow.db", f"{tmp_path}/artifacts"
    with tracking_server(tmp_path / "server", backend, artifacts) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server.uri)
        client = connect()
        add_version(client, "a" * 40, alias="champion")
        address = f"models:/{MODEL}@champion"
        service = Service(tmp_path / "log", "--model", address, MLFLOW_TRACKING_URI=server.uri)
        try:
            service.until_ready()
            (host,) = _hosts(service)
            expected = service.ask("POST", "/analyze", {"text": NOTE})[1]
            add_version(client, "b" * 40)
            for champion, commit in (("2", "b" * 40), ("1", "a" * 40)):
                client.set_registered_model_alias(MODEL, "champion", champion)
                _answered_until(service, champion, expected)
                assert json.loads(service.ask("GET", "/version")[1])["commit"] == commit
                assert f'version="{champion}"' in service.ask("GET", "/metrics")[1]
            server.crash()
            service.wait_for(r"(ALERT: going on with version 1)", 120)
            assert service.ask("POST", "/analyze", {"text": NOTE})[1] == expected
            assert len(_hosts(service)) == 1 and _hosts(service) != [host]
            server.restart()
        finally:
            assert service.end() == 0


def _answered_until(service: Service, version: str, expected: str) -> None:
    """Ask, one request after the other, until a version answers; within a minute it does, and none goes wrong."""
    limit = time.monotonic() + 60
    answers = 0
    while True:
        assert service.ask("POST", "/analyze", {"text": NOTE})[:2] == (200, expected)
        _, said, _ = service.ask("POST", "/api/process_bulk", {"content": [{"text": NOTE}] * 20})
        assert all(result["success"] for result in json.loads(said)["result"])
        assert service.ask("POST", "/invocations", {"inputs": [NOTE]})[0] == service.ask("GET", "/ready")[0] == 200
        answers += 1
        if json.loads(said)["medcat_info"]["service_version"] == version:
            break
        assert time.monotonic() < limit, service.log.read_text()
    assert answers > 1


def test_it_is_not_ready_while_no_process_of_the_model_starts(tmp_path: Path) -> None:
    models, away = tmp_path / "models", tmp_path / "away"
    shutil.copytree(ROOT / "models", models)
    service = Service(tmp_path / "log", "--model", str(models))

    def until(status: int) -> None:
        limit = time.monotonic() + 60
        while service.ask("GET", "/ready")[0] != status:
            assert time.monotonic() < limit, service.log.read_text()
            time.sleep(0.05)

    try:
        service.until_ready()
        models.rename(away)
        for host in _hosts(service):
            os.kill(host, signal.SIGKILL)
        until(503)
        assert service.ask("GET", "/ping")[0] == 503
        status, _, headers = service.ask("POST", "/analyze", {"text": NOTE})
        assert (status, "retry-after" in headers) == (503, True)
        assert "ALERT: a process of the model does not start" in service.log.read_text()
        away.rename(models)
        until(200)
        assert service.ask("POST", "/analyze", {"text": NOTE})[0] == 200
    finally:
        assert service.end() == 0


def test_what_was_served_is_judged_by_the_monitor(tmp_path: Path) -> None:
    notes = [json.loads(line) for line in (ROOT / "data/incoming/notes.jsonl").read_text().splitlines()]
    content = [{"text": note["text"], "metadata": note["metadata"]} for note in notes]
    since = datetime.now(UTC)
    folder = tmp_path / "serving-log"
    service = Service(tmp_path / "log", "--log", str(folder), BEHEALTHY_LOG_KEY="0123456789abcdef" * 2)
    try:
        service.until_ready()
        status, _, _ = service.ask("POST", "/api/process_bulk", {"content": content})
        assert status == 200
        for path, body in PATHS.items():
            assert service.ask("POST", path, body)[0] == 200
    finally:
        assert service.end() == 0
    told = {"--since": since, "--until": datetime.now(UTC)}
    for window, served in ((told, len(notes) + 1), ({"--since": told["--until"]}, 0)):
        command = [sys.executable, "-m", "stages.monitor", "--log", str(folder)]
        command += [word for name, at in window.items() for word in (name, at.isoformat())]
        result = subprocess.run(
            [*command, "--json", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        decision, drift = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("decision", "drift"))
        assert json.loads(result.stdout) == decision
        assert (drift["notes"] or {"window": 0})["window"] == served  # copies of a note are one
        faults = [name for name, column in drift["columns"].items() if column.get("fault")]
        assert not served or not faults  # the metadata is there
        assert (decision["decision"] == "unknown") == (not served)


def test_a_kill_loses_no_row_of_the_log(tmp_path: Path) -> None:
    folder, key = tmp_path / "serving-log", {"BEHEALTHY_LOG_KEY": "0123456789abcdef" * 2}
    service = Service(tmp_path / "log", "--log", str(folder), **key)
    try:
        service.until_ready()
        for body in ({"text": NOTE}, {"text": "No fever."}):
            assert service.ask("POST", "/analyze", body)[0] == 200
        time.sleep(0.2)
        assert "behealthy_log_rows_waiting 2.0" in service.ask("GET", "/metrics")[1]
    finally:
        service.process.kill()
        service.process.wait(60)
    assert not list(folder.rglob("*.parquet"))
    service = Service(tmp_path / "again", "--log", str(folder), **key)
    try:
        service.until_ready()
        assert "behealthy_log_rows_total 2.0" in service.ask("GET", "/metrics")[1]
    finally:
        assert service.end() == 0
    assert sorted(pd.concat(map(pd.read_parquet, folder.rglob("*.parquet")))["characters"]) == [9, len(NOTE)]


def test_a_folder_for_the_log_that_git_would_take_is_refused() -> None:
    command = [sys.executable, "-m", "production.serve", "--port", "0", "--log", "served"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "does not ignore served" in result.stderr
    assert not (ROOT / "served").exists()


def test_it_ends_in_order(tmp_path: Path) -> None:
    """Not ready until loaded; what was begun is answered after SIGTERM; exit code 0; no process is left."""
    service = Service(tmp_path / "log")
    try:
        assert service.until_ready() < 60
        children = _hosts(service)
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(service.ask, "POST", "/analyze", {"text": "No asthma, no gout. " * 20_000})
            time.sleep(0.3)
            assert service.end() == 0
            assert answer.result(60)[0] == 200
        assert not [child for child in children if Path(f"/proc/{child}").exists()]
    finally:
        service.end()
