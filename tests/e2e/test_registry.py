"""The registry against what a team would run: MLflow on Postgres, artifacts on S3, real processes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from delivery.registry.registry import CHALLENGER, CHAMPION, Entry, ledger, version_with_alias
from delivery.registry.server import MODEL
from delivery.revision.hashes import folder_md5
from tests.repository import LIGHT, Repository, clone, lend_environment
from tests.servers import Server, TrackingServer, running, team_tracking_server

pytestmark = pytest.mark.slow

NOTE = "Known asthma. Start aspirin 75 mg once daily."
GOOD = (*LIGHT, "train.crf.iterations=8")
WORSE = ("train.crf.iterations=1", "featurize.minimum_count=40")
ALIKE = ("train.seed=2",)
LENIENT = {
    "calibration_error": 1.0,
    "minimum_functionality": 0.0,
    "estimate": -0.02,
    "accepted_margin": 1.0,
    "rounds": 3,
    "round_seconds": 0.2,
    "throughput": 0.3,
}
"""Bounds for models that take seconds to train, on a machine that does other things."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    with team_tracking_server(tmp_path_factory.mktemp("team")) as started:
        yield started


@pytest.fixture(scope="module")
def repository(source: Repository, workshop: Path, server: TrackingServer) -> Repository:
    """Three commits, each with its graph: `main`, `worse`, and `alike`, which differs by its seed."""
    made = clone(source, workshop / "registered")
    made.fetch_seed()
    bounds = yaml.safe_load(made.text("delivery/registry/gate.yaml")) | LENIENT
    (made.root / "delivery/registry/gate.yaml").write_text(yaml.safe_dump(bounds), encoding="utf-8")
    for branch, settings in (("main", GOOD), ("worse", WORSE), ("alike", ALIKE)):
        if branch != "main":
            made.git("checkout", "--quiet", "-b", branch, "main")
        made.set_params(*settings)
        made.dvc("repro", timeout=600)
        made.commit(f"A graph: {branch}")
    made.git("checkout", "--quiet", "main")
    made.git("update-ref", "refs/remotes/origin/main", "main")  # as if the lenient bounds had been merged
    made.dvc("checkout", "--quiet")
    return made.settings(**server.environment())


@pytest.fixture(scope="module")
def client(server: TrackingServer) -> MlflowClient:
    return MlflowClient(server.uri, server.uri)


def versions(client: MlflowClient) -> dict[int, str]:
    """Return the commit of each version."""
    return {int(v.version): v.tags["git.sha"] for v in client.search_model_versions(f"name='{MODEL}'")}


def number(client: MlflowClient, alias: str) -> int | None:
    version = version_with_alias(client, alias)
    return None if version is None else int(version.version)


def another_commit(repository: Repository, message: str, branch: str = "main") -> str:
    """Commit nothing: another commit with the same model."""
    tree, parent = (repository.git("rev-parse", f"{branch}{suffix}").strip() for suffix in ("^{tree}", ""))
    return repository.git("commit-tree", tree, "-p", parent, "-m", message).strip()


def register(repository: Repository, revision: str) -> int:
    said = repository.python("-m", "delivery.register", "--rev", revision).out
    return int(said.split("version ")[1].split()[0])


@pytest.fixture(scope="module")
def champion(repository: Repository, client: MlflowClient) -> int:
    """The first version, registered and promoted."""
    version = register(repository, "main")
    assert number(client, CHALLENGER) == version
    said = repository.python("-m", "delivery.promote").out
    assert "no champion yet" in said
    return version


def test_from_the_first_champion_to_a_rollback(repository: Repository, client: MlflowClient, champion: int) -> None:
    assert number(client, CHAMPION) == champion
    assert number(client, CHALLENGER) is None

    worse = register(repository, "worse")
    refused = repository.python("-m", "delivery.promote", fails=True)
    assert refused.status == 1
    assert "refused  strict F1, all labels" in refused.out
    assert number(client, CHAMPION) == champion
    assert number(client, CHALLENGER) == worse

    alike = register(repository, "alike")
    said = repository.python("-m", "delivery.promote").out
    assert f"version {alike} of {MODEL} is champion" in said
    assert number(client, CHAMPION) == alike

    repository.python("-m", "delivery.rollback")
    assert number(client, CHAMPION) == champion
    assert "replaced no champion" in repository.python("-m", "delivery.rollback", fails=True).err
    assert "never champion" in repository.python("-m", "delivery.rollback", "--to", str(worse), fails=True).err

    entries = ledger(client)
    story = [(entry.event, entry.version, entry.previous) for entry in entries][-4:]
    assert story == [
        ("promoted", champion, None),
        ("refused", worse, champion),
        ("promoted", alike, champion),
        ("rolled back", champion, alike),
    ]
    assert "strict F1, all labels" in entries[-3].reasons
    _verdict_is_kept(client, entries[-3])


