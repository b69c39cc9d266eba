"""The registered model: its versions, who is challenger and who champion, and the ledger of how that came about.

The ledger is append-only: one tag `ledger.NNNNNN` of the registered model for every verdict and every rollback,
numbered without gaps while a claim is held, and a JSON artifact with all the numbers on the run of the version.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from delivery.errors import DeliveryError
from delivery.registry.lease import Claim
from delivery.registry.model import FILES, MD5
from delivery.registry.server import MODEL, sqlite_file, tracking_uri
from delivery.revision.hashes import folder_md5

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHALLENGER, CHAMPION = "challenger", "champion"
SHA = "git.sha"
PROMOTING = "promoting"
"""Tag of a version while it is written into the ledger and made champion: where it stays, that was not done."""
_ENTRY = "ledger."

Event = Literal["promoted", "refused", "rolled back"]


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    Parameters
    ----------
    number : int
        From 1, in order of time.
    event : {"promoted", "refused", "rolled back"}
    version : int
        The version that was judged, or that is champion again.
    previous : int or None
        The champion before, None where there was none.
    at : str
        Time, UTC.
    reasons : list of str
        Names of the gates that refused.
    """

    number: int
    event: Event
    version: int
    previous: int | None
    at: str
    reasons: list[str]


def is_unwritten(root: Path = Path()) -> bool:
    """Tell whether the registry is a file that nothing was ever written to: then it need not be laid out to ask it."""
    file = sqlite_file(tracking_uri(root))
    return file is not None and not file.exists()


def version_of(client: MlflowClient, number: int | str) -> ModelVersion:
    """Return a version by its number.

    Raises
    ------
    DeliveryError
        When the registry has none of that number.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version(MODEL, str(number))
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise DeliveryError(
            f"the registry has no version {number} of {MODEL}: MLflow's page *Model registry* lists those it has"
        ) from None


def commit_of(version: ModelVersion) -> str:
    """Return the commit that a version was made from.

    Raises
    ------
    DeliveryError
        When somebody put it into the registry by hand.
    """
    sha = version.tags.get(SHA)
    if sha is None or MD5 not in version.tags:
        raise DeliveryError(f"version {version.version} is of no known commit: register one with delivery.register")
    return str(sha)


def version_with_alias(client: MlflowClient, alias: str) -> ModelVersion | None:
    """Return the version that has an alias, None where none has."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(MODEL, alias)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def version_of_commit(client: MlflowClient, sha: str, digest: str) -> ModelVersion | None:
    """Return the version of a commit and the MD5 of its model, the first where there are several."""
    same = [
        version
        for version in client.search_model_versions(f"name='{MODEL}' AND tags.`{SHA}` = '{sha}'")
        if version.tags.get(MD5) == digest
    ]
    return min(same, key=lambda version: int(version.version), default=None)


def download(client: MlflowClient, version: ModelVersion, target: Path) -> Path:
    """Download a version and check its bytes.

    Returns
    -------
    Path
        The model folder, as `mlflow.pyfunc.load_model` takes it.

    Raises
    ------
    DeliveryError
        When a file is missing or the model is not the one that was registered.
    """
    return download_source(client, str(version.source), version.tags.get(MD5, ""), target, f"version {version.version}")


def download_source(client: MlflowClient, source: str, digest: str, target: Path, name: str) -> Path:
    """Download a logged model; compare the model's bytes with those of `dvc.lock`, all files with what was sent."""
    import mlflow
    from mlflow.exceptions import MlflowException

    target.mkdir(parents=True, exist_ok=True)
    mend = f"delete {name} there and register its commit again"
    try:
        sent = client.get_logged_model(source.removeprefix("models:/")).tags.get(FILES)
        folder = Path(mlflow.artifacts.download_artifacts(source, dst_path=str(target)))
    except (MlflowException, OSError) as error:
        reason = type(error).__name__
        raise DeliveryError(f"the files of {name} cannot be read ({reason}): if the server runs, {mend}") from error
    (folder / "registered_model_meta").unlink(missing_ok=True)  # MLflow adds it to what it downloads
    for cache in list(folder.rglob("__pycache__")):  # a registry of files serves the very files it keeps
        shutil.rmtree(cache)
    models = folder / "artifacts" / "models"
    if not models.is_dir() or folder_md5(models) != digest or folder_md5(folder) != sent:
        raise DeliveryError(f"the files of {name} are incomplete, or not those that were sent: {mend}")
    return folder


def ledger(client: MlflowClient) -> list[Entry]:
    """Return the ledger in order."""
    from mlflow.exceptions import MlflowException

    try:
        tags = client.get_registered_model(MODEL).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return []
    entries = [Entry(**json.loads(value)) for key, value in tags.items() if key.startswith(_ENTRY)]
    return sorted(entries, key=lambda entry: entry.number)


def evidence(client: MlflowClient, version: ModelVersion, entry: Entry) -> dict[str, Any] | None:
    """Return the numbers that were kept with a line of the ledger on a version; None where they are gone."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            file = client.download_artifacts(str(version.run_id), f"ledger/{entry.number:06}.json", folder)
            content: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
        except (MlflowException, OSError, ValueError):
            return None
    return content


def ensure_registered_model(client: MlflowClient, name: str, description: str) -> None:
    """Make a registered model where it is not there yet."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description=description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def append(
    client: MlflowClient,
    claim: Claim,
    event: Event,
    version: ModelVersion,
    *,
    previous: ModelVersion | None,
    reasons: list[str],
    evidence: dict[str, Any],
) -> Entry:
    """Write one line into the ledger, and its numbers as an artifact of the version's run.

    Parameters
    ----------
    client : MlflowClient
    claim : Claim
        Held, so that no two lines get one number.
    event : {"promoted", "refused", "rolled back"}
    version, previous : ModelVersion
    reasons : list of str
    evidence : dict
        All the numbers, without any clinical text.
    """
    number = max((entry.number for entry in ledger(client)), default=0) + 1
    before = int(previous.version) if previous else None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = Entry(number, event, int(version.version), before, now, reasons)
    claim.check()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{number:06}.json"
        file.write_text(json.dumps(asdict(entry) | evidence, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        client.log_artifact(version.run_id, str(file), "ledger")
    claim.check()
    line = json.dumps(asdict(entry))
    client.set_model_version_tag(MODEL, version.version, f"{_ENTRY}{number:06}", line)
    client.set_registered_model_tag(MODEL, f"{_ENTRY}{number:06}", line)
    return entry


def set_champion(client: MlflowClient, claim: Claim, version: ModelVersion) -> None:
    """Make a version champion; it is no challenger any more."""
    claim.check()
    client.set_registered_model_alias(MODEL, CHAMPION, version.version)
    challenger = version_with_alias(client, CHALLENGER)
    if challenger and challenger.version == version.version:
        client.delete_registered_model_alias(MODEL, CHALLENGER)
