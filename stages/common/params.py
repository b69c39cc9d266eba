"""Reads `params.yaml`: an unknown key or an ill-typed value is an error that names the key.

Each stage has its own section, typed in `stages/<stage>/params.py`, so that an edit to the
parameters of one stage is no edit to the code of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from stages.common.errors import ParameterError
from stages.common.files import parse_yaml

PARAMS = Path("params.yaml")

SECTIONS = frozenset(
    {"labels", "prepare", "validate", "featurize", "train", "evaluate", "monitor"}
    | {"record", "inference", "service", "review", "watch"}
)
"""What may stand in the file: who reads one section is not disturbed by the others, but by a name that none has."""

_LARGEST = 2**31 - 1  # the compiled libraries hold counts and seeds in 32 bits
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1, le=_LARGEST)]
Seed = Annotated[int, Field(ge=0, le=_LARGEST)]


class Section(BaseModel):
    """A part of the file; no key more, no key less, and no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_AnySection = TypeVar("_AnySection", bound=Section)


def load_section(name: str, kind: type[_AnySection], path: Path = PARAMS) -> _AnySection:
    """Read and check one section.

    Raises
    ------
    ParameterError
        Names every key at fault and what is wrong with it.
    """
    file = create_model("File", __base__=Section, section=(kind, Field(alias=name)))
    return cast(_AnySection, load_sections(file, path).section)  # type: ignore[attr-defined]


def load_sections(kind: type[_AnySection], path: Path = PARAMS) -> _AnySection:
    """Read and check the sections that are the fields of `kind`; the other ones are left unread.

    Raises
    ------
    ParameterError
        Names every key at fault and what is wrong with it.
    """
    own = {field.alias or name for name, field in kind.model_fields.items()}
    try:
        return kind.model_validate(_without(SECTIONS - own, _content(path)))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise ParameterError(f"{path}: {faults}") from None


def _content(path: Path) -> Any:
    try:
        return parse_yaml(path.read_bytes())
    except FileNotFoundError:
        raise ParameterError(f"{path} is missing: run from the root of the repository") from None
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not valid YAML: {error}") from None


def _without(names: frozenset[str], content: Any) -> Any:
    return {key: content[key] for key in content if key not in names} if isinstance(content, Mapping) else content
