"""The annotations of a commit as MLflow knows a data set: names of batches, a digest and counts; no row, no text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from delivery.revision.dvc_files import ANNOTATIONS, DvcFiles, NotReadableError
from delivery.revision.revision import Revision

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

_LONGEST = 200  # characters of a name; the server takes 500


def dataset_of(revision: Revision) -> DatasetInput | None:
    """Return the annotations that a commit was made from, None where it has no `data/annotations.dvc`.

    The digest is the MD5 that DVC gives the folder, so that runs of the same data have the same data set.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    digest = revision.described().get(ANNOTATIONS)
    if digest is None:
        return None
    counts = {
        name.removeprefix("validation."): value
        for name, value in revision.metrics().items()
        if name.startswith(("validation.documents.", "validation.mentions.")) and isinstance(value, int)
    }
    dataset = Dataset(
        name=_name(revision),
        digest=digest.removesuffix(".dir"),
        source_type="dvc",
        source=json.dumps({"path": ANNOTATIONS, "md5": digest}),
        profile=json.dumps(counts),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _name(revision: Revision) -> str:
    """Name the batches: those that the parameters choose, else all that are there, else the folder."""
    batches = revision.params().get("prepare.batches")
    if not batches:
        try:
            batches = DvcFiles(revision).batches()
        except NotReadableError:
            batches = None
    name = ", ".join(map(str, batches or [])) or ANNOTATIONS
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
