"""One finished run for a commit, whatever happens on the way: on MLflow's own store, in real threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from delivery.registry import drafts
from delivery.registry.drafts import Drafts, claimant_of, is_claim, is_complete
from delivery.registry.lease import Pace

QUICK = Pace(beat=0.1, silence=1.5, look=0.05)
STEADY = Pace(beat=0.5, silence=1.5, look=0.05)  # several looks between two beats


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    folder = tmp_path_factory.mktemp("mlflow")
    made = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    made.create_experiment("tests", (folder / "artifacts").as_uri())
    return made


@pytest.fixture
def sha() -> str:
    return uuid4().hex


def drafts_of(client: MlflowClient, sha: str, claimant: str = "here", pace: Pace = QUICK) -> Drafts:
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    return Drafts(client, experiment.experiment_id, sha, claimant, 2000, pace)


def everything(run: Run) -> bool:
    return True


def write(draft: Drafts, seconds: float = 0.0) -> str:
    with draft.obtained(everything) as (finished, own):
        if own is None:
            assert finished is not None
            return str(finished.info.run_id)
        time.sleep(seconds)
        draft.finish(own)
        return own


def runs(client: MlflowClient, sha: str) -> list[Run]:
    return list(client.search_runs(["1"], f"tags.`git.sha` = '{sha}'"))


def test_the_first_writes_and_the_second_finds_it(client: MlflowClient, sha: str) -> None:
    first = write(drafts_of(client, sha))
    assert write(drafts_of(client, sha)) == first
    (run,) = runs(client, sha)
    assert (run.info.run_id, run.info.status) == (first, "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (2000, None)  # no duration, where none is known


def test_a_duration_that_is_known_ends_with_the_commit(client: MlflowClient, sha: str) -> None:
    run = client.get_run(write(replace(drafts_of(client, sha), began=500)))
    assert (run.info.start_time, run.info.end_time, run.info.status) == (500, 2000, "FINISHED")
    assert set(run.data.tags) & {"claimant", "beat"} == set()


def test_commits_do_not_wait_for_one_another(client: MlflowClient, sha: str) -> None:
    with drafts_of(client, sha).obtained(everything) as (_, own):
        assert own is not None
        assert write(drafts_of(client, uuid4().hex)) != own


@pytest.mark.parametrize("attempt", range(3))
def test_clones_that_write_at_once_leave_one_run_and_all_name_it(client: MlflowClient, sha: str, attempt: int) -> None:
    start = threading.Barrier(3)

    def race(name: str) -> str:
        start.wait()
        return write(drafts_of(client, sha, name), 0.2)

    with ThreadPoolExecutor(3) as pool:
        named = set(pool.map(race, ["a", "b", "c"]))
    assert {run.info.run_id for run in runs(client, sha)} == named
    assert len(named) == 1


def test_no_two_write_at_the_same_time(client: MlflowClient, sha: str) -> None:
    """Finished runs that are never enough: each of the clones has to get its turn, one after the other."""
    inside, most = [0], [0]
    write(drafts_of(client, sha))

    def complete(name: str) -> None:
        one = drafts_of(client, sha, name)
        with one.obtained(lambda run: False) as (finished, own):
            assert finished is not None
            assert own is not None
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.3)
            inside[0] -= 1
            one.withdraw(own)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(complete, ["a", "b", "c"]))
    assert most == [1]
    assert len(runs(client, sha)) == 1


def abandon(client: MlflowClient, sha: str, claimant: str) -> str:
    """Leave what a process leaves that is killed while it writes."""
    return drafts_of(client, sha, claimant).lease.claim()


def test_what_a_killed_process_of_this_clone_left_is_removed_at_once(client: MlflowClient, sha: str) -> None:
    left = abandon(client, sha, "here")
    started = time.monotonic()
    made = write(drafts_of(client, sha))
    assert time.monotonic() - started < QUICK.silence
    assert [run.info.run_id for run in runs(client, sha)] == [made] != [left]


def test_a_process_of_another_clone_is_waited_for_and_then_taken_for_dead(client: MlflowClient, sha: str) -> None:
    abandon(client, sha, "elsewhere")
    started = time.monotonic()
    made = write(drafts_of(client, sha))
    assert time.monotonic() - started >= QUICK.silence
    assert [run.info.run_id for run in runs(client, sha)] == [made]


def test_a_slow_process_that_lives_is_not_taken_for_dead(client: MlflowClient, sha: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(write, drafts_of(client, sha, "slow", STEADY), 2 * STEADY.silence)
        while not runs(client, sha):
            time.sleep(0.05)
        assert pool.submit(write, drafts_of(client, sha, "other", STEADY)).result() == slow.result()


def test_one_who_was_taken_for_dead_cannot_finish(client: MlflowClient, sha: str) -> None:
    sleeper = drafts_of(client, sha, "sleeper")
    with (
        pytest.raises(MlflowException, match="must be in the 'active' state"),
        sleeper.obtained(everything) as (_, own),
    ):
        assert own is not None
        client.delete_run(own)  # what another does after `silence`
        made = write(drafts_of(client, sha, "other"))
        sleeper.finish(own)
    assert [run.info.run_id for run in runs(client, sha)] == [made]


def test_one_who_finished_just_before_he_was_buried_is_dug_out(client: MlflowClient, sha: str) -> None:
    late, other = drafts_of(client, sha, "late"), drafts_of(client, sha, "other")
    with late.obtained(everything) as (_, own):
        assert own is not None
        seen = client.get_run(own)
        late.finish(own)
        other.lease.bury(seen, is_claim)
    assert [(run.info.run_id, is_complete(run)) for run in runs(client, sha)] == [(own, True)]


def test_an_error_takes_the_claim_back(client: MlflowClient, sha: str) -> None:
    with pytest.raises(ZeroDivisionError), drafts_of(client, sha).obtained(everything):
        raise ZeroDivisionError
    assert not runs(client, sha)


def test_an_error_while_the_server_is_away_is_the_one_that_is_told(
    client: MlflowClient, sha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = drafts_of(client, sha)
    monkeypatch.setattr(one, "withdraw", lambda run_id: 1 / 0)
    with pytest.raises(MlflowException, match="first"), one.obtained(everything):
        raise MlflowException("first")


def test_a_run_without_what_can_now_be_added_is_offered_with_a_claim(client: MlflowClient, sha: str) -> None:
    first = write(drafts_of(client, sha))
    one = drafts_of(client, sha)
    with one.obtained(lambda run: False) as (finished, own):
        assert finished is not None
        assert (finished.info.run_id, own) == (first, own)
        assert own not in (None, first)
        one.withdraw(str(own))
    assert [run.info.run_id for run in runs(client, sha)] == [first]


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    yield one, other


def test_a_clone_is_named_by_its_folder_and_not_with_it(folders: tuple[Path, Path]) -> None:
    one, other = folders
    assert claimant_of(one) == claimant_of(one.parent / "." / "one") != claimant_of(other)
    assert "one" not in claimant_of(one)


def test_the_marker_of_a_finished_run_is_written_last(client: MlflowClient, sha: str) -> None:
    """A process killed between the two leaves a run that the next one removes."""
    left = abandon(client, sha, "here")
    client.set_terminated(left)
    assert not is_complete(client.get_run(left))
    assert write(drafts_of(client, sha)) != left
    assert drafts.TRACKED in client.get_run(runs(client, sha)[0].info.run_id).data.tags
