"""Messages that follow from decisions: rows, written with the decision, that a sender takes to their channels.

The id of a message follows from its decision, channel and purpose: written twice it is one row, sent twice the
receiver knows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from production.database.watch_tables import OUTBOX
from production.watch.chain import Link, canonical
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Envelope:
    """What is known of a message before its content.

    Parameters
    ----------
    decision : Link
        That it tells of.
    channel, purpose, topic : str
        Where to, what for (start, opened, worse, changed, reminder, over), about what.
    """

    decision: Link
    channel: str
    purpose: str
    topic: str

    @property
    def message_id(self) -> str:
        """Return the same 64 characters for the same message."""
        parts = (str(self.decision.number), self.decision.hash, self.channel, self.purpose)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def put(connection: Connection, envelope: Envelope, content: Mapping[str, Any], now: datetime) -> str:
    """Write a message, if it is not there yet; return its id."""
    message_id, decision = envelope.message_id, envelope.decision
    if connection.execute(select(OUTBOX.c.attempts).where(OUTBOX.c.message_id == message_id)).first() is None:
        row = {
            "message_id": message_id,
            "decided_by": decision.number,
            "channel": envelope.channel,
            "topic": envelope.topic,
            "body": canonical(
                {
                    **content,
                    "topic": envelope.topic,
                    "purpose": envelope.purpose,
                    "decision": {"number": decision.number, "hash": decision.hash},
                }
            ),
            "created_at": as_utc(now),
            "attempts": 0,
            "next_at": as_utc(now),
        }
        connection.execute(insert(OUTBOX), row)
    return message_id
