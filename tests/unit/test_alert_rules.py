"""Alert rules: each is tried by promtool, each has a section of the runbook, and asks for what is really exposed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine

from production.metrics.collecting import Exporter
from stages.common.errors import BeHealthyError
from tests.operated import EPOCH, asked, exporter_text, exposed, grouped, service_text, text_of, worker_text
from tests.repository import ROOT
from tests.unit.test_named_places import anchors_of

FOLDER = ROOT / "ops/prometheus"
RULES = FOLDER / "behealthy.rules.yml"
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
RUNBOOK = ROOT / "docs/runbook.md"
LINK = re.compile(r"\{\{ \$externalLabels\.runbook \}\}#([a-z0-9-]+)")
OF_PROMETHEUS = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity"}}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus"
)


def load(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


@cache
def rules() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in load(RULES)["groups"] for rule in group["rules"]}


def promtool(*words: str, given: str | None = None) -> None:
    done = subprocess.run(
        ["promtool", *words], input=given, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---- what they are --------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", rules())
def test_an_alert_says_what_it_is_how_bad_and_where_to_read_on(alert: str) -> None:
    rule = rules()[alert]
    assert alert.startswith("BeHealthy")
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "{{" not in rule["annotations"]["summary"]
    match = LINK.fullmatch(rule["annotations"]["runbook_url"])
    assert match
    assert match[1] in anchors_of(RUNBOOK)


def sections() -> dict[str, set[str]]:
    """Return the sections of the runbook that name alerts, with the names."""
    named: dict[str, set[str]] = defaultdict(set)
    anchor = ""
    for line in RUNBOOK.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            anchor = re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        named[anchor] |= set(re.findall(r"\bBeHealthy[A-Z]\w+", line)) if line.startswith("Prometheus: ") else set()
    return {anchor: names for anchor, names in named.items() if names}


def test_alerts_and_sections_of_the_runbook_name_each_other() -> None:
    linked: dict[str, set[str]] = defaultdict(set)
    for alert, rule in rules().items():
        linked[LINK.fullmatch(rule["annotations"]["runbook_url"])[1]].add(alert)  # type: ignore[index]
    assert sections() == linked


@pytest.mark.parametrize("section", sections())
def test_a_section_says_what_it_means_what_to_do_and_when_it_is_over(section: str) -> None:
    parts = re.split(r"^## ", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    [text] = [one for one in parts if re.sub(r"[^\w\- ]", "", one.split("\n")[0].lower()).replace(" ", "-") == section]
    assert "**It means**" in text
    assert re.search(r"\*\*(Look at|Do)\b", text)
    assert "**Over when**" in text
    assert re.search(r"`(python -m|make|systemctl|promtool|curl|docker) ", text)


def test_rules_ask_for_what_is_exposed(quiet_hospital: tuple[Engine, datetime], tmp_path: Path) -> None:
    engine, now = quiet_hospital
    there = exposed(exporter_text(engine, now), service_text(), worker_text(tmp_path))
    labels = {*(label for one in there.values() for label in one), *OF_PROMETHEUS["up"]}
    for alert, rule in rules().items():
        for name, wanted in asked(rule["expr"]).items():
            assert name in there, f"{alert}: {name}"
            assert wanted <= there[name] | OF_PROMETHEUS["up"], f"{alert}: {name}"
        assert grouped(rule["expr"]) <= labels, alert


# ---- what they do ---------------------------------------------------------------------------------


def tried() -> dict[str, list[bool]]:
    """Return of each alert whether it fires, in each case of promtool's tests."""
    found: dict[str, list[bool]] = defaultdict(list)
    for path in TESTS:
        for test in load(path)["tests"]:
            for case in test["promql_expr_test"]:
                alert = re.search(r'alertname="(\w+)", alertstate="firing"', case["expr"])
                assert alert
                assert alert[1] == test["name"]
                found[alert[1]].append(bool(case.get("exp_samples")))
    return found


