"""Make a version champion, if every gate lets it: ``python -m delivery.promote [--version V] [--rev REF]``.

The gates stand in `delivery/registry/gates.py` and `comparing.py`, their bounds in `gate.yaml` beside them of a trusted
commit: main as `origin` has it, and never what happens to be checked out. Whatever the verdict, it goes with all its
numbers into the ledger. A gate that cannot be computed refuses. Gates that need no model come first; models are
fetched and run only when none of those refuses. With ``--plan`` nothing is judged: it says how many test documents a
comparison needs. With ``--rev`` it is the version of a commit, once: where it has had its verdict against this
champion, nothing is done, so that a pipeline may ask every day.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from delivery.errors import DeliveryError, DeliveryRefusedError
from delivery.registry.bounds import Bounds, read_bounds
from delivery.registry.comparing import comparing_gates, not_computed
from delivery.registry.gate import Gate
from delivery.registry.gates import absolute_gates
from delivery.registry.lease import claimed
from delivery.registry.planned import planned
from delivery.registry.registry import (
    CHALLENGER,
    CHAMPION,
    PROMOTING,
    Entry,
    Event,
    append,
    commit_of,
    download,
    is_unwritten,
    set_champion,
    version_of,
    version_with_alias,
)
from delivery.registry.rescoring import Rescored, held_out, rescore
from delivery.registry.server import MODEL, connect, server_session
from delivery.registry.undecided import version_of_revision, why_decided
from delivery.revision.dvc_files import DvcFiles
from delivery.revision.git import local
from delivery.revision.revision import Revision, resolve
from stages.common.command import DONE, REFUSED, run_command
from stages.common.files import rounded
from stages.common.wording import counted

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

BOUNDS = "delivery/registry/gate.yaml"
PUBLISHED, LOCAL = "refs/remotes/origin/main", "refs/heads/main"
"""Main as `origin` has it, and here. Whole names: a tag may be called `origin/main` too, and would be taken first."""
_ATTEMPTS = 3
_NO_CHALLENGER = "there is no challenger: `python -m delivery.register` first, or name a --version"


@dataclass(frozen=True)
class PromotionVerdict:
    """What all gates say of a version, and the champion that it was compared with."""

    version: ModelVersion
    champion: ModelVersion | None
    gates: list[Gate]

    @property
    def refusals(self) -> list[Gate]:
        """The gates that refuse."""
        return [gate for gate in self.gates if gate.status == "refused"]


def trusted_bounds(trust: str | None, root: Path) -> tuple[Bounds, str]:
    """Read the bounds from a commit that is trusted, and return its hash with them.

    Parameters
    ----------
    trust : str or None
        Name of the commit; None is main as `origin` has it, or the local one where there is no `origin/main`.
    root : Path

    Raises
    ------
    DeliveryError
        When git knows no such commit, or it has no valid bounds.
    """
    if trust is None:
        here = local(root, "rev-parse", "--verify", "--quiet", PUBLISHED).returncode == 0
        trust = PUBLISHED if here else LOCAL
    revision = resolve(trust, root)
    content = revision.read(BOUNDS)
    if content is None:
        raise DeliveryError(f"{trust} has no {BOUNDS}: name with --trust the commit whose bounds count")
    return read_bounds(content, f"{BOUNDS} of {trust}"), str(revision.sha)


def promote(
    number: int | None,
    root: Path,
    client: MlflowClient,
    bounds: Bounds,
    trusted: str | None = None,
    check: Callable[[ModelVersion], None] = lambda _: None,
) -> tuple[PromotionVerdict, Entry]:
    """Judge a version and, when no gate refuses, make it champion.

    Judging takes minutes and holds nobody up; the champion may have changed meanwhile, and then the version is
    judged again, by the new one.

    Parameters
    ----------
    number : int or None
        Of the version; None is the challenger.
    root : Path
        Of the repository.
    client : MlflowClient
    bounds : Bounds
    trusted : str, optional
        Hash of the commit that the bounds are from, for the ledger.
    check : callable
        Raises where nothing may be promoted; asked before minutes are spent, and again while nobody else may promote.

    Raises
    ------
    DeliveryError
        When there is no such version, it is champion already, or the champion changes all the time.
    """
    for _ in range(_ATTEMPTS):
        version = _version_to_judge(number, client)
        check(version)
        judged = judge(version, version_with_alias(client, CHAMPION), root, client, bounds)
        with claimed(client) as claim, tempfile.TemporaryDirectory() as folder:
            champion = version_with_alias(client, CHAMPION)
            if _number(champion) != _number(judged.champion):
                continue
            event: Event = "refused" if judged.refusals else "promoted"
            reasons = [gate.name for gate in judged.refusals]
            if event == "promoted":
                download(client, version, Path(folder))
                check(version)
                client.set_model_version_tag(MODEL, version.version, PROMOTING, "begun")
            evidence = _evidence(judged, bounds, trusted)
            entry = append(client, claim, event, version, previous=champion, reasons=reasons, evidence=evidence)
            if event == "promoted":
                set_champion(client, claim, version)
                client.delete_model_version_tag(MODEL, version.version, PROMOTING)
            return judged, entry
    raise DeliveryError("the champion changed each time while the version was judged: run it again")


def judge(
    version: ModelVersion, champion: ModelVersion | None, root: Path, client: MlflowClient, bounds: Bounds
) -> PromotionVerdict:
    """Compute every gate of a version against a champion."""
    revision = resolve(commit_of(version), root)
    metrics, counts = revision.metrics(), revision.document_counts()
    gates = list(absolute_gates(metrics, counts, bounds))
    if champion is None:
        return PromotionVerdict(version, None, [*gates, *comparing_gates(metrics, None, None, None, bounds)])
    if any(gate.status == "refused" for gate in gates):
        return PromotionVerdict(version, champion, [*gates, *not_computed(gates)])
    try:
        before = resolve(commit_of(champion), root)
        rescored = _rescored(version, champion, (revision, before), client, bounds)
    except DeliveryError as error:
        return PromotionVerdict(
            version, champion, [*gates, Gate("rescoring", "refused", f"cannot be computed: {error}")]
        )
    compared = comparing_gates(metrics, before.metrics(), before.document_counts(), rescored, bounds)
    return PromotionVerdict(version, champion, [*gates, *compared])


def _rescored(
    version: ModelVersion,
    champion: ModelVersion,
    revisions: tuple[Revision, Revision],
    client: MlflowClient,
    bounds: Bounds,
) -> Rescored:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = folder / "challenger", folder / "champion"
        for revision, target in zip(revisions, prepared, strict=True):
            DvcFiles(revision).copy("data/prepared", target)
        test = held_out(prepared[1], prepared[0])
        if test.documents.empty:
            nothing = pd.DataFrame(columns=["document", "label", "tp", "fp", "fn", "accepted", "right"])
            return Rescored(nothing, nothing, 0, test.left_out, ([1.0], [1.0]))
        new, old = (download(client, v, folder / f"version-{v.version}") for v in (version, champion))
        size, wait = counted(len(test.documents), "document"), "a minute where their loops are not compiled yet"
        print(f"promote: tagging {size} with both models, {wait}", file=sys.stderr, flush=True)
        return rescore(old, new, test, rounds=bounds.rounds, seconds=bounds.round_seconds)


def _version_to_judge(number: int | None, client: MlflowClient) -> ModelVersion:
    version = version_of(client, number) if number is not None else version_with_alias(client, CHALLENGER)
    if version is None:
        raise DeliveryError(_NO_CHALLENGER)
    champion = version_with_alias(client, CHAMPION)
    if champion is not None and champion.version == version.version:
        raise DeliveryError(f"version {version.version} is the champion already")
    return version


def _number(version: ModelVersion | None) -> str | None:
    return None if version is None else str(version.version)


def _evidence(verdict: PromotionVerdict, bounds: Bounds, trusted: str | None) -> dict[str, Any]:
    content = {
        "gates": [asdict(gate) for gate in verdict.gates],
        "bounds": bounds.model_dump(),
        "bounds_from": trusted,
        "machine": {"python": platform.python_version(), "processor": platform.machine()},
    }
    evidence: dict[str, Any] = rounded(content, 6)
    return evidence


def promote_named(
    number: int | None,
    rev: str | None,
    trust: str | None = None,
    check: Callable[[ModelVersion], None] = lambda _: None,
) -> int:
    """Promote a version by its number, that of a commit, or the challenger; say so, and return the exit code."""
    bounds, trusted = trusted_bounds(trust, Path())
    if is_unwritten():
        raise DeliveryError(_NO_CHALLENGER)
    client = connect()
    if rev is not None:  # an empty one is of no commit, and not the challenger
        version = version_of_revision(client, resolve(rev))
        if decided := why_decided(client, version):
            print(f"promote: nothing to do: version {version.version} of {MODEL}: {decided}")
            return DONE
        number = int(version.version)
    champion = version_with_alias(client, CHAMPION)
    if number is None and champion is not None and version_with_alias(client, CHALLENGER) is None:
        print(f"promote: nothing to do: version {champion.version} of {MODEL} is champion, there is no challenger")
        return DONE

    def check_again(version: ModelVersion) -> None:
        check(version)
        if rev is not None and (decided := why_decided(client, version)):  # meanwhile: judging takes minutes
            raise DeliveryRefusedError(f"version {version.version} is not promoted: {decided}")

    verdict, entry = promote(number, Path(), client, bounds, trusted, check_again)
    refused = bool(verdict.refusals)
    for gate in verdict.gates:
        print(f"promote: {gate.status:>15}  {gate.name}: {gate.reason}")
    end = "stays what it was" if refused else "is champion"
    before = f"champion was version {entry.previous}" if entry.previous else "there was no champion"
    print(f"promote: version {entry.version} of {MODEL} {end}; {before} (ledger {entry.number})")
    return REFUSED if refused else DONE


def main(arguments: list[str] | None = None) -> int:
    """Run the command: 0 promoted or nothing to do, 1 when a gate refuses, 2 when nothing could be judged."""
    parser = argparse.ArgumentParser(prog="python -m delivery.promote", description=(__doc__ or "").split(":")[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, help="version to promote (default: the challenger)")
    which.add_argument("--rev", help="commit whose version is promoted, unless it has had its verdict")
    parser.add_argument("--plan", action="store_true", help="only say how many test documents a comparison needs")
    parser.add_argument("--trust", help="commit whose bounds count (default: main as origin has it, else main)")
    options = parser.parse_args(arguments)
    if options.plan and (options.version is not None or options.rev):
        parser.error("--plan is about the champion's test documents, and takes no --version and no --rev")

    def work() -> int:
        if options.plan:
            bounds, _ = trusted_bounds(options.trust, Path())
            for line in planned(Path(), None if is_unwritten() else connect(), bounds):
                print(f"promote: {line}")
            return DONE
        return promote_named(options.version, options.rev, options.trust)

    return run_command("promote", work, within=server_session())


if __name__ == "__main__":
    sys.exit(main())
