"""What happened when: a table of simulated and of real time, which the tests print and the docs show."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

HEAD = ("part", "in the story (UTC)", "after", "what happened")


@dataclass
class Story:
    """Events in the order in which they came.

    Parameters
    ----------
    file : Path
        Rewritten with every event: a story that breaks off can be read, too.
    """

    file: Path
    events: list[tuple[str, str, str, str]] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def tell(self, part: str, at: datetime | str, what: str) -> None:
        """Add an event."""
        seconds = int(time.monotonic() - self.begun)
        when = at if isinstance(at, str) else f"{at:%a %Y-%m-%d %H:%M}"
        self.events.append((part, when, f"{seconds // 60}:{seconds % 60:02}", what))
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """Return the table."""
        widths = [max(len(row[place]) for row in (HEAD, *self.events)) for place in range(3)]
        lines = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
            for row in (HEAD, *self.events)
        ]
        return "\n".join(lines) + "\n"
