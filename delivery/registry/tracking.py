"""A commit as one run of MLflow: what it was made of, what came out, and its model."""

from __future__ import annotations

import shutil
import tarfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd

from delivery.errors import DeliveryError
from delivery.registry.dataset import dataset_of
from delivery.registry.drafts import Drafts, claimant_of
from delivery.registry.durations import began_at
from delivery.registry.lease import Pace
from delivery.registry.model import log_extractor
from delivery.registry.pictures import draw_plot, plots_of
from delivery.registry.run_metrics import ALL, as_table, first_screen, numbers
from delivery.registry.server import EXPERIMENT, sqlite_file, tracking_uri
from delivery.revision.dvc_files import DvcFiles, NotReadableError, Remote
from delivery.revision.experiments import (
    Experiment,
    archive,
    committed_at,
    common_folder,
    experiments,
    has_results,
    subject,
)
from delivery.revision.revision import DOCUMENT_COUNTS, METRICS, Revision, workspace
from stages.common.files import write_text
from stages.common.locks import locked

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MODEL = "model"
"""Tag with the address of the logged model, or why there is none."""

_ABSENT = "absent: "
_MD5 = {"annotations.md5": "data/annotations", "features.md5": "data/features", "models.md5": "models"}
_WITH_WORDS = {"plots/attributes.csv"}  # words of notes; the server may be readable by more people than the notes are
_REPORTS = {
    "reports/data_docs": ("reports/data_docs/validation.json", "metrics/validation.json"),
    "reports/drift.html": ("reports/drift.json", "metrics/drift.json"),
}
"""By report: the copy of its metrics that the stage left beside it, and the metrics themselves."""


def track(revision: Revision, *, client: MlflowClient, remote: Remote | None = None, pace: Pace | None = None) -> str:
    """Return the run of a commit, written where there is none.

    However often, by however many processes and from however many clones it is called, a commit has
    one finished run. What a process left that was killed meanwhile is removed. A run whose model
    could not be had is completed as soon as it can.

    Parameters
    ----------
    revision : Revision
        A commit with results.
    client : MlflowClient
        From `server.connect`.
    remote : Remote, optional
        Give the same one for several commits, so that a remote that fails is asked once.
    pace : Pace, optional
        How fast another clone's process is taken for dead.

    Returns
    -------
    str
        Identifier of the run.

    Raises
    ------
    DeliveryError
        When the revision is no commit, or has no results.
    mlflow.exceptions.MlflowException
        When the server fails; nothing is left that the next call does not mend.
    """
    if revision.sha is None:
        raise DeliveryError("the workspace has no run: commit it first, with dvc.lock and metrics/")
    if not has_results(revision):
        raise DeliveryError(f"{revision.name} has no metrics/evaluation.json: run `dvc repro` and commit the results")
    folder = common_folder(revision.root)
    with locked(folder / "behealthy", "tracking runs of this clone"), TemporaryDirectory() as scratch:
        experiment = experiment_of(client, revision.root)
        time = committed_at(revision)
        named = experiment_named(revision)
        began = began_at(named) if named else None
        drafts = Drafts(client, experiment, revision.sha, claimant_of(folder), time, pace or Pace(), began)
        content = Content(revision, DvcFiles(revision, remote=remote or Remote()), Path(scratch))
        with drafts.obtained(content.adds_nothing_to) as (finished, draft):
            if draft is None:
                assert finished is not None
                return str(finished.info.run_id)
            if finished is not None:
                content.log_model(client, finished.info.run_id)
                drafts.withdraw(draft)
                return str(finished.info.run_id)
            content.log(client, draft)
            drafts.finish(draft)
            return draft


def experiment_of(client: MlflowClient, root: Path = Path()) -> str:
    """Return the identifier of this project's experiment in MLflow, made where there is none.

    Raises
    ------
    DeliveryError
        When it was deleted there.
    """
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        file = sqlite_file(tracking_uri(root))  # beside it, not in whatever folder this process was started
        place = (file.parent / "mlruns").as_uri() if file else None
        with suppress(MlflowException):  # somebody else was quicker
            return str(client.create_experiment(EXPERIMENT, place))
        experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None or experiment.lifecycle_stage != "active":
        raise DeliveryError(f"the experiment {EXPERIMENT} was deleted on the tracking server: restore it there")
    return str(experiment.experiment_id)


