"""Pages are filled in from templates: values are text, and none is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from stages.common.pages import render

ROOT = Path(__file__).parents[2]
HOSTILE = "<script>alert(1)</script> & \"x\" 'y' {{ 7 * 7 }}"


def written(folder: Path, text: str) -> Path:
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_value_is_escaped(tmp_path: Path) -> None:
    page = render(written(tmp_path, '<p title="{{ a }}">{{ a }}</p>\n'), a=HOSTILE)
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;x&#34; &#39;y&#39; {{ 7 * 7 }}"
    assert page == f'<p title="{escaped}">{escaped}</p>\n'


def test_a_value_that_is_not_given_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="'b' is undefined"):
        render(written(tmp_path, "{{ a }}{{ b }}"), a=1)


def test_no_template_turns_escaping_off() -> None:
    templates = [
        path
        for room in ("stages", "annotation", "delivery", "production", "dashboard")
        for path in (ROOT / room).rglob("templates/*")
    ]
    assert templates
    for path in templates:
        text = path.read_text(encoding="utf-8")
        assert "safe" not in text and "autoescape" not in text, path


def test_no_code_writes_html_by_hand() -> None:
    """A page that is put together from strings forgets to escape one of them some day."""
    for room in ("stages", "annotation", "production", "dashboard"):
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert "<html" not in text and "<td" not in text and "from html import" not in text, path
