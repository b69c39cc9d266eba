"""The watch at work: every window that is over and was not judged, one after the other, each kept as it was found."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from sqlalchemy import Engine

from production.review.quality import Promise
from production.watch.channels import Channels
from production.watch.consequences import Consequences
from production.watch.judging import Judged, Reign
from production.watch.keeping import (
    AlreadyJudgedError,
    Champion,
    ReignOverError,
    champion,
    changed_since,
    judged_before,
    keep,
    reference_of,
)
from production.watch.params import WatchParams
from production.watch.periods import Period, Scheme, periods
from production.watch.serving import InDatabase, InFolder, Served
from stages.common.errors import BeHealthyError
from stages.common.labels import model_columns
from stages.monitor.invocation import TRAINING_PROFILE
from stages.monitor.params import MonitorParams
from stages.monitor.reading import EXPORT

COUNT = "count-"


@dataclass(frozen=True)
class Place:
    """Where the watch looks, and by which parameters.

    Parameters
    ----------
    engine : Engine
    params : WatchParams
    monitor : MonitorParams
    promised : float
        Precision of the accepted mentions.
    channels : Channels
        To whom what follows is told.
    profile : Path
        The training profile.
    log : Path or None
        A folder of the serving log in place of the database's own rows.
    """

    engine: Engine
    params: WatchParams
    monitor: MonitorParams
    promised: float
    channels: Channels
    profile: Path = TRAINING_PROFILE
    log: Path | None = None


def watch(
    place: Place, now: datetime, on_judged: Callable[[Judged, Consequences], None] | None = None
) -> Iterator[Judged]:
    """Judge and keep the windows that are over and were not judged yet, in their order.

    Parameters
    ----------
    place : Place
    now : datetime
    on_judged : callable, optional
        Told of each window, and of what follows from it.

    Yields
    ------
    Judged
        Each after it was kept; what another process kept meanwhile is left out.
    """
    at_work = champion(place.engine)
    if at_work.is_ahead(now):
        raise BeHealthyError(
            f"version {at_work.version} is at work since {at_work.start:%Y-%m-%d %H:%M} UTC, which is in time to come:"
            " set the clock; a later promotion, or `python -m production.watch reset` after a reset, begins anew"
        )
    monitor = place.monitor.watching(at_work.labels)
    served = _served(place, at_work, monitor)
    scheme = place.params.window
    promise = Promise(place.engine, at_work.version, at_work.labels, place.promised, at_work.since)
    before = judged_before(place.engine, scheme, at_work)
    reign = Reign(
        served,
        at_work.version,
        place.params,
        monitor,
        place.profile,
        cache(partial(promise.quality, now)),  # of all reviews: the same for every window of this run
        promise.of_changed,
        reference_of(place.engine, scheme, at_work),
        changed_since(place.engine, scheme, at_work),
    )
    reign.remember(before)
    known = {(period.name, period.since) for period in before}
    over = [one for one in _over(served, scheme, at_work, before, now) if (one.name, one.since) not in known]
    for number, period in enumerate(over, start=1):
        judged = reign.judge(period, newest=number == len(over))
        try:
            follows = keep(place.engine, scheme, judged, now, place.params, place.channels)
        except (AlreadyJudgedError, ReignOverError) as error:
            print(f"watch: {error}", file=sys.stderr)
            return  # the other one, or the next run, goes on from there
        if on_judged:
            on_judged(judged, follows)
        yield judged


def _served(place: Place, at_work: Champion, monitor: MonitorParams) -> Served:
    if place.log is None:
        return InDatabase(place.engine, at_work.version)
    if not place.log.is_dir():  # what cannot be read there is `unknown`, for good; a slip of the pen should not be
        raise BeHealthyError(f"there is no folder {place.log}: {EXPORT}, or leave --log out")
    return InFolder(place.log, at_work.version, {*monitor.columns, *monitor.slices, *model_columns(())})


def _over(served: Served, scheme: str, at_work: Champion, before: Sequence[Period], now: datetime) -> Iterable[Period]:
    if not scheme.startswith(COUNT):
        days: Scheme = "day" if scheme == "day" else "week"
        return periods(days, at_work.start, now)
    if not isinstance(served, InDatabase):
        raise BeHealthyError(
            f"windows of {scheme} rows are those of the database: leave --log out, or take day or week"
        )
    # Rows that were deleted must not move the windows, or those that are left would be judged again.
    after = max((period.last or 0 for period in before), default=0)
    return served.counted(int(scheme.removeprefix(COUNT)), at_work.start, now, after)
