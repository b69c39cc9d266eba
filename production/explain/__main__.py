"""Explain what the extractor finds in a text, in the terminal or as HTML.

    python -m production.explain "Squamous cell lung cancer, treated by radiation."
    python -m production.explain --file note.txt --candidates --html why.html
    python -m production.explain --file note.txt --json

Exit codes: 0 explained (also when nothing was found), 2 nothing could be explained.
The text goes to the terminal or file of the person who asks, and nowhere else.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from production.terminal import printable
from stages.common.colours import colours_of
from stages.common.command import run_command
from stages.common.errors import BeHealthyError
from stages.common.files import write_text
from stages.common.pages import render

if TYPE_CHECKING:
    from production.explain.explanation import Balance, ExplainedSpan, Share
    from stages.train.extractor import ExtractedMention

MODELS = Path("models")
_SAID = ("start", "end", "label", "confidence", "assertion", "verdict")
_PARTS = (("span model", "span_model"), ("chain", "chain"))
_TEMPLATE = Path(__file__).parent / "templates" / "explain.html"


def show(
    text: str,
    spans: Sequence[ExplainedSpan],
    suggestions: Sequence[ExtractedMention],
    console: Console,
    *,
    top: int,
    candidates: bool,
    labels: Sequence[str] = (),
) -> None:
    """Print the text with its mentions, then why; plain where the console is no terminal.

    Each of `labels` has its colour; a label beyond them is bold.
    """
    styles = {label: colour.terminal for label, colour in colours_of(labels).items()}
    mentions = [span for span in spans if not span.verdict]
    marked = Text()
    for piece, number, label in _pieces(text, mentions):
        marked.append(f"[{piece}]{number}" if number else piece, styles.get(label, "bold") if number else "")
    console.print(marked, soft_wrap=True)
    if not mentions:
        hint = "" if candidates else "; --candidates shows what came close"
        console.print(f"\nno mention was found{hint}", soft_wrap=True)
    if suggestions:
        console.print(f"\nmay have been missed: {', '.join(_suggested(text, suggestions))}", soft_wrap=True)
    for number, span in enumerate(mentions, 1):
        _show_span(text, span, f"{number} ", console, top, styles)
    if candidates:
        near = [span for span in spans if span.verdict]
        console.print(f"\nnot chosen: {len(near)}", style="bold")
        for span in sorted(near, key=lambda span: -span.confidence):
            _show_span(text, span, "", console, top, styles)


def _suggested(text: str, suggestions: Iterable[ExtractedMention]) -> Iterable[str]:
    for suggestion in suggestions:
        surface = " ".join(text[suggestion.start : suggestion.end].split())
        yield f"{surface} ({suggestion.label}, {suggestion.confidence:.2f})"


def _show_span(
    text: str, span: ExplainedSpan, number: str, console: Console, top: int, styles: Mapping[str, str]
) -> None:
    head = Text(f"\n{number}", "dim").append(" ".join(text[span.start : span.end].split()), "bold")
    head.append(f"  {span.label}", styles.get(span.label, "bold"))
    head.append(f"  {span.confidence:.2f}  {span.assertion}").append(f"  characters {span.start}-{span.end}", "dim")
    head.append(f"  {span.verdict}" if span.verdict else "", "italic")
    console.print(head, soft_wrap=True)
    for name, part in _PARTS:
        balance: Balance | None = getattr(span, part)
        if balance is not None:
            base = f", {balance.base:+.2f} of them before any evidence" if balance.base else ""
            console.print(Text(f"  {name}: log odds {balance.total:+.2f}{base}", "dim"), soft_wrap=True)
            for side, shares, style in _sides(span, balance, top):
                line = Text(f"    {side:<8}", style).append(", ".join(map(_spoken, shares)) or "nothing")
                console.print(line, soft_wrap=True)


def _sides(span: ExplainedSpan, balance: Balance, top: int) -> list[tuple[str, list[Share], str]]:
    """Return what spoke for and against; of a near miss, what spoke against comes first."""
    sides = [("for", balance.speak_for(top), "green"), ("against", balance.speak_against(top), "red")]
    return sides[::-1] if span.verdict else sides


def _spoken(share: Share) -> str:
    return f"{share.weight:+.2f} {printable(share.name)}"


def _pieces(text: str, mentions: Sequence[ExplainedSpan]) -> Iterable[tuple[str, int, str]]:
    """Cut the text at its mentions, which are numbered from 1; 0 is what stands between them."""
    place = 0
    for number, mention in enumerate(mentions, 1):
        yield text[place : mention.start], 0, ""
        yield text[mention.start : mention.end], number, mention.label
        place = mention.end
    yield text[place:], 0, ""


def page_of(
    text: str,
    spans: Sequence[ExplainedSpan],
    suggestions: Sequence[ExtractedMention],
    *,
    top: int,
    candidates: bool,
    labels: Sequence[str] = (),
) -> str:
    """Draw the same as one self-contained HTML page; everything that comes from the text is escaped."""
    mentions = [span for span in spans if not span.verdict]
    near = sorted((span for span in spans if span.verdict), key=lambda span: -span.confidence)
    return render(
        _TEMPLATE,
        colours={label: colour.page for label, colour in colours_of(labels).items()},
        pieces=list(_pieces(text, mentions)),
        suggestions=list(_suggested(text, suggestions)),
        mentions=[_drawn(text, span, top) for span in mentions],
        candidates=candidates,
        near=[_drawn(text, span, top) for span in near],
    )


def _drawn(text: str, span: ExplainedSpan, top: int) -> dict[str, object]:
    """Return what the page shows of a span."""
    balances = ((name, getattr(span, part)) for name, part in _PARTS)
    return {
        "text": text[span.start : span.end],
        "label": span.label,
        "confidence": span.confidence,
        "assertion": span.assertion,
        "verdict": span.verdict,
        "parts": [_part(name, span, balance, top) for name, balance in balances if balance is not None],
    }


def _part(name: str, span: ExplainedSpan, balance: Balance, top: int) -> dict[str, object]:
    shares = [share for _, side, _ in _sides(span, balance, top) for share in side]
    return {
        "name": name,
        "total": balance.total,
        "shares": [{"name": printable(share.name), "weight": share.weight} for share in shares],
        "largest": max((abs(share.weight) for share in shares), default=1.0),
    }


def as_json(spans: Sequence[ExplainedSpan], *, top: int, candidates: bool) -> list[dict[str, Any]]:
    """Return the same as JSON types: offsets and labels, and no text but what the names of attributes have of it."""
    return [
        {
            **{name: getattr(span, name) for name in _SAID},
            "parts": [
                {"name": name, "base": balance.base, "total": balance.total, **_both_sides(balance, top)}
                for name, part in _PARTS
                if (balance := getattr(span, part)) is not None
            ],
        }
        for span in spans
        if candidates or not span.verdict
    ]


def _both_sides(balance: Balance, top: int) -> dict[str, list[dict[str, Any]]]:
    sides = {"for": balance.speak_for(top), "against": balance.speak_against(top)}
    return {side: [share._asdict() for share in shares] for side, shares in sides.items()}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m production.explain", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("text", nargs="?", help="the text; without it and --file, it is read from standard input")
    parser.add_argument("--file", type=Path, help="a UTF-8 file with the text")
    parser.add_argument("--html", type=Path, help="write a page there instead of printing")
    parser.add_argument("--json", action="store_true", help="print JSON: offsets and shares, without the text")
    parser.add_argument("--candidates", action="store_true", help="also show spans that were considered, not chosen")
    parser.add_argument("--top", type=int, default=5, help="attributes for and against (default: 5)")
    parser.add_argument("--models", type=Path, default=MODELS, help="model folder (default: models)")
    options = parser.parse_args(arguments)
    if options.text is not None and options.file is not None:
        parser.error("give the text or --file, not both")
    if options.json and options.html is not None:
        parser.error("give --json or --html, not both")
    if options.top < 1:
        parser.error("--top must be at least 1")
    return options


def read_input(options: argparse.Namespace) -> str:
    """Return the text from the argument, the file or standard input.

    Raises
    ------
    BeHealthyError
        When there is none, or it is not UTF-8.
    """
    where = str(options.file or "standard input")
    try:
        if options.text is not None:
            text = str(options.text)
        elif options.file is not None:
            text = options.file.read_bytes().decode("utf-8-sig")
        elif sys.stdin.isatty():
            raise BeHealthyError("no text: give it as the argument, with --file, or through a pipe")
        else:
            text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BeHealthyError(f"{where} is not UTF-8 (byte {error.start}): convert it first") from None
    except OSError as error:
        raise BeHealthyError(f"{where} cannot be read: {error.strerror}") from None
    if not text.strip():
        raise BeHealthyError("the text is empty")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("explain", lambda: _explain(options))


def _explain(options: argparse.Namespace) -> None:
    text = printable(read_input(options))
    from production.explain.explanation import explain
    from stages.train.extractor import load_extractor

    extractor = load_extractor(options.models)
    if options.json:
        explained = as_json(explain(extractor, text), top=options.top, candidates=options.candidates)
        print(json.dumps(explained, ensure_ascii=False, indent=2))
        return
    spans, suggestions = explain(extractor, text), extractor.extract(text).suggestions
    shown = {"top": options.top, "candidates": options.candidates, "labels": extractor.labels}
    if options.html:
        write_text(options.html, page_of(text, spans, suggestions, **shown))
        print(f"explain: wrote {options.html}")
    else:
        show(text, spans, suggestions, Console(highlight=False, markup=False), **shown)


if __name__ == "__main__":
    sys.exit(main())
