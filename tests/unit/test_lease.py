from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from delivery.errors import DeliveryError
from delivery.registry.lease import CLAIMS, Lease, claimed
from delivery.registry.server import connect

SHORT = 3.0


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")
        return connect()


def waiting(client: MlflowClient) -> list[str]:
    experiment = client.get_experiment_by_name(CLAIMS)
    return [run.info.run_id for run in client.search_runs([experiment.experiment_id])] if experiment else []


def test_it_is_one_at_a_time_and_nothing_is_left(client: MlflowClient) -> None:
    inside, most, turns = 0, 0, []

    def work() -> None:
        nonlocal inside, most
        with claimed(client, patience=30) as claim:
            inside += 1
            most = max(most, inside)
            turns.append(claim.run_id)
            time.sleep(0.2)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1
    assert len(set(turns)) == 4
    assert waiting(client) == []


def test_the_dead_are_passed_over(client: MlflowClient) -> None:
    with claimed(client) as claim:
        lease = claim.lease
    dead = replace(lease, claimant="a process that died").claim()
    started = time.monotonic()
    with claimed(client, patience=SHORT) as claim:
        assert waiting(client) == [claim.run_id] != [dead]
        assert time.monotonic() - started > SHORT
    assert waiting(client) == []


def test_the_slow_are_waited_for(client: MlflowClient) -> None:
    with claimed(client, patience=SHORT) as claim:
        time.sleep(2 * SHORT)  # its beats keep it alive
        with (
            pytest.raises(DeliveryError, match="another process has been writing to the registry for 2 s"),
            claimed(client, patience=SHORT, limit=2),
        ):
            pass
        claim.check()
    assert waiting(client) == []


def test_who_was_taken_for_dead_writes_no_more(client: MlflowClient) -> None:
    with claimed(client, patience=30) as claim:
        claim.check()
        client.delete_run(claim.run_id)
        with pytest.raises(DeliveryError, match="run it again"):
            claim.check()


def test_an_error_gives_the_claim_up(client: MlflowClient) -> None:
    with pytest.raises(ZeroDivisionError), claimed(client, patience=30):
        raise ZeroDivisionError
    assert waiting(client) == []


def test_no_claim_is_among_the_models_or_the_runs_of_commits(client: MlflowClient) -> None:
    with claimed(client):
        assert client.search_registered_models() == []
        assert {experiment.name for experiment in client.search_experiments()} == {"Default", CLAIMS}


def test_who_is_killed_while_it_waits_leaves_no_claim(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with claimed(client) as holder:
        rival = replace(holder.lease, claimant="another")

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        looks = iter([lambda: [], interrupted])
        monkeypatch.setattr(Lease, "runs", lambda _: next(looks)())
        with pytest.raises(KeyboardInterrupt):
            rival.wait_for_turn()
        monkeypatch.undo()
        assert waiting(client) == [holder.run_id]
