"""The extractor as a model of MLflow: text in, mentions out, on a machine that has only its requirements.

What is logged: the folder `models/` as it is (Parquet, ``.npy``, JSON), the modules of `stages/` that inference
imports, and `delivery/registry/served.py`, which says what goes in and what comes out. It is a script that MLflow
runs (models from code), so that loading unpickles nothing of ours.

Load it outside the repository, or in a process that has not imported `stages`: Python imports a package once, and
a process that already has one of that name goes on with it instead of the model's.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.errors import DeliveryError
from delivery.registry.closure import import_closure
from delivery.revision.hashes import folder_md5
from stages.common.seal import check_seal

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

NAME = "extractor"
"""Of the logged model in its run."""

MD5 = "models.md5"
"""Tag of a logged model and of a version: what `dvc.lock` says of `models`."""

FILES = "files.md5"
"""Tag of a logged model: the same of all its files, code and requirements included."""

SCRIPT = Path(__file__).with_name("served.py")
ENTRY = "stages.train.extractor"
EXAMPLE = ["Known COPD, no asthma. Start tiotropium 18 mcg once daily.", "Feels well."]
"""Invented notes that show how the model is called."""

LIMITS = {"note_characters": 100_000, "request_characters": 1_000_000}
"""What a served model takes: its configuration, which `MLFLOW_PYFUNC_INFERENCE_CONFIG` changes where it is served."""

LIBRARIES = ("llvmlite", "mlflow", "numba", "numpy", "pandas", "pyarrow", "pydantic", "pyyaml", "scipy", "sentencex")
"""What inference imports directly; a test compares it with what a process that extracts has loaded."""


def log_extractor(models: Path, *, run_id: str, root: Path = Path()) -> str:
    """Log a model folder to a run, once: a model of the same bytes that the run already has is returned.

    Parameters
    ----------
    models : Path
        What the stage `train` wrote.
    run_id : str
    root : Path
        Of the repository whose code the model runs with: that of the commit which trained it.

    Returns
    -------
    str
        Address of the logged model, ``models:/m-…``.

    Raises
    ------
    DeliveryError
        When the model folder is incomplete, or a library that inference imports is not pinned.
    ModelError
        When a file of the folder is not what was saved.
    """
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModelOutput

    if not (models / "model.json").is_file():
        raise DeliveryError(f"there is no complete model in {models}/: run `dvc pull models` or `dvc repro`")
    check_seal(models)
    client, digest = MlflowClient(), folder_md5(models)
    experiment = client.get_run(run_id).info.experiment_id
    if known := _ready(client, experiment, run_id, digest):
        return known
    model = client.create_logged_model(experiment, name=NAME, source_run_id=run_id, tags={MD5: digest})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        _save(path, models, root, model)
        client.set_logged_model_tags(model.model_id, {FILES: folder_md5(path)})
        client.log_model_artifacts(model.model_id, str(path))
    client.log_outputs(run_id, models=[LoggedModelOutput(model.model_id, step=0)])
    # Until here the model is PENDING: what is left of an interrupted call is never taken for a model.
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_uri)


def _ready(client: MlflowClient, experiment: str, run_id: str, digest: str) -> str | None:
    filters = f"source_run_id = '{run_id}' AND tags.`{MD5}` = '{digest}'"
    models = client.search_logged_models([experiment], filter_string=filters)
    return min((str(model.model_uri) for model in models if model.status == "READY"), default=None)


def _save(path: Path, models: Path, root: Path, model: LoggedModel) -> None:
    import mlflow
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as folder:
        copy_code(root, Path(folder))
        # MLflow notes the paths that it is given, which should say nothing of this machine.
        script, copied = shutil.copy(SCRIPT, folder), shutil.copytree(models, Path(folder) / "models")
        mlflow.pyfunc.save_model(
            path=path,
            mlflow_model=Model(
                artifact_path=model.artifact_location,
                model_uuid=model.model_id,
                run_id=model.source_run_id,
                model_id=model.model_id,
            ),
            python_model=str(script),
            artifacts={"models": str(copied)},
            code_paths=[str(Path(folder) / "stages")],
            pip_requirements=requirements_of(root),
            signature=signature(),
            input_example=EXAMPLE,
            model_config=LIMITS,
        )
    for cache in path.rglob("__pycache__"):
        shutil.rmtree(cache)


def signature() -> ModelSignature:
    """Return what goes into the served model and what comes out of it.

    The column of notes has no name here, or MLflow would take no plain strings; the script checks the name. It has no
    type either: MLflow would make text of what is none, and a missing note would be one without mentions.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType, Array, Object, Property

    mention = Object(
        [
            Property("start", DataType.long),
            Property("end", DataType.long),
            Property("label", DataType.string),
            Property("confidence", DataType.double),
            Property("accepted", DataType.boolean),
            Property("assertion", DataType.string),
            Property("assertion_sure", DataType.boolean),
        ]
    )
    spans = [ColSpec(Array(mention), name) for name in ("mentions", "suggestions")]
    columns = {
        "accepted": DataType.boolean,
        "sentences": DataType.long,
        "tokens": DataType.long,
        "unknown_tokens": DataType.double,
    }
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType())]),
        outputs=Schema([*spans, *(ColSpec(kind, name) for name, kind in columns.items())]),
    )


def copy_code(root: Path, target: Path) -> None:
    """Copy the modules that inference may import, as ``stages/…`` under `target`."""
    for path in sorted(import_closure(ENTRY, root)):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)


def requirements_of(root: Path) -> list[str]:
    """Return `LIBRARIES` pinned as in the repository's `requirements.txt`.

    Raises
    ------
    DeliveryError
        When one of them has no pinned version.
    """
    text = (root / "requirements.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^\s;]+)", text, re.MULTILINE)
    pinned = {name: f"{name}=={version}" for name, version in pins}
    if missing := sorted(set(LIBRARIES) - pinned.keys()):
        raise DeliveryError(f"requirements.txt pins no {', '.join(missing)}: add it to requirements.in and `make lock`")
    return [pinned[name] for name in LIBRARIES]
