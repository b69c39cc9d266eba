"""The pages that people read, in a browser for which every host is unknown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browsers import needs_browser
from tests.pages import missing, seen
from tests.repository import Repository, copy

pytestmark = needs_browser


@pytest.fixture(scope="module")
def pages(light: Repository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with its reports and plots."""
    repository = copy(light, tmp_path_factory.mktemp("pages") / "light")
    repository.dvc("repro", "--single-item", "--force", "validate")  # not run where its results came with git
    repository.dvc("plots", "show")
    return repository.root


def test_the_plots_are_drawn(pages: Path, tmp_path: Path) -> None:
    page = pages / "dvc_plots/index.html"
    document, errors = seen(page, tmp_path)
    asked = page.read_text(encoding="utf-8").count("vegaEmbed('#")
    sizes = re.findall(r'<canvas width="(\d+)" height="(\d+)" class="marks"', document)
    assert len(sizes) == asked
    drawn = [size for size in sizes if int(size[0]) > 100 and int(size[1]) > 100]
    assert len(drawn) >= asked - 1  # without a span model there are no models of acceptance to compare
    assert len(drawn) >= 6
    assert not errors


def test_the_data_docs_show_their_tables(pages: Path, tmp_path: Path) -> None:
    document, errors = seen(pages / "reports/data_docs/index.html", tmp_path)
    shown = [re.sub(r"<[^>]+>", " ", row).split() for row in rows(document)]
    for suite in ("documents_schema", "documents", "tokens", "mentions", "labels"):
        assert [suite] in shown, suite  # of the table of suites
        assert [row for row in shown if row[-1] == suite and "UTC" in row], suite  # of the table of results
    assert not errors


def test_the_results_of_a_suite_show_their_tables(pages: Path, tmp_path: Path) -> None:
    page = next((pages / "reports/data_docs/validations/documents").rglob("*.html"))
    document, errors = seen(page, tmp_path)
    assert "Evaluated Expectations" in document
    assert len(rows(document)) >= 10
    assert not errors


def rows(document: str) -> list[str]:
    """Rows of tables that a script has filled."""
    return re.findall(r'<tr\b[^>]*data-index="\d+".*?</tr>', document, re.DOTALL)


@pytest.mark.parametrize(("name", "words"), [("errors", "Errors"), ("drift", "Drift Score")])
def test_reports_are_whole(pages: Path, tmp_path: Path, name: str, words: str) -> None:
    page = pages / f"reports/{name}.html"
    assert not missing(page)
    document, errors = seen(page, tmp_path)
    visible = re.sub(r"<(script|style)\b.*?</\1>", " ", document, flags=re.DOTALL)
    assert words in visible
    assert not errors