def _verdict_is_kept(client: MlflowClient, entry: Entry) -> None:
    version = client.get_model_version(MODEL, str(entry.version))
    assert f"ledger.{entry.number:06}" in version.tags
    kept = json.loads(_artifact(client, version.run_id, f"ledger/{entry.number:06}.json"))
    gates = {gate["name"]: gate for gate in kept["gates"]}
    assert gates["strict F1, all labels"]["status"] == "refused"
    assert gates["strict F1, all labels"]["numbers"]["high"] < 0
    assert gates["throughput"]["numbers"]["ratio"] > 0


def _artifact(client: MlflowClient, run_id: str, path: str) -> str:
    return Path(client.download_artifacts(run_id, path)).read_text(encoding="utf-8")


def test_a_version_has_its_card_and_no_clinical_text(
    repository: Repository, client: MlflowClient, champion: int
) -> None:
    version = client.get_model_version(MODEL, str(champion))
    card = _artifact(client, version.run_id, f"model_card/version-{champion}.md")
    f1 = repository.json("metrics/evaluation.json")["strict"]["micro"]
    for expected in ("Intended use", "Limits", f"{f1['f1']:.4f}", f"{f1['f1_low']:.4f}", version.tags["git.sha"]):
        assert expected in card
    assert f"{f1['f1']:.4f}" in version.description


def test_lineage_makes_the_same_bytes_again(
    repository: Repository, champion: int, source: Repository, workshop: Path
) -> None:
    found = json.loads(repository.python("-m", "delivery.lineage", str(champion), "--json").out)
    assert found["params"]["train.crf.iterations"] == 8
    assert found["verdicts"][0]["event"] == "promoted"
    fresh = clone(repository, workshop / "fresh" / "clone")
    folder = fresh.root.parent / found["commands"][0].split()[4].removeprefix("../")
    fresh.git(*found["commands"][0].split()[1:])
    lend_environment(Repository(folder))
    fresh.run("bash", "-euc", "\n".join(found["commands"][1:]), timeout=600)
    assert folder_md5(folder / "models") == found["md5"]["models"]


def test_registering_again_changes_nothing(repository: Repository, client: MlflowClient, champion: int) -> None:
    before = versions(client)
    assert register(repository, "main") == champion
    assert versions(client) == before


def test_a_commit_whose_results_are_out_of_date_is_refused(repository: Repository, client: MlflowClient) -> None:
    before = repository.text("params.yaml")
    repository.git("checkout", "--quiet", "--detach")
    repository.set_params("train.crf.iterations=9")
    repository.git("commit", "--quiet", "--all", "--message", "Forget to reproduce")
    stale = repository.git("rev-parse", "HEAD").strip()
    repository.git("checkout", "--quiet", "main")
    assert repository.text("params.yaml") == before
    refused = repository.python("-m", "delivery.register", "--rev", stale, fails=True)
    assert refused.status == 2
    assert "run `dvc repro`" in refused.err
    assert stale not in versions(client).values()


def in_parallel(repository: Repository, commands: Sequence[Sequence[str]]) -> list[int]:
    """Run commands at once as processes of their own; return their exit codes."""

    def run(command: Sequence[str]) -> int:
        return repository._result(("python", *command), 1800).status

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(run, commands))


def test_registrations_at_once_lose_and_double_nothing(
    repository: Repository, client: MlflowClient, champion: int
) -> None:
    one, two = (another_commit(repository, f"At once, {name}") for name in ("one", "two"))
    commands = [["-m", "delivery.register", "--rev", sha] for sha in (one, two, one)]
    assert in_parallel(repository, commands) == [0, 0, 0]
    registered = list(versions(client).values())
    assert (registered.count(one), registered.count(two)) == (1, 1)
    assert client.get_model_version_by_alias(MODEL, CHALLENGER).tags["git.sha"] in (one, two)


def test_promotions_at_once_end_in_one_champion_and_one_story(
    repository: Repository, client: MlflowClient, champion: int
) -> None:
    shas = [another_commit(repository, f"For promotion, {name}") for name in ("one", "two")]
    numbers = [register(repository, sha) for sha in shas]
    before = ledger(client)
    assert in_parallel(repository, [["-m", "delivery.promote", "--version", str(n)] for n in numbers]) == [0, 0]
    added = ledger(client)[len(before) :]
    assert [entry.number for entry in added] == [len(before) + 1, len(before) + 2]
    assert sorted(entry.version for entry in added) == numbers
    # The second was judged again, by the first.
    assert added[1].previous == added[0].version
    assert number(client, CHAMPION) == added[1].version


