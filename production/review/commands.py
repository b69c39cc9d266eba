"""The commands of this room: what they do, and what they say."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from production.record.work_tree import refuse_shared
from production.review.agreement import Agreed, agreement_of
from production.review.claiming import further_tasks, give_back, next_task
from production.review.decisions import Decision, parse
from production.review.exporting import BATCH, DOUBLE, collect, write_batch
from production.review.handing_in import correct, hand_in
from production.review.label_studio import TOOL, encode, take_in
from production.review.planning import plan
from production.review.setup import Desk
from production.review.showing import reviewed, tasks_of_documents
from production.review.status import Status, status_of
from production.review.tasks import ReviewError, Task
from production.terminal import on_one_line, printable
from stages.common.command import DONE, REFUSED
from stages.common.errors import BeHealthyError
from stages.common.files import replacing
from stages.common.labels import load_labels
from stages.common.wording import agreeing, counted
from stages.evaluate.params import load_params as load_evaluate

HOLDS = "it holds notes"


def run_plan(_: argparse.Namespace) -> None:
    """Plan, and say what."""
    desk = Desk.open()
    planned = plan(desk.engine, desk.drawing(), datetime.now(UTC))
    if planned is None:
        print("review: nothing new to plan; results of the last minute are left to the next plan: run it again then")
        return
    print(
        f"review: version {planned.window.version}, {counted(planned.notes, 'note')} written before"
        f" {planned.window.until:%Y-%m-%d %H:%M}: {planned.audit:,} drawn for the audit of"
        f" {counted(round(planned.minutes), 'minute')}, {planned.double:,} of them for two readers;"
        f" {planned.work:,} to work on"
    )


def run_next(options: argparse.Namespace) -> None:
    """Claim, and print the note."""
    desk = Desk.open()
    reviewer = desk.reviewer(options.reviewer)
    task = next_task(desk.engine, reviewer, datetime.now(UTC), desk.params, options.stream)
    if options.json:
        print(json.dumps(task.as_json() if task else None, ensure_ascii=False, indent=2))
    elif task is None:
        print("review: no note is open that you may have: `python -m production.review status` says what is where")
    else:
        _show(task)


def _show(task: Task) -> None:
    until = "handed in" if task.done else f"yours until {task.until:%Y-%m-%d %H:%M} UTC" if task.until else "open"
    print(f"task {task.task_id}: {on_one_line(f'{task.source}/{task.source_id}')}, {until}\n")
    print(printable(task.text), end="\n\n")
    for span in task.spans:
        surface = on_one_line(task.text[span.start : span.end])
        accepted = ", accepted" if span.accepted else ""
        said = f"{span.label}, {span.assertion}, {span.confidence:.2f}{accepted}"
        print(f"{span.kind:10} {span.number:3}  {span.start}-{span.end}  {surface}  ({said})")


def run_show(options: argparse.Namespace) -> None:
    """Print a note that was handed in, and what was decided."""
    found = reviewed(Desk.open().engine, options.number)
    if options.json:
        print(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
        return
    _show(found.task)
    number = found.review.review_id
    print(f"\nreview {number} of it, in the form that `correct --review {number}` takes:")
    print(json.dumps(found.decisions(), ensure_ascii=False))


def run_done(options: argparse.Namespace) -> None:
    """Hand in decisions, or correct a review by them."""
    desk = Desk.open()
    decisions, seconds = _decisions(options.file)
    write: Callable[..., int] = hand_in if options.command == "done" else correct
    by = desk.reviewer(options.reviewer)
    review_id = write(desk.engine, options.number, by, decisions, seconds, datetime.now(UTC))
    print(f"review: written as review {review_id}; to change it: `python -m production.review correct`")


def _decisions(file: str) -> tuple[list[Decision], float]:
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return parse(json.loads(content, object_pairs_hook=_object))
    except (ValueError, RecursionError):  # says what it could not read, which may be of a note
        raise ReviewError("the decisions are no JSON: see python -m production.review done --help") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: one of the two decisions would be lost."""
    entry = dict(pairs)
    if len(entry) < len(pairs):
        raise ReviewError("the decisions have an object with the same key twice: keep one of the two")
    return entry


