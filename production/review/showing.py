"""A review as it stands, to look at again: for who corrects it, or decides between two readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from production.database.engine import reading
from production.database.review_tables import REVIEW_TASKS, REVIEWS
from production.review.decisions import CHANGE, MISSED, Decision
from production.review.keys import document_of
from production.review.reading import Review, read_reviews
from production.review.tasks import MENTION, SUGGESTION, ReviewError, Task, read_task

if TYPE_CHECKING:
    from sqlalchemy import Engine

RIGHT = ("start", "end", "label", "assertion")


@dataclass(frozen=True)
class Reviewed:
    """A note, and what was said of it last.

    Parameters
    ----------
    task : Task
    review : Review
    """

    task: Task
    review: Review

    def as_json(self) -> dict[str, Any]:
        """Return the note as `next` shows it, and the decisions in the form that `correct` takes: clinical text."""
        return {**self.task.as_json(), "review": self.review.review_id, "decisions": self.decisions()}

    def decisions(self) -> dict[str, Any]:
        """Return the decisions in the form that `done` and `correct` take."""
        of_kind = {
            f"{kind}s": [_answer(one) for one in self.review.decisions if one.kind == kind]
            for kind in (MENTION, SUGGESTION)
        }
        missed = [{name: getattr(one, name) for name in RIGHT} for one in self.review.decisions if one.kind == MISSED]
        return {"seconds": self.review.seconds, **of_kind, MISSED: missed}


def reviewed(engine: Engine, task_id: int) -> Reviewed:
    """Return a task that is done, with its newest review.

    Raises
    ------
    ReviewError
        When there is no such task, or nobody handed it in.
    """
    with reading(engine) as connection:
        task = read_task(connection, task_id)
        found = next(read_reviews(connection, REVIEW_TASKS.c.task_id == task_id), None)
    if found is None:
        raise ReviewError(f"task {task_id} was not handed in yet: `next` shows it to who has it")
    return Reviewed(task, found)


def tasks_of_documents(engine: Engine, key: str) -> dict[str, list[int]]:
    """Return the tasks of audited notes by the names that these have outside the database."""
    columns = REVIEW_TASKS.c
    query = sa.select(columns.note_id, columns.text_hash, columns.task_id).join(REVIEWS).distinct()
    found: dict[str, list[int]] = {}
    with reading(engine) as connection:
        for note_id, text_hash, task_id in connection.execute(
            query.where(columns.stream == "audit").order_by(columns.place, columns.task_id)
        ):
            found.setdefault(document_of(key, note_id, text_hash), []).append(task_id)
    return found


def _answer(one: Decision) -> dict[str, Any]:
    right = {name: getattr(one, name) for name in RIGHT} if one.decision == CHANGE else {}
    return {"number": one.shown, "decision": one.decision, **right}