_DIES = """
import os, signal, sys
from mlflow import MlflowClient
method, when, victim = sys.argv[1], sys.argv[2], int(sys.argv[3])
real = getattr(MlflowClient, method)
def dying(self, name=None, *rest, **more):
    first = name == "behealthy-extractor" or method not in ("create_model_version", "set_registered_model_alias")
    if first and when == "before":
        os.killpg(victim, 9) if victim else os.kill(os.getpid(), 9)
    answer = real(self, name, *rest, **more)
    if first and when == "after":
        os.killpg(victim, 9) if victim else os.kill(os.getpid(), 9)
    return answer
setattr(MlflowClient, method, dying)
from delivery.register import main
sys.exit(main(["--rev", sys.argv[4]]))
"""


@pytest.mark.parametrize(
    ("method", "when", "whose"),
    [
        ("finalize_logged_model", "before", "client"),
        ("create_model_version", "after", "client"),
        ("log_model_artifacts", "before", "server"),
        ("set_registered_model_alias", "before", "server"),
    ],
)
def test_what_died_in_the_middle_is_mended_by_a_retry(
    repository: Repository,
    client: MlflowClient,
    champion: int,
    server: TrackingServer,
    method: str,
    when: str,
    whose: str,
) -> None:
    sha = another_commit(repository, f"{method} {when} {whose}")
    assert server.server.process is not None
    victim = server.server.process.pid if whose == "server" else 0
    challenger = number(client, CHALLENGER)
    died = repository.python("-c", _DIES, method, when, str(victim), sha, fails=True)
    if whose == "server":
        assert died.status == 2, died.text
        assert "again" in died.err
        server.crash()
        server.restart()
    assert number(client, CHALLENGER) == challenger  # nothing half-registered is offered
    version = register(repository, sha)
    assert list(versions(client).values()).count(sha) == 1
    assert number(client, CHALLENGER) == version


def test_a_version_whose_files_are_lost_gets_no_alias(
    repository: Repository, client: MlflowClient, champion: int, server: TrackingServer
) -> None:
    sha = another_commit(repository, "To be lost")
    lost = client.get_model_version(MODEL, str(register(repository, sha)))
    _lose(server, client.get_logged_model(lost.source.removeprefix("models:/")).artifact_location)
    before = number(client, CHAMPION)
    refused = repository.python("-m", "delivery.promote", "--version", lost.version, fails=True)
    assert f"the files of version {lost.version}" in refused.text
    assert number(client, CHAMPION) == before
    again = repository.python("-m", "delivery.register", "--rev", sha, fails=True)
    assert f"delete version {lost.version}" in again.err
    client.delete_model_version(MODEL, lost.version)
    assert register(repository, sha) > int(lost.version)


def _lose(server: TrackingServer, location: str) -> None:
    """Delete a file of a model behind the registry's back."""
    path = location.removeprefix("mlflow-artifacts:/")
    address = f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/{path}/artifacts/models/model.json"
    urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=60).close()


def test_the_champion_answers_over_http(
    repository: Repository, champion: int, server: TrackingServer, tmp_path: Path
) -> None:
    command = f"mlflow models serve --model-uri models:/{MODEL}@{CHAMPION} --env-manager local --host 127.0.0.1"
    settings = {**server.environment(), "HOME": str(tmp_path), "MLFLOW_DISABLE_TELEMETRY": "true"}
    served = Server([*command.split(), "--port", "{port}"], tmp_path / "log", settings)
    with running(served, patience=600):
        answer = _ask(served, {"inputs": [NOTE, ""]})
        first, second = answer["predictions"]
        assert [NOTE[m["start"] : m["end"]] for m in first["mentions"]] == ["asthma", "aspirin"]
        assert second["mentions"] == []
        assert _ask(served, {"dataframe_split": {"columns": ["text"], "data": [[NOTE], [""]]}}) == answer
        with pytest.raises(urllib.error.HTTPError) as refused:
            _ask(served, {"dataframe_split": {"columns": ["text"], "data": [[NOTE], [None]]}})
        assert refused.value.code == 400
        said = refused.value.read().decode()
        assert "note 1, counted from 0, is missing" in said
        assert "asthma" not in said + served.log.read_text()


def _ask(served: Server, content: Any) -> Any:
    request = urllib.request.Request(
        f"http://{served.address}/invocations",
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.loads(answer.read())