def run_give_back(options: argparse.Namespace) -> None:
    """Give a note back."""
    desk = Desk.open()
    give_back(desk.engine, options.number, desk.reviewer(options.reviewer))
    print(f"review: task {options.number} is open again")


def run_status(options: argparse.Namespace) -> None:
    """Say how far the reviews are."""
    desk = Desk.open()
    status, agreed = status_of(desk.engine, datetime.now(UTC)), _agreement(desk)
    if options.json:
        strict = agreed.strict._asdict() if agreed else None
        shown = {**status.as_json(), "weekly_minutes": desk.params.weekly_minutes, "agreement": strict}
        print(json.dumps(shown, indent=2))
    else:
        _show_status(status, desk, agreed)


def _show_status(status: Status, desk: Desk, agreed: Agreed | None) -> None:
    until = (
        f"planned until {status.planned_until:%Y-%m-%d %H:%M} UTC"
        if status.planned_until
        else "nothing is planned yet: `python -m production.review plan`"
    )
    print(f"review: {until}")
    print(f"{'':20}{'open':>10}{'claimed':>10}{'done':>10}")
    for one in status.counts:
        print(f"{f'{one.stream}, {one.stratum}':20}{one.open:10,}{one.claimed:10,}{one.done:10,}")
    budget = f"of {desk.params.weekly_minutes:,.0f} minutes"
    print(f"audit: {status.minutes:,.0f} {budget} in the last week; {status.waiting:,.0f} more minutes are waiting")
    if agreed and agreed.strict.value is not None:
        notes, strict = counted(len(agreed.panel.shared), "note"), agreed.strict
        print(f"agreement: strict F1 {strict.value:.3f} ({strict.low:.3f}-{strict.high:.3f}) on {notes} of two readers")


def run_estimate(options: argparse.Namespace) -> int:
    """Say how right the champion is."""
    from production.review.estimating import known
    from stages.train.params import load_params as load_train

    desk, promised = Desk.open(), load_train().acceptance.precision
    found = known(desk.engine, promised, desk.drawing().slices, datetime.now(UTC), options.since)
    if options.json:
        print(json.dumps(found.as_json(), indent=2, allow_nan=False))
    elif not found.reviewed:
        raise BeHealthyError(
            "no audited note was handed in yet: read some at the desk (`make dashboard`, page Review);"
            " `python -m production.review plan` draws them"
        )
    else:
        print("\n".join(map(printable, found.lines())))
    return REFUSED if found.quality.watched.found is not None else DONE


def run_agreement(_: argparse.Namespace) -> None:
    """Compare those who read the same notes."""
    from annotation.agreement.output import lines_of

    desk = Desk.open()
    agreed = _agreement(desk)
    if agreed is None:
        raise BeHealthyError("no note was read by two people yet: review.double in params.yaml says how many are to be")
    print("\n".join(lines_of(agreed.panel, agreed.scores, agreed.stretches, agreed.disputes, 20)))
    tasks = tasks_of_documents(desk.engine, desk.key)
    for document in sorted({one.document for one in agreed.disputes}):
        both = tasks[document]
        print(f"{document}: tasks {', '.join(map(str, both))}: `show --task {both[0]}`, then correct its review")


def _agreement(desk: Desk) -> Agreed | None:
    params = load_evaluate()
    return agreement_of(desk.engine, desk.key, resamples=params.resamples, seed=params.seed)


