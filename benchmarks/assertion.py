"""What mentions say of the patient, scored on the ConText test kit (Harkema et al. 2009).

    python -m benchmarks.assertion --test devel.tsv [--peers] [--json out.json] [--errors KIND]

The kit is a table with tabs and without a head: number, -, phrase, sentence, negation, temporality, experiencer.
A sentence has its phrase in capitals, which would be a clue; it gets its own case back. Each sentence is read as the
extractor reads a note. `--peers` asks medspaCy's ConText the same, in an environment of its own. Exit code 2: the
table cannot be read, or that environment is not there. What assertions cost: `benchmarks.assertion_cost`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.environment import MEDSPACY, peers_python, run_module
from stages.common.command import run_command
from stages.common.errors import BeHealthyError
from stages.common.files import read_json, write_json

if TYPE_CHECKING:
    from stages.train.assertion.context import Assertion

COLUMNS = 7


class Marked(NamedTuple):
    """A row of the kit: ``text[start:end]`` is the phrase."""

    number: str
    text: str
    start: int
    end: int
    negation: str
    temporality: str
    experiencer: str


class Question(NamedTuple):
    """What is counted: rows whose `column` has one of `values`, against mentions of which `kind` holds."""

    name: str
    column: str
    values: tuple[str, ...]
    kind: str


QUESTIONS = (
    Question("negated", "negation", ("Negated",), "negated"),
    Question("historical", "temporality", ("Historical",), "historical"),
    Question("hypothetical", "temporality", ("Not particular", "Hypothetical"), "hypothetical"),
    Question("of a relative", "experiencer", ("Family member", "Other"), "family"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options = _parser().parse_args(arguments)
    return run_command("benchmarks.assertion", lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.assertion", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--test", type=Path, required=True, help="table in the kit's format")
    parser.add_argument("--json", type=Path, help="where the scores go; they are printed anyway")
    parser.add_argument("--peers", action="store_true", help="score medspaCy's ConText, too (.venv-medspacy)")
    parser.add_argument("--rows", choices=("all", "odd", "even"), default="all", help="half of it (default: all)")
    parser.add_argument("--errors", metavar="KIND", help="print the rows that were got wrong, as negated or historical")
    return parser


def _run(options: argparse.Namespace) -> None:
    rows = read_kit(options.test)
    rows = {"all": rows, "odd": rows[::2], "even": rows[1::2]}[options.rows]
    judged = [(row, assertion_of(row)) for row in rows]
    result = {"rows": len(rows), **scores(judged)}
    if options.peers:
        result["peers"] = {"medspacy": _medspacy(rows)}
    if options.json:
        write_json(options.json, result)
    print(table_of(result))
    for question in QUESTIONS:
        if options.errors == question.kind:
            print(*_errors(judged, question), sep="\n")


def read_kit(path: Path) -> list[Marked]:
    """Read a table of marked phrases.

    Raises
    ------
    BeHealthyError
        When it cannot be read, or is no such table.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise BeHealthyError(f"{path} cannot be read: {error.strerror}") from None
    rows = [_row(line.split("\t"), f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise BeHealthyError(f"{path} is empty")
    return rows


def _row(cells: Sequence[str], where: str) -> Marked:
    if len(cells) < COLUMNS:
        raise BeHealthyError(f"{where} has {len(cells)} columns, not {COLUMNS}: give a table of the ConText test kit")
    number, _, phrase, sentence, *labels = (cell.strip() for cell in cells[:COLUMNS])
    text, start, end = _own_case(phrase, sentence)
    if not text or not phrase:
        raise BeHealthyError(f"{where} has no phrase or no sentence: give a table of the ConText test kit")
    return Marked(number, text, start, end, *labels)


def _own_case(phrase: str, sentence: str) -> tuple[str, int, int]:
    """Give a phrase its own case back, and say where it is; of one that the kit cut in two, the sentence has a part."""
    marked = phrase.upper()
    text = sentence.replace(marked, phrase) if len(marked) == len(phrase) else sentence
    start = text.find(phrase)
    if start < 0:
        start = text.casefold().find(phrase.casefold())
    return (text, start, start + len(phrase)) if start >= 0 else (text, 0, len(text))


def assertion_of(row: Marked) -> Assertion:
    """Say of a marked phrase what the extractor would."""
    from stages.train.assertion.context import assertions_of

    return assertions_of(row.text, [(row.start, row.end)])[0]


def _medspacy(rows: Sequence[Marked]) -> dict[str, Any]:
    """Score medspaCy's ConText on the same rows."""
    from stages.train.assertion.context import Assertion

    python = peers_python(MEDSPACY)
    with tempfile.TemporaryDirectory(prefix="behealthy-assertion-") as name:
        asked, answered = Path(name) / "rows.json", Path(name) / "answers.json"
        write_json(asked, [[row.text, row.start, row.end] for row in rows])
        run_module(python, ["benchmarks.medspacy_context", str(asked), str(answered)], niced=False)
        answers = map(frozenset, read_json(answered))
        judged = [(row, Assertion("", True, kinds)) for row, kinds in zip(rows, answers, strict=True)]
    return {question.kind: _score(judged, question) for question in QUESTIONS}


def scores(judged: Sequence[tuple[Marked, Assertion]]) -> dict[str, Any]:
    """Return precision, recall and F1 of each question, and how often what was sure, and what was not, is right."""
    result: dict[str, Any] = {question.kind: _score(judged, question) for question in QUESTIONS}
    for name, sure in (("sure", True), ("unsure", False)):
        ours = [one for one in judged if one[1].sure is sure]
        wrong = sum(any(_is(row, asked) != (asked.kind in found.kinds) for asked in QUESTIONS) for row, found in ours)
        result[name] = {"rows": len(ours), "wrong": wrong, "wrong_share": wrong / len(ours) if ours else None}
    return result


def _is(row: Marked, question: Question) -> bool:
    return getattr(row, question.column) in question.values


def _score(judged: Iterable[tuple[Marked, Assertion]], question: Question) -> dict[str, float | int | None]:
    pairs = [(_is(row, question), question.kind in found.kinds) for row, found in judged]
    both, gold, ours = (sum(map(test, pairs)) for test in (all, _first, _second))
    return {
        "gold": gold,
        "found": ours,
        "right": both,
        "precision": both / ours if ours else None,
        "recall": both / gold if gold else None,
        "f1": 2 * both / (gold + ours) if gold + ours else None,
    }


_first: Callable[[tuple[bool, bool]], bool] = lambda pair: pair[0]  # noqa: E731
_second: Callable[[tuple[bool, bool]], bool] = lambda pair: pair[1]  # noqa: E731


def table_of(result: dict[str, Any]) -> str:
    """Return the scores as a table."""
    lines = [f"{result['rows']} phrases", f"{'':15}{'precision':>10}{'recall':>8}{'F1':>7}{'of':>6}"]
    lines += _rows_of(result)
    for name, scored in result.get("peers", {}).items():
        lines += [name, *_rows_of(scored)]
    for name in ("sure", "unsure"):
        one = result[name]
        lines.append(f"{name}: {one['rows']} phrases, {one['wrong']} of them wrong in one of these")
    return "\n".join(lines)


def _rows_of(scored: dict[str, Any]) -> Iterator[str]:
    for question in QUESTIONS:
        one = scored[question.kind]
        shown = [f"{one[name]:.3f}" if one[name] is not None else "-" for name in ("precision", "recall", "f1")]
        yield f"{question.name:15}{shown[0]:>10}{shown[1]:>8}{shown[2]:>7}{one['gold']:6}"


def _errors(judged: Iterable[tuple[Marked, Assertion]], question: Question) -> Iterable[str]:
    for row, found in judged:
        if _is(row, question) != (question.kind in found.kinds):
            verdict = "missed" if _is(row, question) else "wrongly"
            sure = "" if found.sure else " (unsure)"
            before, phrase, after = row.text[: row.start], row.text[row.start : row.end], row.text[row.end :]
            yield f"{verdict}{sure} {row.number}: {before}[{phrase}]{after}"


if __name__ == "__main__":
    sys.exit(main())