def test_each_alert_is_tried_where_it_fires_and_where_it_does_not() -> None:
    assert tried().keys() == rules().keys()
    assert not [alert for alert, cases in tried().items() if set(cases) != {True, False}]


@needs_promtool
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_promtool_tries_them(path: Path) -> None:
    promtool("test", "rules", str(path))


@needs_promtool
def test_configurations_are_valid() -> None:
    promtool("check", "config", "--syntax-only", *(str(FOLDER / name) for name in ("prometheus.yml", "compose.yml")))
    promtool("check", "rules", str(RULES))


@needs_promtool
def test_metrics_are_named_as_prometheus_wants_them(quiet_hospital: tuple[Engine, datetime], tmp_path: Path) -> None:
    engine, now = quiet_hospital
    for text in (exporter_text(engine, now), worker_text(tmp_path), service_text()):
        promtool("check", "metrics", given=text)


QUIET = {"up{job='behealthy-service', instance='service'}": 1.0}
FIRING = 'ALERTS{alertstate="firing"}'


def fire(folder: Path, text: str, now: datetime, firing: set[str], **changed: float) -> None:
    """Let promtool say which alerts fire when these figures have been told for a day."""
    series = {**QUIET, **samples_of(text), **changed}
    steps = int(now.timestamp() // (6 * 3600))
    case = {
        "eval_time": f"{6 * steps}h",
        "expr": f"count by (alertname) ({FIRING}) > bool 0",
        "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(firing)],
    }
    content = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "6h",
        "tests": [
            {
                "interval": "6h",
                "input_series": [
                    {"series": name, "values": f"_x{steps - 12} {value:.17g}x20"} for name, value in series.items()
                ],
                "promql_expr_test": [case],
            }
        ],
    }
    file = folder / "hospital.yml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    promtool("test", "rules", str(file))


def samples_of(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def told_at(engine: Engine, now: datetime) -> str:
    """Return what the exporter tells, without notes of the clock of this test: they arrived in another century."""
    lines = exporter_text(engine, now).splitlines()
    without = ("behealthy_oldest_waiting", "behealthy_quarantine_ratio")
    return "\n".join(line for line in lines if not line.startswith(without))


@needs_promtool
def test_a_hospital_that_is_well_is_quiet(quiet_hospital: tuple[Engine, datetime], tmp_path: Path) -> None:
    engine, end = quiet_hospital
    now = end + timedelta(days=2)
    fire(tmp_path, told_at(engine, now), now, set())


@needs_promtool
def test_a_watch_that_has_died_does_not_look_like_no_drift(
    quiet_hospital: tuple[Engine, datetime], tmp_path: Path
) -> None:
    """The decisions are as they were, and as quiet; only the clock moves on."""
    engine, end = quiet_hospital
    now = end + timedelta(days=12)
    fire(tmp_path, told_at(engine, now), now, {"BeHealthyDecisionsStopped", "BeHealthyWindowsOverdue"})


@needs_promtool
def test_a_file_that_nobody_writes_any_more_does_not_look_like_no_drift(
    quiet_hospital: tuple[Engine, datetime], tmp_path: Path
) -> None:
    """The file is the one of the day on which its writer died."""
    engine, end = quiet_hospital
    now = end + timedelta(days=12)
    file = told_at(engine, end + timedelta(days=1))
    fire(tmp_path, file, now, {"BeHealthyDecisionsStopped", "BeHealthyFiguresOld"})


@needs_promtool
def test_a_database_that_is_gone_does_not_look_like_no_drift(tmp_path: Path) -> None:
    def gone() -> Any:
        raise BeHealthyError("there is no database")

    now = EPOCH + timedelta(days=40)
    text = text_of(Exporter(gone, lambda: now, 0).registry())
    fire(tmp_path, text, now, {"BeHealthyDecisionsStopped", "BeHealthyNoChampion", "BeHealthyCollectFailed"})
