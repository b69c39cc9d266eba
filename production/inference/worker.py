"""A worker: claims notes, takes them through the four steps, and writes what became of them, batch by batch."""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from production.database.engine import DatabaseError, kind_of
from production.inference import input_features_check, prediction_col_check
from production.inference.claims import WAITING, Scope, claimed
from production.inference.encode_data import Encoded
from production.inference.host import Found, NoteFailedError
from production.inference.load_model import Host, Loaded, Model
from production.inference.paired import TooManyPairsError, places_in
from production.inference.params import InferenceParams
from production.inference.writing import Outcome, write
from production.record.pairs import Sides
from stages.common.pseudonyms import pseudonym
from stages.monitor.serving import quarantined_row, serving_row

ATTEMPTS = 8
"""How often a batch is tried again while the database does not answer; with --watch without end."""
Measure = Callable[[Model, Sequence[Outcome], float], None]
"""Told of each look for notes: who would read them, what became of them (nothing where none waits), and the seconds."""
_LONGEST_PAUSE = 15.0
_PROGRESS_SECONDS = 10.0


@dataclass
class Worker:
    """Takes notes through the pipeline.

    Parameters
    ----------
    engine : Engine
    params : InferenceParams
    served : Loaded
        The champion.
    sides : Sides
        Labels that are paired.
    key : str
        Of the names in the serving log.
    scope : Scope
    shadow : Loaded, optional
        A version that is asked about the same notes, and whose results do not count.
    command : str, optional
        That it works for, in what is said.
    measure : callable, optional
        Told of each batch.
    """

    engine: Engine
    params: InferenceParams
    served: Loaded
    sides: Sides
    key: str
    scope: Scope = WAITING
    shadow: Loaded | None = None
    command: str = "infer"
    measure: Measure = lambda *_: None
    stopping: bool = field(default=False, init=False)
    counts: Counter[str] = field(default_factory=Counter, init=False)
    _after: int = field(default=0, init=False)

    def run(self, *, watch: bool = False) -> Counter[str]:
        """Work until no note waits that is not another worker's, or, with `watch`, until it is stopped.

        Raises
        ------
        DatabaseError
            When the database does not answer for minutes.
        """
        gc.freeze()  # libraries are no garbage: the collector need not go through them again and again
        failures, told = 0, time.monotonic()
        while not self.stopping:
            try:
                done = self.batch()
                failures = 0
            except (OperationalError, InterfaceError) as error:
                failures += 1
                self._wait_for_database(error, failures, watch)
                continue
            if not done and not watch:
                break
            if not done:
                self._pause(self.params.poll_seconds)
            elif time.monotonic() - told > _PROGRESS_SECONDS:
                told = time.monotonic()
                print(f"{self.command}: {self.summary()} so far", file=sys.stderr, flush=True)
        return self.counts

    def summary(self) -> str:
        """Say what was done."""
        return ", ".join(f"{self.counts[what]:,} {what}" for what in ("notes", "mentions", "quarantined"))

    def batch(self) -> int:
        """Do one batch; return how many notes were looked at, 0 where none waits."""
        model, host = self.served.current()
        after = self._after
        looked = self._from(after, model, host)
        if not looked and after:
            looked = self._from(0, model, host)  # what another worker left, or was corrected since
        return looked

    def _from(self, after: int, model: Model, host: Host) -> int:
        began, version, size = time.monotonic(), model.version, self.params.batch
        longest = self.params.note_characters
        with claimed(self.engine, self.scope.condition(version), after, size, longest) as claim:
            if not claim.notes:
                self._after = 0
                self.measure(model, (), 0.0)
                return 0
            outcomes = self._outcomes(claim.notes, host)
            hidden = self._shadowed([outcome.note for outcome in outcomes if outcome.found], version)
            with claim.writing() as connection:
                written = write(connection, version, outcomes, log_rate=self.params.log_rate)
                if hidden:
                    write(connection, hidden[0], hidden[1], shadow=True)
        self._after = outcomes[-1].note.key.note_id  # notes after a deadline are of this or a later number
        self._count(written, version)
        self.measure(model, written, time.monotonic() - began)
        return len(outcomes)

    def _outcomes(self, notes: Sequence[Encoded], host: Host) -> list[Outcome]:
        """Ask about notes until the time of a batch is over; at least about one."""
        refused = [input_features_check.problem_of(note.features, self.params) for note in notes]
        asked = [note.document.text for note, problem in zip(notes, refused, strict=True) if not problem]
        answers = iter(self._answers(asked, host))
        outcomes: list[Outcome] = []
        for note, problem in zip(notes, refused, strict=True):
            if problem:
                outcomes.append(self._set_aside(note, "input_features_check", problem, host.labels))
                continue
            found = next(answers, None)
            if found is None:
                break
            outcomes.append(self._outcome(note, found, host.labels))
        return outcomes

    def _answers(self, texts: Sequence[str], host: Host) -> list[Found | NoteFailedError]:
        """Let the model read while nothing else is done: at work at once, two processes cost each other a fifth."""
        over = time.monotonic() + self.params.batch_seconds
        found: list[Found | NoteFailedError] = []
        with closing(host.extract_all(_until(texts, over), self.params.note_seconds)) as answers:
            for answer in answers:
                found.append(answer)
                if time.monotonic() > over + self.params.note_seconds:
                    break  # what is on its way is slow: it waits for the next batch
        return found

    def _outcome(self, note: Encoded, found: Found | NoteFailedError, labels: Sequence[str]) -> Outcome:
        if isinstance(found, NoteFailedError):
            return self._set_aside(note, "encode_data", str(found), labels)
        text = note.document.text
        if problem := prediction_col_check.problem_of(found, text, labels):
            return self._set_aside(note, "prediction_col_check", problem, labels)
        try:
            places = places_in(text, found.mentions, self.sides, found.ends)
        except TooManyPairsError as error:
            return self._set_aside(note, "prediction_col_check", str(error), labels)
        return Outcome(note, found, places, logged=self._log_row(note, found, labels))

    def _set_aside(self, note: Encoded, step: str, reason: str, labels: Sequence[str]) -> Outcome:
        return Outcome(note, None, step=step, reason=reason, logged=self._log_row(note, None, labels))

    def _log_row(self, note: Encoded, found: Found | None, labels: Sequence[str]) -> dict[str, object] | None:
        """Return the row of the serving log where the note is drawn; the draw depends on the note and key alone."""
        if self.params.log_rate < 1 and self._drawn(note) >= self.params.log_rate:
            return None
        document = note.document
        if found:
            return serving_row(pseudonym(self.key, document.text), document, found, labels)
        characters = note.features.characters
        # of a note that is too long only the beginning was read, which others may have in common with it
        whole = document.text if characters == len(document.text) else note.key.text_hash
        return quarantined_row(pseudonym(self.key, whole), document, characters, labels)

    def _drawn(self, note: Encoded) -> float:
        return int(pseudonym(self.key, f"draw {note.key.note_id} {note.key.text_hash}"), 16) / 16**16

    def _shadowed(self, notes: Sequence[Encoded], champion: str) -> tuple[str, list[Outcome]] | None:
        if self.shadow is None:
            return None
        model, host = self.shadow.current()
        if model.version == champion:
            return None  # it was promoted
        return model.version, self._outcomes(notes, host)

    def _count(self, written: Sequence[Outcome], version: str) -> None:
        self.counts["notes"] += len(written)
        for outcome in written:
            if outcome.found:
                self.counts["mentions"] += len(outcome.found.mentions)
                continue
            self.counts["quarantined"] += 1
            if outcome.step == "prediction_col_check":
                where = f"note {outcome.note.key.note_id}, version {version}"
                said = f"ALERT: prediction_col_check: {where}: {outcome.reason}"
                print(f"{self.command}: {said}", file=sys.stderr, flush=True)

    def _wait_for_database(self, error: DBAPIError, failures: int, watch: bool) -> None:
        if failures > ATTEMPTS and not watch:
            raise DatabaseError(
                f"the database does not answer ({kind_of(error)}): start it or make room, and run the same again;"
                " no note is lost or done by half"
            ) from None
        said = f"the database does not answer ({kind_of(error)}); trying again"
        print(f"{self.command}: {said}", file=sys.stderr, flush=True)
        self.engine.dispose()
        self._pause(min(0.25 * 2**failures, _LONGEST_PAUSE))

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < end:
            time.sleep(min(0.2, seconds))


def _until(texts: Sequence[str], time_over: float) -> Iterator[str]:
    """Yield texts until the time is over; at least one."""
    for number, text in enumerate(texts):
        if number and time.monotonic() > time_over:
            return
        yield text