@dataclass
class Content:
    """What a run holds of a commit; no text of a note is in it.

    Parameters
    ----------
    revision : Revision
    files : DvcFiles
        Of the revision.
    scratch : Path
        Empty folder for what is on its way.
    """

    revision: Revision
    files: DvcFiles
    scratch: Path
    model_fault: str = field(default="", init=False)

    def adds_nothing_to(self, run: Run) -> bool:
        """Tell whether a finished run has its model, or the model cannot be had here either."""
        return not is_absent(run) or self.model is None

    @cached_property
    def model(self) -> Path | None:
        """The model folder out of DVC, None where it cannot be had; `model_fault` says why then."""
        target = self.scratch / "models"
        try:
            self.files.copy("models", target)
        except NotReadableError as error:
            self.model_fault = str(error)
            return None
        return target

    def log(self, client: MlflowClient, run_id: str) -> None:
        """Write everything into a run."""
        from mlflow.entities import Metric, Param, RunTag

        time = committed_at(self.revision)
        metrics = [Metric(name, value, time, 0) for name, value in first_screen(numbers(self.revision)).items()]
        params = [Param(name, str(value)) for name, value in self.revision.params().items()]
        client.log_batch(run_id, metrics=metrics, tags=[RunTag(*pair) for pair in self._tags().items()])
        for start in range(0, len(params), 100):  # the server takes no more at once
            client.log_batch(run_id, params=params[start : start + 100])
        if dataset := dataset_of(self.revision):
            client.log_inputs(run_id, [dataset])
        client.log_artifacts(run_id, str(self._artifacts()))
        self.log_model(client, run_id)

    def log_model(self, client: MlflowClient, run_id: str) -> None:
        """Log the model and note its address, or why there is none."""
        if self.model is None:
            client.set_tag(run_id, MODEL, f"{_ABSENT}{self.model_fault}")
            return
        # With the code of its own commit: that of the workspace may be another.
        code = self.scratch / "code"
        with tarfile.open(fileobj=BytesIO(archive(self.revision))) as packed:
            packed.extractall(code, filter="data")
        client.set_tag(run_id, MODEL, log_extractor(self.model, run_id=run_id, root=code))

    def _tags(self) -> dict[str, str]:
        revision, hashes, metrics = self.revision, self.revision.hashes(), self.revision.metrics()
        named = experiment_named(revision)
        name = named.revision.name if named else str(revision.sha)[:10]
        tags = {
            "mlflow.runName": name,
            "mlflow.source.name": "python -m delivery.track",
            "mlflow.source.git.commit": str(revision.sha),
            "mlflow.note.content": subject(revision) if named is None else self._differences(named),
            **({"dvc.experiment": name, "dvc.baseline": named.baseline} if named else {}),
            **{tag: hashes[path] for tag, path in _MD5.items() if path in hashes},
            "gate": {"True": "passed", "False": "failed"}.get(str(metrics.get("validation.passed")), "not run"),
            "decision": str(metrics.get("decision.decision", "not run")),
        }
        return dict(sorted(tags.items()))

    def _differences(self, experiment: Experiment) -> str:
        """Say what an experiment set otherwise than the commit it was started from: DVC's own message has a hash."""
        before = Revision(self.revision.root, experiment.baseline, experiment.baseline[:10]).params()
        changed = [f"{key}={value}" for key, value in self.revision.params().items() if before.get(key) != value]
        return " ".join(changed) or "the parameters of its baseline"

    def _artifacts(self) -> Path:
        folder = self.scratch / "artifacts"
        for path in ("params.yaml", "dvc.yaml", "dvc.lock", DOCUMENT_COUNTS, *METRICS):
            if (content := self.revision.read(path)) is not None:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
        write_text(folder / ALL, as_table(numbers(self.revision)))
        self._plots(folder)
        for path in reports_of(self.revision):
            source, target = self.revision.root / path, folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copyfile(source, target)
        return folder

    def _plots(self, folder: Path) -> None:
        for path in self.revision.hashes():
            if path.startswith("plots/") and path not in _WITH_WORDS:
                with suppress(NotReadableError):  # the model's tag says that DVC's files could not be had
                    self.files.copy(path, folder / path)
        for plot in plots_of(self.revision.yaml("dvc.yaml") or {}):
            if (folder / plot.path).is_file():
                table = pd.read_csv(folder / plot.path, keep_default_na=False)
                draw_plot(plot, table, (folder / plot.path).with_suffix(".png"))


def is_absent(run: Run) -> bool:
    """Tell whether a run has no model."""
    return bool(run.data.tags.get(MODEL, _ABSENT).startswith(_ABSENT))


def experiment_named(revision: Revision) -> Experiment | None:
    """Return DVC's experiment that a commit is, None where it is a commit of another kind."""
    return next((known for known in experiments(revision.root) if known.revision.sha == revision.sha), None)


def reports_of(revision: Revision) -> list[str]:
    """Return the reports in the workspace that were made with this revision's results.

    They are no outputs of the graph, so that one may be left from another run: each has the metrics
    beside it that it was made with, and these must be the revision's, from the same inputs.
    """
    here = workspace(revision.root)
    reports = []
    for report, (stamp, metrics) in _REPORTS.items():
        present, wanted = (_stage_of(metrics, side) for side in (here, revision))
        same = present is not None and present == wanted and here.read(stamp) == revision.read(metrics)
        if same and (revision.root / report).exists():
            reports.append(report)
    return reports


def _stage_of(output: str, revision: Revision) -> Any:
    """Return what `dvc.lock` says of the stage that wrote a file."""
    stages = (revision.yaml("dvc.lock") or {}).get("stages", {}).values()
    return next((stage for stage in stages if any(out["path"] == output for out in stage.get("outs", []))), None)
