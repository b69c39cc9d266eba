"""Explain what the extractor finds in a text, in the terminal or as HTML.

    python -m stages.evaluate.explain "Squamous cell lung cancer, treated by radiation."
    python -m stages.evaluate.explain --file note.txt --candidates --html why.html

Exit codes: 0 explained (also when nothing was found), 2 nothing could be explained.
The text goes to the terminal or file of the person who asks, and nowhere else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from stages.common.errors import BeHealthyError
from stages.common.files import write_text
from stages.common.tags import LABELS

if TYPE_CHECKING:
    from stages.evaluate.explanation import Balance, ExplainedSpan, Share
    from stages.train.extractor import ExtractedMention

MODELS = Path("models")
_STYLES = dict(zip(LABELS, ("bold red", "bold blue"), strict=True))
_PARTS = (("span model", "span_model"), ("chain", "chain"))
_STYLE = """
body { font: 15px/1.6 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222 }
.note { white-space: pre-wrap; border-left: 3px solid #ddd; padding-left: 1rem }
mark { padding: .1rem .25rem; border-radius: .2rem; background: #e4e4e4 }
mark.label-0 { background: #ffd5d0 } mark.label-1 { background: #d3e4ff }
table { border-collapse: collapse; margin: .3rem 0 1rem } td { padding: .05rem .8rem .05rem 0 }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.bar { display: inline-block; height: .7rem } .for { background: #5a9e6f } .against { background: #c96a5b }
small { color: #666 }
"""


def printable(text: str) -> str:
    """Replace what could steer a terminal or cannot be encoded; offsets stay as they are.

    >>> printable(chr(27) + "[2Jgout")
    '�[2Jgout'
    """
    return "".join(_printable(character) for character in text)


def _printable(character: str) -> str:
    if character == "\r":
        return " "
    code = ord(character)
    steers = (code < 0x20 and character not in "\n\t") or 0x7F <= code < 0xA0
    return "\ufffd" if steers or 0xD800 <= code < 0xE000 else character


def show(
    text: str,
    spans: Sequence[ExplainedSpan],
    suggestions: Sequence[ExtractedMention],
    console: Console,
    *,
    top: int,
    candidates: bool,
) -> None:
    """Print the text with its mentions, then why; plain where the console is no terminal."""
    mentions = [span for span in spans if not span.verdict]
    marked = Text()
    for piece, number, label in _pieces(text, mentions):
        marked.append(f"[{piece}]{number}" if number else piece, _STYLES.get(label, "bold") if number else "")
    console.print(marked, soft_wrap=True)
    if not mentions:
        hint = "" if candidates else "; --candidates shows what came close"
        console.print(f"\nno mention was found{hint}", soft_wrap=True)
    if suggestions:
        console.print(f"\nmay have been missed: {', '.join(_suggested(text, suggestions))}", soft_wrap=True)
    for number, span in enumerate(mentions, 1):
        _show_span(text, span, f"{number} ", console, top)
    if candidates:
        near = [span for span in spans if span.verdict]
        console.print(f"\nnot chosen: {len(near)}", style="bold")
        for span in sorted(near, key=lambda span: -span.confidence):
            _show_span(text, span, "", console, top)


def _suggested(text: str, suggestions: Iterable[ExtractedMention]) -> Iterable[str]:
    for found in suggestions:
        yield f"{' '.join(text[found.start : found.end].split())} ({found.label}, {found.confidence:.2f})"


def _show_span(text: str, span: ExplainedSpan, number: str, console: Console, top: int) -> None:
    head = Text(f"\n{number}", "dim").append(" ".join(text[span.start : span.end].split()), "bold")
    head.append(f"  {span.label}", _STYLES.get(span.label, "bold"))
    head.append(f"  {span.confidence:.2f}").append(f"  characters {span.start}-{span.end}", "dim")
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
) -> str:
    """Draw the same as one self-contained HTML page; everything that comes from the text is escaped."""
    mentions = [span for span in spans if not span.verdict]
    note = "".join(
        f'<mark class="{_class(label)}">{escape(piece)}<sup>{number}</sup></mark>' if number else escape(piece)
        for piece, number, label in _pieces(text, mentions)
    )
    parts = ["<h1>Why these mentions</h1>", f'<p class="note">{note}</p>']
    parts += [_section(text, span, f"{number}. ", top) for number, span in enumerate(mentions, 1)]
    parts += [] if mentions else ["<p>No mention was found.</p>"]
    if suggestions:
        parts.insert(2, f"<p>May have been missed: {escape(', '.join(_suggested(text, suggestions)))}.</p>")
    if candidates:
        near = sorted((span for span in spans if span.verdict), key=lambda span: -span.confidence)
        parts += [f"<h2>Not chosen: {len(near)}</h2>", *(_section(text, span, "", top) for span in near)]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Why these mentions</title>\n'
        f"<style>{_STYLE}</style>\n{body}\n</html>\n"
    )


def _section(text: str, span: ExplainedSpan, number: str, top: int) -> str:
    verdict = f"<p>Not chosen: {escape(span.verdict)}.</p>" if span.verdict else ""
    lines = [
        f'<h3>{number}<mark class="{_class(span.label)}">{escape(text[span.start : span.end])}</mark>'
        f" {escape(span.label)} {span.confidence:.2f}</h3>{verdict}"
    ]
    for name, part in _PARTS:
        balance: Balance | None = getattr(span, part)
        if balance is not None:
            shares = [share for _, side, _ in _sides(span, balance, top) for share in side]
            largest = max((abs(share.weight) for share in shares), default=1.0)
            rows = "".join(_bar(share, largest) for share in shares)
            lines.append(f"<small>{name}: log odds {balance.total:+.2f}</small><table>{rows}</table>")
    return "\n".join(lines)


def _bar(share: Share, largest: float) -> str:
    side, width = "for" if share.weight > 0 else "against", 8 * abs(share.weight) / largest
    bar = f'<span class="bar {side}" style="width:{width:.2f}rem"></span>'
    name = escape(printable(share.name))
    return f'<tr><td class="number">{share.weight:+.2f}</td><td>{bar}</td><td>{name}</td></tr>'


def _class(label: str) -> str:
    return f"label-{LABELS.index(label)}" if label in LABELS else "label-other"


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.evaluate.explain", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("text", nargs="?", help="the text; without it and --file, it is read from standard input")
    parser.add_argument("--file", type=Path, help="a UTF-8 file with the text")
    parser.add_argument("--html", type=Path, help="write a page there instead of printing")
    parser.add_argument("--candidates", action="store_true", help="also show spans that were considered, not chosen")
    parser.add_argument("--top", type=int, default=5, help="attributes for and against (default: 5)")
    parser.add_argument("--models", type=Path, default=MODELS, help="model folder (default: models)")
    chosen = parser.parse_args(arguments)
    if chosen.text is not None and chosen.file is not None:
        parser.error("give the text or --file, not both")
    if chosen.top < 1:
        parser.error("--top must be at least 1")
    return chosen


def read_input(chosen: argparse.Namespace) -> str:
    """Return the text from the argument, the file or standard input.

    Raises
    ------
    BeHealthyError
        When there is none, or it is not UTF-8.
    """
    where = str(chosen.file or "standard input")
    try:
        if chosen.text is not None:
            text = str(chosen.text)
        elif chosen.file is not None:
            text = chosen.file.read_bytes().decode("utf-8-sig")
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
    chosen = options(arguments)
    try:
        text = printable(read_input(chosen))
        from stages.evaluate.explanation import explain
        from stages.train.extractor import load_extractor

        extractor = load_extractor(chosen.models)
        spans, suggestions = explain(extractor, text), extractor.extract(text).suggestions
        if chosen.html:
            page = page_of(text, spans, suggestions, top=chosen.top, candidates=chosen.candidates)
            write_text(chosen.html, page)
            print(f"explain: wrote {chosen.html}")
        else:
            console = Console(highlight=False, markup=False)
            show(text, spans, suggestions, console, top=chosen.top, candidates=chosen.candidates)
    except (BeHealthyError, OSError) as error:
        print(f"explain: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
