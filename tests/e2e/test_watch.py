"""A year under watch: weekly windows, reviewers with a budget, alerts and triggers that arrive, processes that die.

On SQLite and on a real PostgreSQL. Messages go to a webhook, a mail server and Airflow's REST API as it is documented,
all on the loopback. `make e2e-watch`; the table that it prints is what was decided, against the truth.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from production.database.engine import reading
from production.database.watch_tables import ALERTS, DECISIONS, OUTBOX, WATCH_WINDOWS
from production.review.estimates import precision
from production.review.evidence import audited
from production.watch.chain import verify
from production.watch.channels import load_channels
from production.watch.params import TriggerParams
from stages.common.variables import AIRFLOW_PASSWORD, AIRFLOW_USER, DATABASE, LOG_KEY
from stages.common.variables import ALERTS as ADDRESSES
from stages.monitor.audited import ALL
from tests.production import KEY, empty, sqlite_url
from tests.receivers import Airflow, Mail, Webhook, airflow, mail, webhook
from tests.repository import ROOT
from tests.servers import postgres
from tests.simulated_year import NOTES, WEEKS, YEAR_PARAMS, Truth, Year

pytestmark = pytest.mark.slow

ONSET = 26
"""The week in which it begins."""
TABLE = ROOT / "reports/e2e-watch.txt"
KILLS = int(os.environ.get("KILLS", "50"))


def quiet(week: int) -> Truth:
    return Truth()


def sudden(week: int) -> Truth:
    return Truth(drift=0.15 if week >= ONSET else 0.0)


def slow(week: int) -> Truth:
    return Truth(drift=min(0.12, max(0.0, week - 10) * 0.006))


def harmed(week: int) -> Truth:
    return Truth(drift=0.07, precision=0.85) if week >= ONSET else Truth()


def falling(week: int) -> Truth:
    return Truth(precision=0.87) if week >= ONSET else Truth()


@dataclass
class Post:
    """Who is told."""

    hook: Webhook
    mail: Mail
    airflow: Airflow
    stack: ExitStack = field(repr=False)

    @property
    def trigger(self) -> TriggerParams:
        given = {"event": "retrain", "dag": "retrain", "words": [], "seconds": 60.0}
        return TriggerParams(kind="airflow", url=self.airflow.url, **given)


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    with ExitStack() as stack:
        made = Post(*(stack.enter_context(one()) for one in (webhook, mail, airflow)), stack)
        monkeypatch.setenv(ADDRESSES, f"ops={made.hook.url()} team={made.mail.url}")
        monkeypatch.setenv(AIRFLOW_USER, "watch")
        monkeypatch.setenv(AIRFLOW_PASSWORD, "hunter2")
        monkeypatch.setenv(LOG_KEY, KEY)
        yield made


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    made = empty(sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgresql"))
    yield made
    made.dispose()


@dataclass
class Lived:
    """What a year came to."""

    decisions: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    reviewed: int = 0

    def first(self, *decisions: str, since: int = 0) -> int | None:
        return next((week for week, one in self.decisions.items() if week >= since and one in decisions), None)


def note(line: str) -> None:
    """Add a line to the table, which `make e2e-watch` shows: whatever process of the tests it comes from."""
    TABLE.parent.mkdir(exist_ok=True)
    with TABLE.open("a", encoding="utf-8") as table:
        table.write(f"{line}\n")


def live(year: Year) -> Lived:
    lived = Lived()
    for told in year.weeks():
        lived.decisions[told.week] = told.judged.finding.decision
        lived.reasons[told.week] = " ".join(told.judged.finding.reasons)
        lived.reviewed += told.reviewed
    return lived


def kinds(engine: Engine) -> Counter[str]:
    with reading(engine) as connection:
        return Counter(connection.execute(select(DECISIONS.c.kind)).scalars())


def told(engine: Engine, kind: str) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        bodies = connection.execute(select(DECISIONS.c.body).where(DECISIONS.c.kind == kind).order_by("number"))
        return [json.loads(body) for body in bodies.scalars()]


SCENARIOS = {"quiet": quiet, "sudden": sudden, "slow": slow, "drift with harm": harmed, "precision falls": falling}
ALARMS = ("retrain", "retrain_and_alert", "size_uncertain", "redevelop", "unknown")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_year(name: str, engine: Engine, post: Post, tmp_path: Path) -> None:
    params = YEAR_PARAMS.model_copy(update={"trigger": post.trigger})
    year = Year(engine, tmp_path, SCENARIOS[name], load_channels(params), params)
    lived = live(year)
    found = lived.first(*ALARMS)
    happened = kinds(engine)
    estimate = quarter(year)
    check_year(name, lived, found, happened)
    check_post(engine, post)
    truth = SCENARIOS[name](WEEKS - 1).precision
    assert estimate.low <= truth <= estimate.high
    with reading(engine) as connection:
        assert verify(connection).number is None
    note(
        f"{name}, {engine.dialect.name}: {len(lived.decisions)} windows of {NOTES}, {lived.reviewed:,} reviewed;"
        f" first {lived.decisions.get(found, 'none') if found is not None else 'no alarm'} in week {found};"
        f" {dict(Counter(lived.decisions.values()))}; followed by {dict(happened)};"
        f" precision {estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f}), truly {truth}"
    )


def quarter(year: Year) -> Any:
    """Return the precision of the accepted mentions in the last quarter, as audits have it."""
    end = year.monday + timedelta(weeks=WEEKS)
    notes, frame = audited(year.engine, "1", end - timedelta(weeks=13))
    return precision(notes, frame.strata, ALL, accepted=True)


def check_year(name: str, lived: Lived, found: int | None, happened: Counter[str]) -> None:
    assert len(lived.decisions) == WEEKS
    assert "unknown" not in lived.decisions.values()
    if name == "quiet":
        assert found is None
        assert not happened["trigger"] + happened["alert"]
        return
    assert found is not None
    assert happened["alert"] or happened["trigger"]
    if name == "sudden":
        assert ONSET <= found <= ONSET + 3
        late = [lived.decisions[week] for week in range(ONSET + 4, WEEKS)]
        assert set(late) <= {"redevelop", "retrain_and_alert"}  # 15%, whatever was before; audits may say that it holds
        assert "an audit finds that quality holds" in " ".join(lived.reasons.values())
    elif name == "slow":
        assert found > 10
        assert 1 <= happened["trigger"] <= (WEEKS - found) * 7 / 14 + 1  # never twice within the cool-down
    elif name == "drift with harm":
        assert found >= ONSET
        assert lived.first("redevelop", since=ONSET) is not None
        assert "an audit finds that quality falls" in " ".join(lived.reasons.values())
    else:
        assert ONSET <= found <= ONSET + 10
        assert lived.decisions[found] == "retrain_and_alert"
        assert "an audit finds that quality falls" in lived.reasons[found]
        assert happened["trigger"] >= 1


def check_post(engine: Engine, post: Post) -> None:
    """What was decided to be told arrived, each once at a receiver that drops doubles by id."""
    with reading(engine) as connection:
        sent = connection.execute(select(OUTBOX.c.channel, OUTBOX.c.message_id, OUTBOX.c.delivered_at)).all()
    assert all(row.delivered_at is not None for row in sent)
    by_channel = {name: {row.message_id for row in sent if row.channel == name} for name in ("ops", "team", "trigger")}
    assert set(post.hook.kept) == by_channel["ops"]
    assert {letter["Idempotency-Key"] for letter in post.mail.received} == by_channel["team"]
    assert set(post.airflow.runs) == by_channel["trigger"]


# -- processes that die


def prepare(engine: Engine, folder: Path, params: Any) -> Year:
    """Live through a year of which nothing was watched: its end is now."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday()) - timedelta(weeks=WEEKS)
    year = Year(engine, folder, sudden, load_channels(params), params, monday=monday, sending=False)
    for week in range(WEEKS):
        year.serve(week)
    return year


