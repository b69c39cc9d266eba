"""A person at the desk: the note in hand, what the browser sends of it, and what is answered. Knows no Streamlit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from production.database.engine import database_session
from production.review.claiming import give_back, next_task
from production.review.decisions import LONGEST, parse
from production.review.drafts import Draft, keep_draft, read_draft
from production.review.handing_in import hand_in
from production.review.setup import Desk
from production.review.tasks import GoneError, Task
from stages.common.errors import BeHealthyError

Opened = Callable[[], AbstractContextManager[Desk]]


@dataclass
class Sitting:
    """One window of one person.

    Parameters
    ----------
    name : str
        As the person or the proxy writes it: in memory only.
    reviewer : str
        Pseudonym.
    pause : float
        Seconds of silence that still count as reading.
    task : Task, optional
        The note in hand.
    draft : Draft
        What was decided on it so far.
    turn : int
        How many notes were taken up.
    said : str
        The answer to what the browser sent last.
    good : bool
        Whether it was done.
    lost : bool
        Whether the note in hand is no longer the person's.
    answered : int
        The number of that which is answered.
    given_back : list of int
        Tasks that come last from now on.
    """

    name: str
    reviewer: str
    pause: float
    task: Task | None = None
    draft: Draft = field(default_factory=Draft)
    turn: int = 0
    said: str = ""
    good: bool = True
    lost: bool = False
    answered: int = 0
    given_back: list[int] = field(default_factory=list)

    @classmethod
    def begun(cls, desk: Desk, name: str, now: datetime) -> Self:
        """Sit down, and take a note."""
        sitting = cls(name, desk.reviewer(name), desk.params.pause_seconds)
        sitting.take_up(desk, now)
        return sitting

    def take_up(self, desk: Desk, now: datetime) -> None:
        """Take the note that was begun, or the next one."""
        self.task = next_task(desk.engine, self.reviewer, now, desk.params, last=self.given_back)
        self.draft = read_draft(desk.engine, self.task.task_id, self.reviewer) if self.task else Draft()
        self.turn += 1
        self.lost = False

    def shown(self) -> dict[str, Any]:
        """Return what the browser shows: clinical text."""
        assert self.task is not None
        return {
            "task": self.task.as_json(),
            "draft": dict(self.draft.decisions) or None,
            "turn": self.turn,
            "said": self.said,
            "good": self.good,
            "lost": self.lost,
            "answered": self.answered,
            "pause": self.pause,
        }

    def receive(self, opened: Opened, message: Mapping[str, Any], now: datetime) -> None:
        """Do what the browser asks for; what is refused is answered, and the note stays as it is there.

        Parameters
        ----------
        opened : callable
            Returns a context with the desk: a database that does not answer is an answer, too.
        message : mapping
            With its ``kind``, ``stamp``, ``task`` and ``decisions``.
        now : datetime
        """
        if self.task is None or message.get("task") != self.task.task_id or message.get("stamp") == self.answered:
            return  # of a note that has gone, or sent twice
        self.said, self.good = "", True
        try:
            with database_session(), opened() as desk:
                _KINDS[message["kind"]](self, desk, message["decisions"], now)
        except BeHealthyError as error:
            self.said, self.good = _sentence(error), False
            self.lost = isinstance(error, GoneError)
        except Exception as error:
            name = type(error).__name__
            sys.stderr.write(f"dashboard: the desk was stopped by an unforeseen {name}\n")
            self.said, self.good = f"Stopped by an unforeseen {name}: nothing was written.", False
        self.answered = message["stamp"]

    def _keep(self, desk: Desk, decisions: Mapping[str, Any], now: datetime) -> None:
        assert self.task is not None
        draft = Draft(self.draft.version, decisions)
        self.draft, _ = keep_draft(desk.engine, self.task, self.reviewer, draft, now, desk.params)

    def _hand_in(self, desk: Desk, decisions: Mapping[str, Any], now: datetime) -> None:
        assert self.task is not None
        spans, seconds = parse(decisions)
        capped = min(seconds, LONGEST) if isinstance(seconds, int | float) else seconds
        number = hand_in(desk.engine, self.task.task_id, self.reviewer, spans, capped, now)
        self.task, self.said = None, f"Handed in as review {number}."
        self.take_up(desk, now)

    def _give_back(self, desk: Desk, _: Mapping[str, Any], now: datetime) -> None:
        assert self.task is not None
        give_back(desk.engine, self.task.task_id, self.reviewer)
        self.given_back.append(self.task.task_id)
        self.task, self.said = None, "Given back."
        self.take_up(desk, now)

    def _next(self, desk: Desk, _: Mapping[str, Any], now: datetime) -> None:
        self.take_up(desk, now)


def _sentence(error: BeHealthyError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


_KINDS = {"draft": Sitting._keep, "done": Sitting._hand_in, "back": Sitting._give_back, "next": Sitting._next}
