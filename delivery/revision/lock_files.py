"""The two kinds of files in which DVC says by hash what there is: read as data that somebody else made.

DVC runs the command that a `.dvc` file names, and trusts `dvc.lock` in whatever it says. So only what these files
need is let in, and everything else in them is a fault.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from delivery.errors import DeliveryRefusedError
from stages.common.files import parse_yaml

T = TypeVar("T", bound="_Strict")
DEEPEST = 20
"""Levels in each other. libyaml takes any number, in time that grows with its square."""
LONGEST = 1000
"""Characters of a value. A number in base 60, as YAML has it, takes time that grows with the square of its length."""


def _inside(path: str) -> str:
    if set(path.split("/")) & {"", ".", ".."}:
        raise ValueError("leads out of the repository")
    return path


_Path = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]+$", max_length=200), AfterValidator(_inside)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=50)]
_Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}(\.dir)?$")]
_Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Entry(_Strict):
    path: _Path
    md5: _Md5
    hash: Literal["md5"] | None = None
    size: _Count | None = None
    nfiles: _Count | None = None


class _Stage(_Strict):
    cmd: Annotated[str, Field(max_length=1000)]
    deps: list[_Entry] = []
    params: dict[Literal["params.yaml"], dict[str, Any]] = {}
    outs: list[_Entry] = []


class Lock(_Strict):
    """`dvc.lock`: hashes, sizes, parameters and commands by stage."""

    version: Literal["2.0"] = Field(alias="schema")
    stages: dict[_Name, _Stage]


class Described(_Strict):
    """A `.dvc` file that describes one output and does nothing."""

    outs: Annotated[list[_Entry], Field(min_length=1, max_length=1)]


def read_lock(content: bytes) -> Lock:
    """Read `dvc.lock`.

    Raises
    ------
    DeliveryRefusedError
        When it is no YAML, or holds anything that DVC does not write there.
    """
    return _read(Lock, content, "dvc.lock")


def read_described(content: bytes, path: str) -> Described:
    """Read the `.dvc` file of a folder in its own folder: ``data/annotations.dvc`` describes ``annotations``.

    Raises
    ------
    DeliveryRefusedError
        When it is no YAML, describes something else, or holds more, as a command to run.
    """
    described = _read(Described, content, path)
    name = path.rsplit("/", 1)[-1].removesuffix(".dvc")
    if described.outs[0].path != name:
        raise DeliveryRefusedError(f"{path} describes something else than {name}: make it with `dvc add`")
    return described


def _read(kind: type[T], content: bytes, name: str) -> T:
    try:
        text = content.decode("utf-8")
        if strange := _strange(text):
            raise DeliveryRefusedError(f"{name} is not as DVC writes it (it {strange}): make it with `dvc repro`")
        return kind.model_validate(parse_yaml(text, yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError) as error:
        raise DeliveryRefusedError(
            f"{name} is not as DVC writes it ({_fault(error)}): make it with `dvc repro`"
        ) from None


def _strange(text: str) -> str | None:
    """Say what stands in YAML that would cost much, or fail in a way of its own, when it is made into objects."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            return "refers to itself"
        if getattr(event, "tag", None):
            return "names the type of a value"
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST:
            return f"has a value of more than {LONGEST:,} characters"
        opened = isinstance(event, yaml.CollectionStartEvent)
        depth += opened - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return f"has more than {DEEPEST} levels in each other"
    return None


def _fault(error: Exception) -> str:
    """Name the first fault of a file by its place; its content is not repeated."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False)[0]
        return f"{'.'.join(str(part)[:60] for part in first['loc']) or 'the file'}: {first['type']}"
    return type(error.__cause__ or error).__name__
