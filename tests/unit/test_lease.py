from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from delivery.errors import DeliveryError
from delivery.registry.lease import CLAIMS, claimed
from delivery.registry.server import connect

SHORT = 3.0


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")
        return connect()


def waiting(client: MlflowClient) -> list[int]:
    return [int(version.version) for version in client.search_model_versions(f"name='{CLAIMS}'")]


def test_it_is_one_at_a_time_and_nothing_is_left(client: MlflowClient) -> None:
    inside, most, turns = 0, 0, []

    def work() -> None:
        nonlocal inside, most
        with claimed(client, patience=30) as claim:
            inside += 1
            most = max(most, inside)
            turns.append(claim.version)
            time.sleep(0.2)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1
    assert turns == sorted(set(turns))
    assert len(turns) == 4
    assert waiting(client) == []


def test_the_dead_are_passed_over(client: MlflowClient) -> None:
    dead = client.create_model_version(CLAIMS, "s3://no-artifacts/claim", tags={"beat": "0"})
    started = time.monotonic()
    with claimed(client, patience=SHORT) as claim:
        assert claim.version > int(dead.version)
        assert time.monotonic() - started > SHORT
    assert waiting(client) == []


def test_the_slow_are_waited_for(client: MlflowClient) -> None:
    with claimed(client, patience=SHORT) as claim:
        time.sleep(2 * SHORT)  # its beats keep it alive
        with pytest.raises(DeliveryError, match="another process has held"), claimed(client, patience=SHORT, limit=2):
            pass
        claim.check()
    assert waiting(client) == []


def test_who_was_taken_for_dead_writes_no_more(client: MlflowClient) -> None:
    with claimed(client, patience=30) as claim:
        claim.check()
        client.delete_model_version(CLAIMS, str(claim.version))
        with pytest.raises(DeliveryError, match="run it again"):
            claim.check()


def test_an_error_gives_the_claim_up(client: MlflowClient) -> None:
    with pytest.raises(ZeroDivisionError), claimed(client, patience=30):
        raise ZeroDivisionError
    assert waiting(client) == []


def test_the_registry_is_not_full_of_claims(client: MlflowClient, tmp_path: Path) -> None:
    assert [model.name for model in client.search_registered_models()] == [CLAIMS]
