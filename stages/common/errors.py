"""Errors that say where the fault is and what to do about it, and with which code a command ends on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar


class BeHealthyError(Exception):
    """Base of every error that a user can mend; printed without a traceback.

    Attributes
    ----------
    exit_code : int
        Of a command that ends on it: 2, something prevented what was asked. See `stages.common.command`.
    """

    exit_code: ClassVar[int] = 2


class RefusedError(BeHealthyError):
    """What was asked was judged, and the answer is no."""

    exit_code = 1


class ParameterError(BeHealthyError):
    """`params.yaml` has an unknown key or a value of the wrong type."""


class GateError(BeHealthyError):
    """The gate could not be computed."""


@dataclass
class AnnotationError(RefusedError):
    """An annotation batch that cannot be taken as it stands.

    Parameters
    ----------
    problem : str
        What is wrong. Never quotes note text: errors end up in logs.
    remedy : str
        What the user can do about it.
    file : str, optional
        File of the batch, relative to it.
    line : int, optional
        Line in the file, counted from 1.
    offset : int, optional
        Character offset in the document (or byte offset in the file), counted from 0.
    document : str, optional
        Identifier of the document.
    batch : str, optional
        Name of the batch; readers leave it to the caller.
    """

    problem: str
    remedy: str
    file: str | None = None
    line: int | None = None
    offset: int | None = None
    document: str | None = None
    batch: str | None = None

    def __str__(self) -> str:
        places = [
            f"{name} {value}"
            for name in ("batch", "file", "line", "document", "offset")
            if (value := getattr(self, name)) is not None
        ]
        where = f"{', '.join(places)}: " if places else ""
        return f"{where}{self.problem}. {self.remedy}."

    def within(self, batch: str) -> AnnotationError:
        """Return the same error with the name of its batch."""
        return replace(self, batch=batch)


@dataclass
class RequestError(AnnotationError):
    """A batch that was not looked at: it is not there, or cannot have the name or place that was asked for."""

    exit_code: ClassVar[int] = 2
