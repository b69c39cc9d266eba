"""Which mentions and notes need no person, so that what was promised is kept; `promises` chooses the thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Self

from stages.common.checked import Header, read_header
from stages.common.files import write_json
from stages.common.params import Share


class _Promise(Header):
    """What the file of an `Acceptance` says."""

    promised: Share
    risk: Share
    thresholds: dict[str, Share | None]
    suggestion: Share
    whole_promised: Share
    whole: Share | None


@dataclass(frozen=True)
class Acceptance:
    """The promises, and the thresholds that keep them.

    Parameters
    ----------
    promised : float
        Precision of the accepted mentions, label by label.
    risk : float
        Largest probability with which the promise of one label, or that of the notes, may fail.
    thresholds : mapping of str to float or None
        By label; None where no threshold could be shown to keep the promise: nothing of the label is accepted.
    suggestion : float
        Confidence from which a span that is no mention is shown to a person as a suggestion; 1: none is.
    whole_promised : float
        Share of the notes accepted whole in which nothing is wrong and nothing is missing.
    whole : float or None
        Product of the confidences of its mentions from which a note may be accepted whole; None: no note is.
    """

    promised: float
    risk: float
    thresholds: Mapping[str, float | None] = field(default_factory=dict)
    suggestion: float = 1.0
    whole_promised: float = 1.0
    whole: float | None = None

    def accepts(self, label: str, confidence: float) -> bool:
        """Tell whether a mention needs no person."""
        threshold = self.thresholds.get(label)
        return threshold is not None and confidence >= threshold

    def accepts_whole(self, mentions: Iterable[tuple[str, float]], suggestions: int) -> bool:
        """Tell whether a note needs no person, as far as labels and confidence can say.

        Parameters
        ----------
        mentions : iterable of (label, confidence)
        suggestions : int
            How many spans beside the mentions are held possible.
        """
        found = list(mentions)
        if self.whole is None or not is_whole([self.accepts(*mention) for mention in found], suggestions):
            return False
        return prod(confidence for _, confidence in found) >= self.whole

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self), digits=6)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ModelError
            When the file is missing, or holds anything but shares of one.
        """
        return cls(**read_header(path, _Promise).model_dump())


def is_whole(accepted: Sequence[bool], suggestions: int) -> bool:
    """Tell whether a note can be accepted whole at all.

    Where nothing was found there is nothing to be sure of, and where something may be missing a person looks.

    Parameters
    ----------
    accepted : sequence of bool
        Of each mention of the note.
    suggestions : int
        How many spans beside the mentions are held possible.
    """
    return bool(accepted) and all(accepted) and not suggestions


NOTHING_ACCEPTED = Acceptance(promised=1.0, risk=0.0)
"""For a model without a promise: a person sees everything."""
