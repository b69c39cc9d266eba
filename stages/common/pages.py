"""HTML pages from templates: whatever a value says, it is text on the page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: Path, **values: object) -> str:
    """Fill in a Jinja template.

    Parameters
    ----------
    template : Path
        A file beside the code that draws the page.
    **values
        What the template names. All of it is escaped.

    Returns
    -------
    str
        The same values give the same characters.

    Raises
    ------
    jinja2.UndefinedError
        When the template names a value that is not given.
    """
    return _environment(template.parent).get_template(template.name).render(values)


@cache
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
