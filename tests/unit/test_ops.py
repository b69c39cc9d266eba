"""The image and the composition, which no test can start: they are what they say, and run what is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
import yaml

from production.database.engine import FILE
from tests.repository import ROOT

OPS = ROOT / "ops"
COMPOSE = yaml.safe_load((OPS / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = [name for name, service in SERVICES.items() if service["image"] == "behealthy"]
SECRET = re.compile(r"TOKEN|PASSWORD|SECRET|KEY")


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with what follows them."""
    text = (OPS / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], " ".join(line.split(None, 1)[1].split())) for line in lines]


def last_stage() -> list[tuple[str, str]]:
    steps = instructions()
    return steps[max(place for place, (name, _) in enumerate(steps) if name == "FROM") :]


def commands() -> Iterator[list[str]]:
    """Yield each command that is an argument list."""
    yield from (SERVICES[name]["command"] for name in OWN)
    yield json.loads(next(said for name, said in last_stage() if name == "CMD"))


def test_the_services_are_there() -> None:
    assert set(SERVICES) == {
        "postgres", "s3", "mlflow", "database", "service", "worker", "exporter", "prometheus", "grafana",
    }  # fmt: skip


@pytest.mark.parametrize("command", [command for command in commands() if command[0] == "python"], ids=str)
def test_what_is_run_is_a_command_of_this_project(command: list[str]) -> None:
    assert command[1] == "-m"
    spec = find_spec(command[2])
    assert spec is not None
    if spec.submodule_search_locations:
        assert find_spec(f"{command[2]}.__main__") is not None


def test_serve_takes_the_options_that_it_is_given() -> None:
    from production.serve import parse

    for command in commands():
        if "production.serve" in command:
            assert parse(command[3:]).model == "models:/behealthy-extractor@champion"


def test_ports_are_those_of_the_loopback() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 7
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if SECRET.search(name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
    text = (OPS / "compose.yaml").read_text(encoding="utf-8")
    assert all(password.startswith("${") for password in re.findall(r"://\w+:(.*?)@", text))


@pytest.mark.parametrize("name", OWN)
def test_own_containers_write_nothing_and_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]


def test_the_exporter_is_a_command_of_its_own_that_asks_for_a_token() -> None:
    from production.metrics.__main__ import parse

    exporter = SERVICES["exporter"]
    assert parse(exporter["command"][3:]).host == "0.0.0.0"
    assert "BEHEALTHY_TOKEN" in exporter["environment"]


def test_prometheus_asks_whom_there_is_with_the_token() -> None:
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["prometheus"]["volumes"] if mount.startswith("./"))
    [(folder, place)] = mounts.items()
    [option] = [word for word in SERVICES["prometheus"]["command"] if word.startswith("--config.file=")]
    config = yaml.safe_load((OPS / folder / option.removeprefix(f"--config.file={place}/")).read_text())
    targets = {target for job in config["scrape_configs"] for one in job["static_configs"] for target in one["targets"]}
    assert targets == {"service:5001", "exporter:9464"}
    assert targets <= {f"{name}:{port.split(':')[2]}" for name in OWN for port in SERVICES[name].get("ports", [])}
    [secret] = SERVICES["prometheus"]["secrets"]
    assert COMPOSE["secrets"][secret] == {"environment": "BEHEALTHY_TOKEN"}
    files = {job["authorization"]["credentials_file"] for job in config["scrape_configs"]}
    assert files == {f"/run/secrets/{secret}"}


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service["image"] != "behealthy"])
def test_images_of_others_are_of_a_version(name: str) -> None:
    assert re.search(r":v?\d+[\w.-]*$", SERVICES[name]["image"])


def test_prometheus_and_grafana_may_do_little_and_tell_nobody() -> None:
    for name in ("prometheus", "grafana"):
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
        assert all(mount.endswith(":ro") for mount in SERVICES[name]["volumes"] if mount.startswith("./"))
    told = SERVICES["grafana"]["environment"]
    assert {told[f"GF_ANALYTICS_{what}"] for what in ("REPORTING_ENABLED", "CHECK_FOR_UPDATES")} == {"false"}


def test_every_dependency_can_be_waited_for() -> None:
    for service in SERVICES.values():
        for other, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "test" in SERVICES[other]["healthcheck"]


def test_the_image_is_built_in_stages_and_runs_as_nobody_in_particular() -> None:
    names = [name for name, _ in instructions()]
    assert names.count("FROM") == 2
    last = dict(last_stage())
    assert not last["USER"].startswith(("root", "0"))
    assert "/ready" in last["HEALTHCHECK"]
    assert "BEHEALTHY_KERNELS" in last["ENV"]


def test_kernels_are_compiled_for_every_processor_and_readable_by_others() -> None:
    run = next(said for name, said in instructions() if name == "RUN" and "production.compile" in said)
    assert "chmod -R a+rX /opt/kernels" in run
    for name, said in instructions():
        if name == "ENV":
            assert "NUMBA_CPU_NAME=generic" in said


def test_what_is_copied_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (OPS / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {said.split()[0] for name, said in instructions() if name == "COPY" and not said.startswith("--from")}
    assert copied == allowed
    assert all((ROOT / path).exists() for path in copied)


def test_what_is_kept_is_in_volumes_that_the_user_of_the_image_may_write() -> None:
    made = next(said for name, said in last_stage() if name == "RUN" and said.startswith("install"))
    user = dict(last_stage())["USER"].split(":")[0]
    assert f"--owner={user}" in made
    mounts = {name: [mount.split(":")[1] for mount in SERVICES[name]["volumes"]] for name in ("service", "worker")}
    assert mounts == {"service": ["/serving-log"], "worker": [f"/app/{FILE.parent}"]}
    assert all(mount in made.split() for mounted in mounts.values() for mount in mounted)
    assert SERVICES["service"]["command"][-2:] == ["--log", *mounts["service"]]
    assert len({SERVICES[name]["environment"]["BEHEALTHY_LOG_KEY"] for name in mounts}) == 1
