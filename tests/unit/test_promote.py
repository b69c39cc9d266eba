from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from delivery import promote as promotion
from delivery import rollback
from delivery.decline import decline
from delivery.errors import DeliveryError, DeliveryRefusedError
from delivery.promote import PromotionVerdict, promote
from delivery.registry.bounds import read_bounds
from delivery.registry.gate import Gate
from delivery.registry.model import MD5
from delivery.registry.registry import (
    CHALLENGER,
    CHAMPION,
    PROMOTING,
    ensure_registered_model,
    ledger,
    version_of,
    version_with_alias,
)
from delivery.registry.server import MODEL, connect
from delivery.registry.undecided import is_next, why_decided
from delivery.revision.git import git
from tests.repository import ROOT

BOUNDS = read_bounds((ROOT / "delivery/registry/gate.yaml").read_bytes(), "delivery/registry/gate.yaml")
PASSED, REFUSED = Gate("strict F1", "passed", "the same"), Gate("strict F1", "refused", "worse")


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty file of MLflow's: laying one out takes seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
        connect()
    return file


@pytest.fixture
def client(laid_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A registry of three versions, the first of them champion; nothing is downloaded."""
    shutil.copyfile(laid_out, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for module in (promotion, rollback):
        monkeypatch.setattr(module, "download", lambda *_: None)
    client = connect()
    ensure_registered_model(client, MODEL, "")
    run = client.create_run(client.create_experiment("x", (tmp_path / "artifacts").as_uri())).info.run_id
    for _ in range(3):
        client.create_model_version(MODEL, "s3://nowhere", run, await_creation_for=0)
    client.set_registered_model_alias(MODEL, CHAMPION, "1")
    return client


def judging(*gates: Gate, meanwhile: Callable[[], Any] = lambda: None) -> Callable[..., PromotionVerdict]:
    def judge(version: Any, champion: Any, *_: Any) -> PromotionVerdict:
        meanwhile()
        return PromotionVerdict(version, champion, list(gates))

    return judge


def champion(client: MlflowClient) -> int:
    version = version_with_alias(client, CHAMPION)
    assert version is not None
    return int(version.version)


def test_no_refusal_makes_a_champion(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "judge", judging(PASSED))
    promote(3, ROOT, client, BOUNDS)
    assert champion(client) == 3
    assert [(entry.event, entry.version, entry.previous) for entry in ledger(client)] == [("promoted", 3, 1)]


def test_what_is_decided_while_gates_are_computed_still_stops_it(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided: list[str] = []

    def check(version: Any) -> None:
        if decided:
            raise DeliveryRefusedError(f"version {version.version}: a person must approve")

    monkeypatch.setattr(promotion, "judge", judging(PASSED, meanwhile=lambda: decided.append("redevelop")))
    with pytest.raises(DeliveryRefusedError, match="version 3: a person"):
        promote(3, ROOT, client, BOUNDS, check=check)
    assert champion(client) == 1
    assert ledger(client) == []
    with pytest.raises(DeliveryRefusedError):  # before minutes are spent
        promote(2, ROOT, client, BOUNDS, check=check)
    assert len(decided) == 1


def test_a_promotion_that_was_ended_before_it_was_done_is_not_taken_for_one(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "judge", judging(PASSED))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(promotion, "set_champion", raising(KeyboardInterrupt()))
        promote(3, ROOT, client, BOUNDS)
    assert (ledger(client)[-1].event, champion(client)) == ("promoted", 1)
    assert not why_decided(client, version_of(client, 3))
    promote(3, ROOT, client, BOUNDS)
    assert champion(client) == 3


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any) -> None:
        raise error

    return fail


def test_registered_every_day_an_old_version_is_no_challenger_again(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "judge", judging(PASSED))
    one, two, three = (version_of(client, number) for number in (1, 2, 3))
    assert [is_next(client, version) for version in (one, two, three)] == [False, True, True]
    client.set_registered_model_alias(MODEL, CHALLENGER, "3")
    assert [is_next(client, version) for version in (two, three)] == [False, True]
    promote(3, ROOT, client, BOUNDS)
    rollback.roll_back(client, None)
    assert champion(client) == 1
    assert [is_next(client, version) for version in (one, two, three)] == [False, True, False]


def test_one_refusal_is_enough_and_kept(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "judge", judging(PASSED, REFUSED))
    verdict, entry = promote(3, ROOT, client, BOUNDS)
    assert champion(client) == 1
    assert verdict.refusals == [REFUSED]
    assert (entry.event, entry.reasons) == ("refused", ["strict F1"])


def test_who_was_judged_by_a_former_champion_is_judged_again(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    judges = []

    def another() -> None:
        judges.append(champion(client))
        client.set_registered_model_alias(MODEL, CHAMPION, "2")

    monkeypatch.setattr(promotion, "judge", judging(PASSED, meanwhile=another))
    _, entry = promote(3, ROOT, client, BOUNDS)
    assert judges == [1, 2]
    assert (entry.version, entry.previous, champion(client)) == (3, 2, 3)


def test_a_champion_that_changes_all_the_time_ends_it(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def another() -> None:
        client.set_registered_model_alias(MODEL, CHAMPION, str(3 - champion(client)))

    monkeypatch.setattr(promotion, "judge", judging(PASSED, meanwhile=another))
    with pytest.raises(DeliveryError, match="changed each time"):
        promote(3, ROOT, client, BOUNDS)
    assert ledger(client) == []


def test_the_champion_is_not_promoted_again_and_what_is_not_there_never(client: MlflowClient) -> None:
    with pytest.raises(DeliveryError, match="champion already"):
        promote(1, ROOT, client, BOUNDS)
    with pytest.raises(DeliveryError, match=r"no version 9 of behealthy-extractor: MLflow.s page .*lists"):
        promote(9, ROOT, client, BOUNDS)
    with pytest.raises(DeliveryError, match="no challenger"):
        promote(None, ROOT, client, BOUNDS)


def test_a_version_that_cannot_be_traced_is_not_judged(client: MlflowClient) -> None:
    with pytest.raises(DeliveryError, match="of no known commit"):
        promote(2, ROOT, client, BOUNDS)


def test_a_promotion_that_cannot_be_written_down_does_not_happen(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(promotion, "judge", judging(PASSED))
    monkeypatch.setattr(MlflowClient, "log_artifact", broken)
    with pytest.raises(OSError, match="no space"):
        promote(3, ROOT, client, BOUNDS)
    assert champion(client) == 1


def test_what_a_person_declined_is_not_asked_for_again_until_another_is_champion(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = version_of(client, 3)
    assert why_decided(client, version) == ""
    entry = decline(client, version, "too many false alarms on the ward")
    assert (entry.event, entry.version, entry.previous, entry.reasons) == ("refused", 3, 1, ["a person"])
    assert "refused (ledger 1): a person" in why_decided(client, version)
    with pytest.raises(DeliveryError, match="is not declined: it was refused"):
        decline(client, version, "again")
    with pytest.raises(DeliveryError, match="it is the champion"):
        decline(client, version_of(client, 1), "no")
    client.set_registered_model_alias(MODEL, CHAMPION, "2")
    assert why_decided(client, version) == ""
    monkeypatch.setattr(promotion, "judge", judging(PASSED))
    promote(3, ROOT, client, BOUNDS)
    client.set_registered_model_alias(MODEL, CHAMPION, "2")
    assert "was champion already" in why_decided(client, version)


def test_the_version_of_a_commit_is_judged_once(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(promotion, "judge", judging(REFUSED))
    monkeypatch.setattr(promotion, "trusted_bounds", lambda *_: (BOUNDS, "0" * 40))
    monkeypatch.setattr(promotion, "version_of_revision", lambda *_: version_of(client, 3))
    assert promotion.main(["--rev", "HEAD"]) == 1
    assert promotion.main(["--rev", "HEAD"]) == 0
    assert "nothing to do: version 3 of behealthy-extractor: it was refused (ledger 1)" in capsys.readouterr().out
    assert len(ledger(client)) == 1


def test_no_commit_is_not_the_challenger(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where a pipeline did not learn which commit it registered."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(promotion, "judge", judging(PASSED))
    monkeypatch.setattr(promotion, "trusted_bounds", lambda *_: (BOUNDS, "0" * 40))
    client.set_registered_model_alias(MODEL, CHALLENGER, "3")
    assert promotion.main(["--rev", ""]) == 2
    assert "git knows no commit" in capsys.readouterr().err
    assert (champion(client), len(ledger(client))) == (1, 0)


def test_what_a_person_declines_while_it_is_judged_is_not_promoted(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def declined(version: Any, before: Any, *_: Any) -> PromotionVerdict:
        decline(client, version, "too many false alarms on the ward")
        return PromotionVerdict(version, before, [PASSED])

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(promotion, "judge", declined)
    monkeypatch.setattr(promotion, "trusted_bounds", lambda *_: (BOUNDS, "0" * 40))
    monkeypatch.setattr(promotion, "version_of_revision", lambda *_: version_of(client, 3))
    assert promotion.main(["--rev", "HEAD"]) == 1
    assert "version 3 is not promoted: it was refused (ledger 1): a person" in capsys.readouterr().err
    assert (champion(client), len(ledger(client))) == (1, 1)
    assert PROMOTING not in version_of(client, 3).tags


def test_promote_and_roll_back_and_forth(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "judge", judging(PASSED))
    promote(2, ROOT, client, BOUNDS)
    promote(3, ROOT, client, BOUNDS)
    assert rollback.roll_back(client).version == 2
    assert rollback.roll_back(client).version == 1
    assert rollback.roll_back(client, to=3).previous == 1
    assert champion(client) == 3
    assert [entry.number for entry in ledger(client)] == [1, 2, 3, 4, 5]


def test_the_loosened_gate_of_a_branch_promotes_nothing(
    client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A whole run of the command: the same version, judged by what is checked out, would be champion."""
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "metrics", root / "metrics")
    (root / "delivery/registry").mkdir(parents=True)
    sha = _commit_bounds(root, calibration_error=0.0)
    git("switch", "--quiet", "--create", "looser", root=root)
    _commit_bounds(root, calibration_error=1.0)
    client.delete_registered_model_alias(MODEL, CHAMPION)
    for name, value in {"git.sha": sha, MD5: "0"}.items():
        client.set_model_version_tag(MODEL, "2", name, value)
    monkeypatch.chdir(root)
    assert promotion.main(["--version", "2"]) == 1
    assert "refused  calibration" in capsys.readouterr().out
    assert version_with_alias(client, CHAMPION) is None
    assert promotion.main(["--version", "2", "--trust", "looser"]) == 0
    assert champion(client) == 2


def _commit_bounds(root: Path, *, calibration_error: float) -> str:
    bounds = BOUNDS.model_dump() | {"calibration_error": calibration_error, "minimum_functionality": 0.0}
    (root / "delivery/registry/gate.yaml").write_text(yaml.safe_dump(bounds), encoding="utf-8")
    if not (root / ".git").exists():
        git("init", "--quiet", "--initial-branch", "main", root=root)
    git("add", "--all", root=root)
    git("-c", "user.name=a", "-c", "user.email=a", "commit", "--quiet", "--message", "Bounds", root=root)
    return git("rev-parse", "HEAD", root=root).strip()
