"""Nothing that comes from outside may become Markdown, HTML, a link or a mention, or break GitHub's limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from delivery.changes.bootstrap import Difference
from delivery.changes.changes import HEADLINE, Changes, MetricChange
from delivery.changes.documents import DocumentGroup, NetChange, ScoredDocuments
from delivery.changes.mentions import SPAN, MentionChanges
from delivery.rendering.markdown import GITHUB_LIMIT, code, joined, table
from delivery.rendering.sections import MARKER, Report, render
from delivery.revision.revision import Revision
from stages.common.scoring import Counts

EVIL = (
    "\n```\n@octocat </details>`<img src=x onerror=alert(1)>`\n\n# Title\n#1 octo/repo#2 https://evil.example "
    "www.evil.example [link](javascript:alert(1)) ![image](https://evil.example/i.png) | cell |\n|---|\n"
    "$x$ :tada: ~~~\n```\n<!-- x -->\\| \\`"
)
_PARSER = MarkdownIt("commonmark").enable("table")
_HTML = {MARKER, "</details>"}


def inline(text: str) -> list:
    return [child for token in _PARSER.parse(text) for child in token.children or []]


def assert_inert(text: str) -> None:
    """Every value is in a code span, and all HTML and all images are ours."""
    for token in _PARSER.parse(text):
        if token.type == "html_block":
            lines = token.content.strip().split("\n")
            assert all(line in _HTML or line.startswith("<details><summary>") for line in lines), lines
        assert token.type not in ("heading_open",) or token.markup == "###"
        for child in token.children or []:
            assert child.type in {
                "text",
                "code_inline",
                "softbreak",
                "strong_open",
                "strong_close",
                "em_open",
                "em_close",
            }, child
            if child.type == "text":
                assert "@" not in child.content
                assert "evil" not in child.content


@given(st.text(max_size=200) | st.text(alphabet="`|\\<>@#*_[]()!$\n \u202e\u200b", max_size=40))
def test_any_value_is_one_inert_code_span_of_one_cell(value: str) -> None:
    tokens = _PARSER.parse(table(["a", "b"], [[code(value), "end"]]))
    cells = [tokens[place + 1] for place, token in enumerate(tokens) if token.type == "td_open"]
    assert len(cells) == 2
    kinds = [child.type for child in cells[0].children]
    assert kinds == ["code_inline"] or (kinds == ["text"] and code(value) == "—")
    assert cells[1].content == "end"
    assert len(code(value)) <= 122


def test_numbers_stay_as_they_are_written_and_flush_right() -> None:
    lines = table(["name", "value"], [["`1e5`", "1.250"], ["`007`", "12"]], right=[1]).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["`1e5`", "`007`"]
    assert [line.split("|")[2].rstrip(" ")[-5:] for line in lines[2:]] == ["1.250", "   12"]
    assert lines[1].strip("|").endswith("-:")
    assert len({len(line) for line in lines}) == 1


def test_a_value_reads_as_it_was_written() -> None:
    assert code("ulcerative colitis <5 cm, 20% & *severe*") == "`ulcerative colitis <5 cm, 20% & *severe*`"


@given(
    st.lists(st.text(alphabet="aé—", min_size=1, max_size=60), min_size=1, max_size=12, unique=True),
    st.integers(300, 700),
)
def test_sections_are_kept_whole_and_within_the_limit(sections: list[str], limit: int) -> None:
    text = joined(sections, limit)
    assert len(text.encode()) <= limit
    kept = text.rstrip("\n").split("\n\n")
    left_out = [line for line in kept if line.startswith("_Left out")]
    assert [part for part in kept if part not in left_out] == [part for part in sections if part in kept]
    assert bool(left_out) == any(part not in kept for part in sections)


def test_a_first_section_that_is_too_long_is_an_error() -> None:
    with pytest.raises(ValueError, match="the first section"):
        joined(["a" * 500], 300)


def changes(name: str, number: int) -> Changes:
    """Return changes in which every name, value and reason is `name`, `number` times."""
    here = Revision(Path(), None, name)
    better = Difference(0.02, 0.01, 0.03)
    metrics = {HEADLINE: MetricChange(HEADLINE, 0.8, 0.82, "higher", better, "paired")}
    metrics["validation.passed"] = MetricChange("validation.passed", True, True, "higher")
    metrics["decision.decision"] = MetricChange("decision.decision", name, name * 2, "neutral")
    metrics["decision.reasons"] = MetricChange("decision.reasons", [], [name] * number, "neutral")
    metrics["validation.expectations.failed"] = MetricChange("x", [], [f"{name}{n}" for n in range(number)], "neutral")
    for n in range(number):
        for flat in (
            f"evaluation.strict.{name.replace('.', ' ')}{n}.f1",
            f"evaluation.note_types.{n}{name}.f1",
            f"behaviour.{n}{name}.rate",
            f"evaluation.{n}{name}",
            f"validation.documents.{n}{name}",
            f"validation.mentions.{n}{name}.{name}",
        ):
            metrics[flat] = MetricChange(flat, 0.5, 0.7, "higher", better, "paired")
        flat = f"validation.checks.{n}{name}.message"
        metrics[flat] = MetricChange(flat, None, name * 9, "neutral")
    pairs = {f"{n}{name}": (name, [name] * 9) for n in range(number)}
    return Changes(
        here, here, metrics, pairs, {f"data/{n}{name}": (name, name) for n in range(number)},
        {}, {name: name}, ScoredDocuments(9, 1, 1, 1, 1),
        tuple(NetChange(f"{n}{name}", 1, 1, 1, 1) for n in range(number)),
        (DocumentGroup("both", (name,), Counts(8, 1, 1), Counts(9, 1, 0)),
         DocumentGroup("new", tuple(f"{n}{name}" for n in range(number)), None, Counts(1, 1, 1))),
    )  # fmt: skip


def mentions(name: str, number: int) -> MentionChanges:
    rows = [
        (kind, name, n, n + 5, name, name, name, name) for kind in ("won", "lost", "new alarm") for n in range(number)
    ]
    return MentionChanges(pd.DataFrame(rows, columns=["kind", *SPAN, "text", "before", "after"]))


@pytest.fixture
def evil() -> Report:
    names = ([EVIL], [EVIL * 2])
    return Report(
        changes(EVIL, 2), mentions(EVIL, 3), examples=True, batches=names, left_out=(f"curves: {code(EVIL)}",)
    )


def test_a_whole_report_of_evil_values_is_inert(evil: Report) -> None:
    assert_inert(render(evil))
    assert_inert(render(replace(evil, mentions=None)))


def test_a_stale_and_failed_report_of_evil_values_is_inert(evil: Report) -> None:
    metrics = {**evil.changes.metrics, "validation.passed": MetricChange("validation.passed", True, False, "higher")}
    assert_inert(render(replace(evil, changes=replace(evil.changes, stale={EVIL: EVIL}, metrics=metrics))))


@pytest.mark.parametrize("name", ["n", "long name " * 40, "\U0001d518" * 150, EVIL])
def test_a_huge_report_stays_within_githubs_limit_and_keeps_its_verdict(name: str) -> None:
    report = Report(changes(name, 600), mentions(name, 600), examples=True, batches=([name] * 600, [name * 2] * 600))
    text = render(report)
    assert len(text.encode()) <= GITHUB_LIMIT
    assert text.startswith(f"{MARKER}\n### ")
    assert "\n\n**Better**: strict F1 on the common documents and labels +0.0200" in text
    assert "strict.micro.f1" in text
    lines = text.splitlines()
    assert sum(line.startswith("<details><summary>") for line in lines) == lines.count("</details>") > 1
    assert_inert(text) if "@" in name else None


def test_no_clinical_text_without_being_asked() -> None:
    secret = "Mrs Xylophone"
    found = mentions(secret, 3).rows.assign(label="Disease")
    report = Report(changes("n", 1), MentionChanges(found))
    assert secret not in render(report)
    assert secret in render(replace(report, examples=True))
