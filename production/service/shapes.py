"""What is asked and answered: Presidio's shape, CogStack's, and that of errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from production.inference.host import Found, FoundMention, NoteFailedError

NOTE = "Known COPD, no asthma. Start tiotropium 18 mcg once daily."
"""An invented note, in the documentation."""


class _Asked(BaseModel):
    """Of a type it is or it is refused; what a client sends beyond is not read."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, hide_input_in_errors=True)


def _whole(text: str) -> str:
    text.encode()  # a lone surrogate is half a character, and no text
    return text


NoteText = Annotated[str, AfterValidator(_whole), Field(examples=[NOTE])]


Word = Annotated[str, AfterValidator(_whole), Field(max_length=100)]


class Metadata(_Asked):
    """What is known of a note beside its text: nothing that the model reads, but what drift can be seen in."""

    note_type: Word | None = None
    speciality: Word | None = None
    sex: Word | None = None
    age_band: Word | None = None
    month: Word | None = None

    def known(self) -> dict[str, str]:
        """Return what was said."""
        return {name: str(value) for name, value in self if value}


_FOR_THE_LOG = Field(default=None, description="for the serving log; other names are left out")


class Analyze(_Asked):
    """A note, as Presidio's analyzer takes it."""

    text: NoteText
    metadata: Metadata | None = _FOR_THE_LOG
    language: Literal["en"] = Field(default="en", description="the model reads English")
    entities: list[str] | None = Field(default=None, description="labels to answer; all without it")
    score_threshold: float | None = Field(default=None, ge=0, le=1, description="least confidence to answer")


class Entity(BaseModel):
    """A mention: ``text[start:end]``."""

    entity_type: str
    start: int
    end: int
    score: float = Field(description="calibrated confidence")
    accepted: bool = Field(description="needs no person, at the promised precision")
    assertion: str = Field(description="what the mention says of the patient")


class Content(_Asked):
    """A note, as CogStack has it."""

    text: NoteText
    metadata: Metadata | None = _FOR_THE_LOG
    footer: JsonValue = Field(default=None, description="comes back as it was sent")


class Process(_Asked):
    """One note."""

    content: Content


class BulkContent(_Asked):
    """One note of many; what is no text fails alone."""

    text: Any = Field(default=None, examples=[NOTE], description="a text; anything else is answered as failed")
    metadata: Metadata | None = _FOR_THE_LOG
    footer: JsonValue = Field(default=None, description="comes back as it was sent")

    @property
    def fault(self) -> NoteFailedError | None:
        """Why the text is none, if so."""
        if not isinstance(self.text, str):
            return NoteFailedError("there is no text" if self.text is None else "the text is no string")
        try:
            _whole(self.text)
        except UnicodeEncodeError as error:
            return NoteFailedError(f"the text has half a character at offset {error.start}")
        return None


class ProcessBulk(_Asked):
    """Many notes."""

    content: list[BulkContent | None]


class Annotation(BaseModel):
    """A mention, with the names that CogStack's services use."""

    id: int
    start: int
    end: int
    source_value: str
    types: list[str]
    acc: float
    accepted: bool
    meta_anns: dict[str, dict[str, str]]


class Processed(BaseModel):
    """What was found in one note."""

    text: str
    annotations: list[Annotation]
    success: bool
    timestamp: str
    errors: list[str] = []
    footer: Any = None


class Info(BaseModel):
    """Who answers."""

    service_app_name: str
    service_language: str
    service_version: str
    service_model: str


class ProcessAnswer(BaseModel):
    """The answer about one note."""

    medcat_info: Info
    result: Processed


class BulkAnswer(BaseModel):
    """The answers about many notes, in their order."""

    medcat_info: Info
    result: list[Processed]


class Problem(BaseModel):
    """Why there is no answer; never a part of a note."""

    error: str


class Version(BaseModel):
    """Which model answers."""

    model_version: str
    commit: str | None
    labels: list[str]


class State(BaseModel):
    """How the service is."""

    status: str


def entities_of(found: Found, asked: Analyze) -> list[dict[str, Any]]:
    """Return mentions in Presidio's shape, those that were asked for."""
    least, wanted = asked.score_threshold or 0.0, asked.entities
    return [
        {
            "entity_type": mention.label, "start": mention.start, "end": mention.end, "score": mention.confidence,
            "accepted": mention.accepted, "assertion": mention.assertion,
        }
        for mention in found.mentions
        if mention.confidence >= least and (not wanted or mention.label in wanted)
    ]  # fmt: skip


def processed(content: Content | BulkContent, found: Found | NoteFailedError) -> dict[str, Any]:
    """Return what was found in a note in CogStack's shape; what is no text has an empty one."""
    answer: dict[str, Any] = {
        "text": "" if isinstance(content, BulkContent) and content.fault else content.text,
        "annotations": [],
        "success": True,
        "timestamp": datetime.now(tz=UTC).isoformat(timespec="milliseconds"),
    }
    if isinstance(found, NoteFailedError):
        answer |= {"success": False, "errors": [str(found)]}
    else:
        answer["annotations"] = [_annotation(content.text, *item) for item in enumerate(found.mentions)]
    if "footer" in content.model_fields_set:
        answer["footer"] = content.footer
    return answer


def _annotation(text: str, number: int, mention: FoundMention) -> dict[str, Any]:
    return {
        "id": number,
        "start": mention.start,
        "end": mention.end,
        "source_value": text[mention.start : mention.end],
        "types": [mention.label],
        "acc": mention.confidence,
        "accepted": mention.accepted,
        "meta_anns": {"Assertion": {"name": "Assertion", "value": mention.assertion}},
    }
