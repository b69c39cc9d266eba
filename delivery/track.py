"""DVC's experiments and the commits with results, each as one run of MLflow: `python -m delivery.track`.

Runs that are there are left alone. Exit codes: 0 everything is there, 2 something could not be tracked
(the rest is), or nothing: wrong usage, or no tracking server.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.registry.drafts import TRACKED
from delivery.registry.run_metrics import numbers
from delivery.registry.run_view import offer_view
from delivery.registry.server import connect, shown, tracking_uri
from delivery.registry.tracking import MODEL, experiment_of, is_absent, track
from delivery.revision.dvc_files import Remote
from delivery.revision.experiments import commits, experiments, find, has_results
from delivery.revision.revision import Revision
from delivery.revision.site_cache import private_site_cache
from stages.common.command import COULD_NOT, DONE, run_command
from stages.common.errors import BeHealthyError
from stages.common.wording import counted

if TYPE_CHECKING:
    from mlflow import MlflowClient


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = _parse(arguments)

    def work() -> int:
        failed = _track_all(revisions_to_track(options.rev, branches=options.all))
        return COULD_NOT if failed else DONE

    return run_command("track", work, within=private_site_cache())


def revisions_to_track(names: Sequence[str], root: Path = Path(), *, branches: bool = False) -> list[Revision]:
    """Return the revisions to track, oldest first, each once.

    Parameters
    ----------
    names : list of str
        Commits and experiments that were asked for; empty for all experiments and the current branch.
    root : Path
    branches : bool
        The commits of all local branches, where no names are given.
    """
    if names:
        revisions = [find(name, root) for name in names]
    else:
        listed = [*commits(root, branches=branches), *(experiment.revision for experiment in experiments(root))]
        revisions = [revision for revision in listed if has_results(revision)]
    return list({str(revision.sha): revision for revision in revisions}.values())


def _track_all(revisions: Sequence[Revision]) -> int:
    """Track each revision, say how it went, and return how many failed."""
    client, remote, failed = connect(), Remote(), 0
    from mlflow.exceptions import MlflowException

    before = _runs(client)
    offer_view(client, experiment_of(client))
    runs = []
    for place, revision in enumerate(revisions, start=1):
        where = f"{place}/{len(revisions)} {revision.name}"
        try:
            run = client.get_run(track(revision, client=client, remote=remote))
        except (BeHealthyError, MlflowException) as error:
            failed += 1
            print(f"track: {where}: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
            continue
        f1 = numbers(revision).get("evaluation.strict.micro.f1", float("nan"))
        model = "no model" if is_absent(run) else f"model {run.data.tags[MODEL]}"
        print(f"{where}: strict F1 {f1:.4f}, run {run.info.run_id}, {model}", flush=True)
        runs.append(run)
    new = sum(run.info.run_id not in before for run in runs)
    print(
        f"track: {counted(len(runs), 'run')} in {shown(tracking_uri())}, {new or 'none'} of them new", file=sys.stderr
    )
    if without := sum(map(is_absent, runs)):
        why = f"DVC's remote cannot be read ({remote.fault})" if remote.fault else f"their tag `{MODEL}` says why"
        print(f"track: {without} without a model: {why}; added when it can be had", file=sys.stderr)
    return failed


def _runs(client: MlflowClient) -> set[str]:
    experiment, page = experiment_of(client), None
    run_ids: set[str] = set()
    while True:
        some = client.search_runs([experiment], f"tags.{TRACKED} = 'complete'", page_token=page)
        run_ids.update(run.info.run_id for run in some)
        page = some.token
        if not page:
            return run_ids


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m delivery.track", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rev", nargs="+", default=[], help="only these commits or experiments")
    parser.add_argument("--all", action="store_true", help="the commits of all local branches, not only of this one")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
