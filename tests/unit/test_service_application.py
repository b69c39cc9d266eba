"""The routes of the service, in front of processes that are none: what is refused, and in which words."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from production.inference.host import HostError
from production.service import pool
from production.service.application import build_application
from production.service.measures import Measures
from production.service.params import ServiceParams
from production.service.served import Served
from tests.hosts import Host, exchanging

PARAMS = ServiceParams(
    note_bytes=100, request_bytes=1000, request_notes=3, note_seconds=1.0, request_seconds=60, waiting=2
)


@pytest.fixture(autouse=True)
def _hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "made", [], raising=False)
    monkeypatch.setattr(pool, "ModelHost", Host)


def asked(method: str, path: str, body: Any = None, measures: Measures | None = None) -> httpx.Response:
    async def work(served: Served) -> httpx.Response:
        transport = httpx.ASGITransport(build_application(served, PARAMS, measures or Measures()))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            if isinstance(body, str):
                return await client.request(method, path, content=body, headers={"content-type": "application/json"})
            return await client.request(method, path, json=body)

    answer: httpx.Response = exchanging(work)[0]
    return answer


@pytest.mark.parametrize(
    "path_and_body",
    [
        lambda number: ("/api/process_bulk", {"content": [{"text": "gout"}] * number}),
        lambda number: ("/invocations", {"inputs": ["gout"] * number}),
        lambda number: ("/invocations", {"dataframe_records": [{"text": "gout"}] * number}),
    ],
    ids=["bulk", "inputs", "records"],
)
def test_a_request_has_so_many_notes_and_no_more(path_and_body: Any) -> None:
    assert asked("POST", *path_and_body(3)).status_code == 200
    refused = asked("POST", *path_and_body(4))
    assert (refused.status_code, refused.json()) == (413, {"error": "a request may have 3 notes: send fewer at a time"})


def test_a_second_application_in_a_process_guards_anew_and_not_twice() -> None:
    for _ in range(3):
        assert asked("POST", "/invocations", {"inputs": ["gout"]}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/analyze", {"text": "gout"}),
        ("/api/process_bulk", {"content": [{"text": "gout"}]}),
        ("/invocations", {"inputs": ["gout"]}),
    ],
)
def test_what_waits_when_no_process_is_left_is_told_to_try_again(
    path: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Host) -> None:
        raise HostError("no model")

    async def work(served: Served) -> httpx.Response:
        transport = httpx.ASGITransport(build_application(served, PARAMS, Measures()))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client, asyncio.timeout(10):
            dying = [asyncio.create_task(served.extract(["sleep 0.3", "kill"])) for _ in range(2)]
            await asyncio.sleep(0.1)
            monkeypatch.setattr(Host, "start", failing)
            answer = await client.post(path, json=body)
            await asyncio.gather(*dying)
            return answer

    answer = exchanging(work)[0]
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert list(answer.json()) == ["error"]


REFUSALS = [
    ("POST", "/analyze", {"text": "gout"}, 200, None),
    ("POST", "/analyze", {"text": 1961}, 400, "malformed"),
    ("POST", "/analyze", {"text": "gout", "entities": ["PERSON"]}, 400, "no_label"),
    ("POST", "/analyze", {"text": "x" * 101}, 413, "too_large"),
    ("POST", "/analyze", {"text": "x" * 1001}, 413, "too_large"),
    ("POST", "/analyze", {"text": "kill"}, 500, "note_failed"),
    ("POST", "/analyze", {"text": "slow"}, 422, "note_failed"),
    ("POST", "/api/process_bulk", {"content": [{"text": "gout"}] * 4}, 413, "too_large"),
    ("POST", "/api/process_bulk", {"content": 5}, 400, "malformed"),
    ("POST", "/api/process_bulk", {"content": [{"text": "kill"}]}, 200, None),
    ("POST", "/invocations", {"inputs": ["gout"] * 4}, 413, "too_large"),
    ("POST", "/invocations", {"inputs": [1961]}, 400, "malformed"),
    ("POST", "/invocations", {"inputs": ["kill"]}, 500, "note_failed"),
    ("GET", "/analyze", None, 405, "method"),
    ("GET", "/nothing", None, 404, "no_path"),
    ("GET", "/ready", None, 200, None),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "reason"), REFUSALS)
def test_what_is_refused_is_counted_once_by_its_reason(
    method: str, path: str, body: Any, status: int, reason: str | None
) -> None:
    measures = Measures()
    assert asked(method, path, body, measures).status_code == status
    counted = [line for line in measures.text().decode().splitlines() if line.startswith("behealthy_rejected_total")]
    assert counted == ([] if reason is None else [f'behealthy_rejected_total{{reason="{reason}"}} 1.0'])


def test_a_probe_that_is_told_no_is_not_turned_away() -> None:
    measures = Measures()

    async def work(served: Served) -> httpx.Response:
        transport = httpx.ASGITransport(build_application(served, PARAMS, measures))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            served.stop()
            return await client.get("/ready")

    assert exchanging(work)[0].status_code == 503
    assert b"behealthy_rejected_total{" not in measures.text()


@pytest.mark.parametrize("text", [None, 1961, ["Gout in 1961"], {"note": "Gout in 1961"}, True, "Gout in 1961\ud83d"])
def test_what_is_no_text_among_notes_fails_alone(text: Any) -> None:
    content = [{"text": "gout"}, {"text": text, "footer": {"row": 7}}, {"text": "walk"}]
    answer = asked("POST", "/api/process_bulk", json.dumps({"content": content}))
    first, failed, third = answer.json()["result"]
    assert (answer.status_code, first["success"], third["success"]) == (200, True, True)
    assert ([one["source_value"] for one in first["annotations"]], third["annotations"]) == (["gout"], [])
    assert (failed["success"], failed["annotations"], failed["text"], failed["footer"]) == (False, [], "", {"row": 7})
    (problem,) = failed["errors"]
    assert "Gout" not in answer.text and "1961" not in problem


def test_items_that_are_no_notes_fail_alone_too() -> None:
    answer = asked("POST", "/api/process_bulk", {"content": [None, {}, {"text": "gout"}]})
    assert [one["success"] for one in answer.json()["result"]] == [False, False, True]
    assert asked("POST", "/api/process_bulk", {"content": [None]}).json()["result"][0]["errors"] == ["there is no text"]
    too_long = asked("POST", "/api/process_bulk", {"content": [None, {"text": "x" * 101}]})
    assert (too_long.status_code, "note 1, counted from 0" in too_long.json()["error"]) == (413, True)


def test_a_label_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    assert asked("POST", "/analyze", {"text": "gout", "entities": ["Disease"]}).status_code == 200
    for entities in (["PERSON"], ["Disease", "PERSON"]):
        refused = asked("POST", "/analyze", {"text": "gout", "entities": entities})
        assert (refused.status_code, refused.json()) == (400, {"error": "entities: this model has the labels Disease"})


@pytest.mark.parametrize("path", ["/health", "/ready", "/ping"])
def test_probes_may_ask_for_the_head_alone(path: str) -> None:
    assert asked("HEAD", path).status_code == asked("GET", path).status_code == 200


def test_the_documentation_names_the_labels() -> None:
    documented = asked("GET", "/openapi.json").json()["components"]["schemas"]["Analyze"]["properties"]["entities"]
    assert documented["anyOf"][0]["items"]["enum"] == ["Disease"]


def test_metrics_say_whether_the_model_can_be_asked() -> None:
    measures, ready = Measures(), [False]
    measures.watch_ready(lambda: ready[0])
    assert b"\nbehealthy_ready 0.0" in measures.text()
    ready[0] = True
    assert b"\nbehealthy_ready 1.0" in measures.text()