def settings(folder: Path, post: Post) -> Path:
    """Write parameters into a folder of their own, in which the commands run."""
    import yaml

    given = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    given["watch"] |= {
        "reference_notes": 8 * NOTES, "trigger": post.trigger.model_dump(), "retry_seconds": 1.0, "poll_seconds": 0.1
    }  # fmt: skip
    given["monitor"] |= {"columns": ["speciality", "tokens", "mentions", "confidence"], "slices": []}
    folder.mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")
    return folder


def start(place: Path, engine: Engine, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), DATABASE: engine.url.render_as_string(hide_password=False)}
    with (place / "said").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "production.watch", *arguments],
            cwd=place, env=environment, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip


def judged(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(WATCH_WINDOWS)).scalar_one())


def waiting(engine: Engine) -> int:
    with reading(engine) as connection:
        query = select(func.count()).select_from(OUTBOX).where(OUTBOX.c.delivered_at.is_(None))
        return int(connection.execute(query).scalar_one())


def test_killed_at_any_point_nothing_is_lost_or_told_twice(engine: Engine, post: Post, tmp_path: Path) -> None:
    """Watches and senders are killed until a year is judged and told; then all is as if none had been."""
    kills = KILLS if engine.dialect.name == "sqlite" else KILLS // 2
    params = YEAR_PARAMS.model_copy(update={"trigger": post.trigger})
    year = prepare(engine, tmp_path, params)
    place, chance, killed = settings(tmp_path / "place", post), random.Random(3), Counter[str]()
    run = ("run", "--profile", str(year.profile))
    while killed.total() < kills:
        what = ("run", "send")[killed.total() % 2]
        process = start(place, engine, *(run if what == "run" else ("send", "--watch")))
        done = process.poll()
        end = time.monotonic() + chance.uniform(0.5, 6.0)
        while time.monotonic() < end and (done := process.poll()) is None:
            time.sleep(0.02)
        if done is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed[what] += 1
            process.wait(10)
        else:
            killed[f"{what} at rest"] += 1
    finish(place, engine, run)
    assert judged(engine) == WEEKS
    assert check_windows(engine)
    check_post(engine, post)
    assert len(post.airflow.runs) == kinds(engine)["trigger"]
    with reading(engine) as connection:
        assert verify(connection).number is None
    note(f"{engine.dialect.name}: {dict(killed)} killed; {dict(kinds(engine))}; {len(post.hook.received)} posts")


def finish(place: Path, engine: Engine, run: tuple[str, ...]) -> None:
    assert start(place, engine, *run).wait(300) in (0, 1), (place / "said").read_text()[-2000:]
    limit = time.monotonic() + 120
    while waiting(engine) and time.monotonic() < limit:
        start(place, engine, "send").wait(60)
    assert not waiting(engine), (place / "said").read_text()[-2000:]


def check_windows(engine: Engine) -> bool:
    """Every window once, each with its decision, and at most one open alert of a topic."""
    with reading(engine) as connection:
        windows = connection.execute(select(WATCH_WINDOWS.c.name, WATCH_WINDOWS.c.decided_by)).all()
        decided = set(connection.execute(select(DECISIONS.c.number).where(DECISIONS.c.kind == "window")).scalars())
        opened = Counter(connection.execute(select(ALERTS.c.topic).where(ALERTS.c.closed_at.is_(None))).scalars())
    assert {row.decided_by for row in windows} == decided
    assert len({row.name for row in windows}) == len(windows)
    return all(number == 1 for number in opened.values())