def run_export(options: argparse.Namespace) -> None:
    """Write a batch, and say how to add it."""
    if options.inbox:
        return _export_new(options)
    refuse_shared(options.to.resolve(), holds=HOLDS)
    desk = Desk.open()
    export = collect(desk.engine, desk.key, options.since, options.stream)
    write_batch(export, options.to)
    mentions = counted(sum(len(one.document.mentions) for one in export.final), "mention")
    minutes = counted(round(sum(one.document.seconds or 0.0 for one in export.final) / 60), "minute")
    print(f"review: {counted(len(export.final), 'note')} with {mentions}, {minutes}: {options.to}")
    if export.left_out:
        print(agreeing(export.left_out, "note/notes with control characters is/are left out"))
    labels = ",".join(load_labels())
    print("next:")
    print(f"  python -m annotation.add {options.to / BATCH} --format label-studio --annotates {labels} --name NAME")
    if export.double:
        print(f"  python -m annotation.agreement {options.to / DOUBLE} --format label-studio")


def _export_new(options: argparse.Namespace) -> None:
    from production.database.engine import ensure_private
    from production.review.inbox import put
    from stages.common.locks import locked

    inbox = options.inbox.resolve()
    refuse_shared(inbox, option="--inbox", holds=HOLDS)
    desk = Desk.open()
    ensure_private(inbox.parent)
    with locked(inbox, "exporting reviewed notes"):  # two at once would put the same notes into two batches
        made = put(desk.engine, desk.key, options.inbox, datetime.now(UTC), options.at_least, options.stream)
    if made.path is None:
        least = f"a batch has {options.at_least} at least"
        print(f"review: {counted(made.notes, 'note')} to export since the last batch, and {least}: nothing was written")
    else:
        print(f"review: {counted(made.notes, 'note')}: {made.path}")
        print(f"next: `python -m annotation.inbox {options.inbox}`")


def run_export_tasks(options: argparse.Namespace) -> None:
    """Claim notes for Label Studio; where they cannot be written, they are open again."""
    refuse_shared(options.to.resolve(), holds=HOLDS)
    if options.to.exists():
        raise BeHealthyError(f"{options.to} exists, and someone may be annotating it: choose another name")
    desk = Desk.open()
    kept = desk.params.model_copy(update={"claim_minutes": options.days * 1440.0})
    holder = desk.reviewer(TOOL)
    tasks = further_tasks(desk.engine, holder, datetime.now(UTC), kept, options.count, options.stream)
    if not tasks:
        print("review: no note is open: `python -m production.review plan` queues what came since the last plan")
        return
    try:
        with replacing(options.to, private=True) as file:
            file.write(encode(tasks, desk.key))
    except BaseException:
        _give_all_back(desk, tasks, holder)
        raise
    print(f"review: {counted(len(tasks), 'note')}, kept for {counted(options.days, 'day')}: {options.to}")
    print("next: import it into a project with annotation/label_studio/adjudication.xml, and its JSON export here")


def _give_all_back(desk: Desk, tasks: Iterable[Task], holder: str) -> None:
    for task in tasks:
        give_back(desk.engine, task.task_id, holder)


def run_import(options: argparse.Namespace) -> int:
    """Hand in what was annotated, and say what could not be."""
    desk = Desk.open()
    done = take_in(desk.engine, options.file, desk.key, desk.reviewer(TOOL), datetime.now(UTC))
    for fault in done.faults:
        print(f"refused: {fault}", file=sys.stderr)
    known = f", {done.before:,} handed in before" if done.before else ""
    skipped = f", {done.skipped:,} skipped or not begun" if done.skipped else ""
    refused = f", {len(done.faults):,} refused" if done.faults else ""
    print(f"review: {counted(done.written, 'review')} written{known}{skipped}{refused}")
    return REFUSED if done.faults else DONE


COMMANDS: dict[str, Callable[[Any], int | None]] = {
    "plan": run_plan,
    "next": run_next,
    "done": run_done,
    "correct": run_done,
    "show": run_show,
    "give-back": run_give_back,
    "status": run_status,
    "estimate": run_estimate,
    "agreement": run_agreement,
    "export": run_export,
    "export-tasks": run_export_tasks,
    "import": run_import,
}
