"""The dashboard is for this machine and its own pages, whatever the environment or somebody's settings say."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboards import dashboard
from tests.repository import ROOT
from tests.servers import free_port

SETTINGS = """
[server]
address = "0.0.0.0"
enableCORS = false
enableAgentApi = true
allowedHosts = ["*"]
[client]
showErrorDetails = "full"
allowedOrigins = ["https://*.streamlit.app"]
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard that is started elsewhere, by somebody whose settings open everything."""
    home, elsewhere = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("elsewhere")
    for folder in (home, elsewhere):
        (folder / ".streamlit").mkdir()
        (folder / ".streamlit/config.toml").write_text(SETTINGS, encoding="utf-8")
    variables = {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0", "STREAMLIT_SERVER_ENABLE_CORS": "false"}
    environment = {**os.environ, **variables, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    with dashboard(environment, elsewhere / "log", elsewhere) as address:
        yield address


def status(address: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def handshake(address: str, **headers: str) -> int:
    """Open a websocket as a browser does; return the status of the answer."""
    host = address.removeprefix("http://")
    lines = {
        "Host": host,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "streamlit",
        **headers,
    }
    request = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", int(host.partition(":")[2])), 30) as connection:
        connection.sendall(f"GET /_stcore/stream HTTP/1.1\r\n{request}\r\n".encode())
        return int(connection.recv(100).split()[1])


def test_it_listens_on_this_machine_alone(served: str) -> None:
    port = int(served.rpartition(":")[2])
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    listening = {local.rpartition(":") for _, local, _, state, *_ in map(str.split, lines) if state == "0A"}
    found = {host for host, _, where in listening if int(where, 16) == port}
    assert found == {"0100007F"}  # 127.0.0.1 as the kernel writes it


def test_a_page_of_another_host_opens_no_websocket(served: str) -> None:
    assert handshake(served) == handshake(served, Origin=served) == 101
    for origin in ("http://evil.example", "http://127.0.0.1:1", "null"):
        assert handshake(served, Origin=origin) == 403
    assert handshake(served, Host="evil.example", Origin="http://evil.example") == 403


def test_a_name_that_points_here_is_no_way_in(served: str) -> None:
    assert status(served) == 200
    assert status(served, Host="evil.example") == status(f"{served}/_stcore/health", Host="evil.example") == 403


def test_no_other_page_may_steer_it(served: str) -> None:
    with urllib.request.urlopen(f"{served}/_stcore/host-config", timeout=30) as answer:
        said = answer.read().decode()
    assert re.findall(r"https?://[^\"]+", said) == ["http://127.0.0.1"]
    assert status(f"{served}/_stcore/agent/openapi.json") != 200 or "interact" not in said


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_0_when_it_is_told_to(how: signal.Signals) -> None:
    command = [sys.executable, "-m", "dashboard", "--port", str(free_port())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any("URL" in line for line in process.stdout)
        process.send_signal(how)
        assert process.wait(30) == 0


def test_a_port_that_is_taken_is_said_and_no_other_is_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "dashboard", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--port" in done.stderr and "Traceback" not in done.stderr
