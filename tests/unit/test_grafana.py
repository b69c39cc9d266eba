"""The dashboard of Grafana: what it asks for is exposed, and Grafana takes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine

from tests.operated import asked, exporter_text, exposed, grouped, service_text, worker_text
from tests.repository import ROOT

FILE = ROOT / "ops/grafana/behealthy.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
OF_SCRAPES = {"job", "instance"}
UNITS = {"short", "s", "percentunit", "cps", "reqps"}


def expressions() -> Iterator[tuple[str, str, str]]:
    """Yield title, expression and legend of everything that is shown."""
    for panel in SHOWN:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def test_what_is_asked_for_is_exposed(quiet_hospital: tuple[Engine, datetime], tmp_path: Path) -> None:
    engine, now = quiet_hospital
    check(exposed(exporter_text(engine, now), service_text(), worker_text(tmp_path)))


def check(there: dict[str, set[str]]) -> None:
    """Make sure that every name, and every label that is selected, grouped by or shown, is exposed."""
    for title, expression, legend in expressions():
        wanted = asked(expression)
        assert wanted or "ALERTS" in expression, title
        labels = {label for name in wanted for label in there.get(name, ())} | OF_SCRAPES
        for name, selected in wanted.items():
            assert name in there, f"{title}: {name}"
            assert selected <= there[name] | OF_SCRAPES, f"{title}: {name}"
        by = grouped(expression)
        assert by <= labels, title
        shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
        assert shown <= (by if " by (" in expression else labels), title


def test_all_that_the_exporter_tells_is_on_a_page_or_in_an_alert(quiet_hospital: tuple[Engine, datetime]) -> None:
    rules = (ROOT / "ops/prometheus/behealthy.rules.yml").read_text(encoding="utf-8")
    used = set().union(*(asked(expression) for _, expression, _ in expressions())) | set(asked(rules))
    told = exposed(exporter_text(*quiet_hospital)).keys()
    spare = {"behealthy_last_decision_timestamp_seconds", "behealthy_review_planned_until_timestamp_seconds"}
    assert told - used == spare


def test_rows_are_the_operators_questions() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]
    assert rows == ["Today", "Queue", "Drift", "Quality", "Service", "Alerts"]


def test_it_is_a_dashboard_of_a_schema_that_grafana_reads() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["uid"] == "behealthy"
    assert "id" not in DASHBOARD  # Grafana gives it
    [variable] = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)


def test_panels_take_the_data_of_the_variable_and_say_what_they_are() -> None:
    for panel in SHOWN:
        assert panel["type"] in ("stat", "timeseries", "state-timeline", "table"), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
    titles = [panel["title"] for panel in SHOWN]
    assert len(set(titles)) == len(titles)


def test_units_are_those_of_the_metrics() -> None:
    for panel in SHOWN:
        unit = panel["fieldConfig"]["defaults"]["unit"]
        names = [name for target in panel["targets"] for name in asked(target["expr"])]
        if names and all(name.endswith("_ratio") for name in names):
            assert unit == "percentunit", panel["title"]
        if names and all(re.search("_seconds(_bucket)?$", name) for name in names):
            assert unit == "s", panel["title"]


def test_no_panel_lies_on_another_or_beyond_the_page() -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in PANELS]
    for title, place in places:
        assert place["x"] >= 0 <= place["y"], title
        assert place["x"] + place["w"] <= 24, title
        assert place["w"] > 0 < place["h"], title
    for (one, a), (other, b) in combinations(places, 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], f"{one} lies on {other}"


def test_what_is_provisioned_is_where_compose_puts_it() -> None:
    services = yaml.safe_load((ROOT / "ops/compose.yaml").read_text(encoding="utf-8"))["services"]
    mounts = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"] if mount.startswith("./"))
    assert all((ROOT / "ops" / source).exists() for source in mounts)
    folder = ROOT / "ops/grafana/provisioning"
    [provider] = yaml.safe_load((folder / "dashboards/behealthy.yaml").read_text())["providers"]
    assert mounts["./grafana/behealthy.json"] == f"{provider['options']['path']}/behealthy.json"
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    [source] = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == mounts["./grafana/behealthy.json"]
