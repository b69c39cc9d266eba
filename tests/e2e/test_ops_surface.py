"""The operator's surface with a real Prometheus: exporter, service and worker are scraped, the dead man's switch fires.

Of the files in ops/prometheus nothing is changed but addresses, and the time between scrapes and until an alert fires.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.common.variables import DATABASE, LOG_KEY, TOKEN
from tests.operated import WEEKS, exposed, operated
from tests.production import KEY, empty, sqlite_url
from tests.repository import ROOT
from tests.served import WEEK
from tests.servers import Server, free_port, running
from tests.unit.test_grafana import check, expressions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus: apt-get install prometheus"),
]
needs_model = pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro")

PATIENCE = 120.0
OPS = ROOT / "ops/prometheus"
DEAD = timedelta(days=12)
"""Since the watch judged its last window."""


@contextmanager
def command(log: Path, said: str, *words: str, **environment: str) -> Iterator[str]:
    """Run a command of the project until the end of the block, which gets what it says of its address."""
    settings = {name: value for name, value in os.environ.items() if name != TOKEN} | environment
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=settings, stdout=output, stderr=output)
    try:
        yield until(lambda: re.search(said, log.read_text()), log, process)[1]
    finally:
        process.terminate()
        assert process.wait(60) in (0, 1), log.read_text()  # 1: a worker whose notes are in quarantine


def until(found: Callable[[], Any], log: Path, process: subprocess.Popen[bytes] | None = None) -> Any:
    """Return what is found at last."""
    limit = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < limit, log.read_text()[-3000:]
        assert process is None or process.poll() is None, log.read_text()[-3000:]
        time.sleep(0.1)
    return value


def exporter(folder: Path, port: str = "0") -> Any:
    said = r"http://(127\.0\.0\.1:\d+)/metrics"
    words = ("production.metrics", "serve", "--port", port)
    return command(folder / "exporter.txt", said, *words, **{DATABASE: sqlite_url(folder)})


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, str]) -> Iterator[Server]:
    """Run Prometheus with the project's files, and others' addresses and no patience."""
    config = yaml.safe_load((OPS / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    known = {job["job_name"]: job for job in config["scrape_configs"]}
    jobs = {"behealthy-worker": {"job_name": "behealthy-worker"}, **known}  # the worker is in a comment there
    config["scrape_configs"] = [
        jobs[name] | {"static_configs": [{"targets": [target]}]} for name, target in targets.items()
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    rules = (OPS / "behealthy.rules.yml").read_text()
    (folder / "behealthy.rules.yml").write_text(re.sub(r"(\bfor:) \w+", r"\1 1s", rules))
    words = [
        "prometheus", "--config.file=prometheus.yml", "--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.path=tsdb",
    ]  # fmt: skip
    log = folder / "prometheus.txt"
    with running(Server(words, log)) as server:
        until(lambda: is_ready(server), log)
        yield server


def is_ready(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"http://{server.address}/-/ready", timeout=10):
            return True
    except urllib.error.HTTPError:  # it answers, and reads what it has
        return False


def asked(server: Server, path: str, **query: str) -> Any:
    url = f"http://{server.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        content = json.load(answer)
    assert content["status"] == "success"
    return content["data"]


def firing(server: Server) -> dict[str, Any]:
    alerts = asked(server, "alerts")["alerts"]
    return {alert["labels"]["alertname"]: alert for alert in alerts if alert["state"] == "firing"}


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """A folder with the database of a hospital whose watch has died, quiet as it was until then."""
    engine = empty(sqlite_url(tmp_path))
    operated(engine, tmp_path, monday=datetime.now(UTC) - DEAD - WEEKS * WEEK, drift=0.0)
    engine.dispose()
    return tmp_path


def test_a_watch_that_has_died_calls_somebody(dead: Path) -> None:
    with exporter(dead) as address, prometheus(dead, {"behealthy-exporter": address}) as server:
        log = dead / "prometheus.txt"
        alert = until(lambda: firing(server).get("BeHealthyDecisionsStopped"), log)
        assert alert["labels"]["severity"] == "critical"
        assert alert["annotations"]["runbook_url"] == "docs/runbook.md#decisions-have-stopped"
        others = {"BeHealthyRedevelop", "BeHealthyDecisionUnknown", "BeHealthyNotesChanged"}
        assert not others & firing(server).keys()  # the last decision is as quiet as it was
        rules = [rule for group in asked(server, "rules")["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}, rules


def test_an_exporter_that_has_died_calls_somebody_until_it_is_back(dead: Path) -> None:
    port = str(free_port())
    log = dead / "prometheus.txt"
    with prometheus(dead, {"behealthy-exporter": f"127.0.0.1:{port}"}) as server:
        until(lambda: "BeHealthyExporterDown" in firing(server), log)
        with exporter(dead, port):
            until(lambda: "BeHealthyExporterDown" not in firing(server), log)
        until(lambda: {"BeHealthyExporterDown", "BeHealthyDecisionsStopped"} <= firing(server).keys(), log)


@needs_model
def test_the_dashboard_asks_for_what_processes_really_expose(dead: Path) -> None:
    other = dead / "worker"
    empty(sqlite_url(other)).dispose()
    work = {DATABASE: sqlite_url(other), LOG_KEY: KEY}
    notes = other / "notes.jsonl"
    told = [{"id": "1", "text": "Known asthma. Start aspirin 75 mg."}, {"id": "2", "text": "x" * 400_000}]
    notes.write_text("".join(f"{json.dumps(note)}\n" for note in told))
    adding = [sys.executable, "-m", "production.notes", "add", str(notes), "--source", "ward"]
    subprocess.run(adding, cwd=ROOT, env={**os.environ, **work}, check=True, capture_output=True)
    worker = ("production.infer", "--watch", "--model", "models", "--metrics", str(free_port()))
    serve = ("production.serve", "--model", "models", "--port", "0", "--workers", "1", "--log", str(dead / "log"))
    with (
        exporter(dead) as one,
        command(dead / "serve.txt", r"on http://(127\.0\.0\.1:\d+)", *serve, **{LOG_KEY: KEY}) as two,
        command(dead / "infer.txt", r"metrics on http://(127\.0\.0\.1:\d+)/metrics", *worker, **work) as three,
    ):
        addresses = {"behealthy-exporter": one, "behealthy-service": two, "behealthy-worker": three}
        until(lambda: "behealthy_ready 1.0" in scraped(two), dead / "serve.txt")
        request = urllib.request.Request(
            f"http://{two}/analyze",
            json.dumps({"text": told[0]["text"]}).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=60).close()
        urllib.request.urlopen(urllib.request.Request(f"http://{two}/health"), timeout=60).close()
        until(lambda: "behealthy_notes_quarantined_total{" in scraped(three), dead / "infer.txt")
        texts = [scraped(address) for address in addresses.values()]
        assert not any("asthma" in text or "aspirin" in text for text in texts)
        there = exposed(*texts)
        there.setdefault("behealthy_rejected_total", set()).add("reason")  # nothing was turned away
        check(there)
        with prometheus(dead, addresses) as server:
            log = dead / "prometheus.txt"
            until(lambda: len(asked(server, "query", query="up == 1")["result"]) == len(addresses), log)
            until(lambda: "BeHealthyDecisionsStopped" in firing(server), log)
            until(lambda: not empty_panels(server), log)


def empty_panels(server: Server) -> set[str]:
    """Return the panels of which no expression has a value; a legend that nothing was counted for may be missing."""
    shown = {title for title, expression, _ in expressions() if answered(server, expression)}
    return {title for title, _, _ in expressions()} - shown


def scraped(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def answered(server: Server, expression: str) -> bool:
    return bool(asked(server, "query", query=expression)["result"])
