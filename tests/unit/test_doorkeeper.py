"""Who may speak to the dashboard: its own pages under its own names, and programs of this machine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from streamlit.config import get_config_options

from dashboard.__main__ import parse
from dashboard.doorkeeper import Doorkeeper, Message, refused
from dashboard.serving import options

HERE = "127.0.0.1:8501"
NAME = "notes.hospital.example"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (HERE, None),
        (HERE, f"http://{HERE}"),
        ("localhost:8501", "http://localhost:8501"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),  # a tunnel
        (NAME, f"https://{NAME}"),
        (NAME, f"https://{NAME}:8443"),  # nginx's $host has no port
        (f"{NAME}:8443", f"https://{NAME}:8443"),
    ],
)
def test_own_pages_and_programs_are_let_in(host: str, origin: str | None) -> None:
    assert refused([host], [origin] if origin else [], [NAME]) is None


@pytest.mark.parametrize(
    ("hosts", "origins"),
    [
        ([HERE], ["http://evil.example"]),
        ([HERE], ["http://127.0.0.1:9999"]),  # what another user of this machine serves
        ([HERE], ["http://localhost:8501"]),
        ([HERE], ["null"]),
        ([HERE], ["file://127.0.0.1:8501"]),
        ([HERE], [f"https://{NAME}"]),
        ([HERE], [f"http://{HERE}", "http://evil.example"]),
        ([HERE], [f"http://{HERE}@evil.example"]),
        (["evil.example:8501"], ["http://evil.example:8501"]),  # its name points here: DNS rebinding
        (["evil.example"], []),
        (["127.0.0.1.evil.example:8501"], []),
        ([f"{HERE}@evil.example"], []),
        ([NAME], [f"https://evil.{NAME}"]),
        ([HERE, "evil.example"], []),
        ([""], []),
        (["[::1"], []),
        ([], []),
    ],
)
def test_whatever_else_a_browser_shows_is_refused(hosts: list[str], origins: list[str]) -> None:
    assert refused(hosts, origins, [NAME])


def test_a_name_is_no_name_of_it_until_it_is_said_so() -> None:
    why = refused([NAME], [])
    assert why and "--behind" in why


def answered(kind: str, *headers: tuple[bytes, bytes]) -> tuple[list[Message], list[Message]]:
    """What is sent, and what the application was given."""
    sent: list[Message] = []
    passed: list[Message] = []

    async def application(scope: Message, _: Any, send: Any) -> None:
        passed.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Doorkeeper(application)({"type": kind, "headers": list(headers)}, receive, send))
    return sent, passed


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_what_is_refused_does_not_reach_the_pages(kind: str) -> None:
    sent, passed = answered(kind, (b"host", HERE.encode()), (b"origin", b"http://evil.example"))
    assert not passed
    assert sent[0]["type"] == {"http": "http.response.start", "websocket": "websocket.close"}[kind]
    assert sent[0].get("status", 403) == 403


def test_pages_load_nothing_from_elsewhere_and_stand_in_no_other_page() -> None:
    sent, passed = answered("http", (b"Host", HERE.encode()), (b"Origin", f"http://{HERE}".encode()))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert [name for name, _ in passed[0]["headers"]] == [b"Host"]


@pytest.mark.parametrize(
    "given",
    [["--behind", "*"], ["--behind", "https://notes.example"], ["--port", "0"], ["--address", "0.0.0.0"]],
)
def test_no_argument_opens_it_further(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(given)
    assert ended.value.code == 2
    assert given[0] in capsys.readouterr().err


def test_streamlit_knows_every_option_that_it_is_given() -> None:
    """It refuses to start otherwise; a theme's options stand a section deeper than others."""
    given = options(8501, ["notes.example.org"])
    assert set(given) <= set(get_config_options())
    assert {"server.address", "theme.dark.headingFontSizes"} <= set(given)
    assert given["server.allowedHosts"][-1] == "notes.example.org"
