"""Checks of annotated documents, before and after they are prepared. Needs no Great Expectations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from stages.common.documents import Document, Mention
from stages.common.wording import counted
from stages.prepare.annotated import left_out_of, told
from stages.validate.consistency import conflicting_documents, conflicting_sentences, labelled_two_ways, left_unlabelled
from stages.validate.findings import Finding, finding

__all__ = ["Finding", "check_documents"]

LONGEST_MENTION = 20
"""Words between spaces; five mentions of all BC5CDR devel are longer."""

_MOJIBAKE = re.compile(
    "\ufffd"  # the replacement character: bytes that were lost
    "|[\x80-\x9f]"  # C1 controls: UTF-8 read as Latin-1
    "|â€|ï¿½|ï»¿"
    "|(?<![A-ZÀ-Ý])Ã|Ã(?=[a-z0-9\x80-\xbf])"  # but SÃO and IRMÃ are words
    "|Â(?=[\x80-\xbf])|[ÎÏ](?=[\x80-\xbf])"
)
_TAGS = "b|i|u|p|br|hr|em|sub|sup|span|div|font|strong|table|tr|td|th|ul|ol|li|a|img|h[1-6]"
_MARKUP = re.compile(
    rf"</?(?:{_TAGS})(?:\s[^<>]{{0,200}})?/?>"
    r"|&(?:[a-z]{2,8}|#\d{2,6}|#x[0-9a-f]{2,5});"
    r"|_(?:hlk|toc|ref)\d{4,}"  # bookmarks of Word
    r"|\bTO_SEES?\b"  # sentence labels of the BioText corpus
    "|[\ue000-\uf8ff]"  # private use: bullets of Word's symbol fonts
    "|[\x00-\x08\x0b\x0e-\x1f\u200b\ufeff]",  # controls and invisible characters
    re.IGNORECASE,
)


def check_documents(documents: Sequence[Document]) -> list[Finding]:
    """Check annotations for what readers cannot know to be wrong.

    Parameters
    ----------
    documents : sequence of Document
        Labels as in the source or mapped. To tell nested source labels from contradictions, map first.

    Returns
    -------
    list of Finding
        Errors first, then in a fixed order; empty when there is nothing to say. Messages carry
        counts and identifiers of documents, never text of a note.
    """
    outside = _outside(documents)
    sound = [_without_outside(document) for document in documents] if outside else documents
    findings = [outside, *(check(sound) for check in _CHECKS)]
    return sorted((entry for entry in findings if entry), key=lambda entry: entry.severity)


def _is_outside(mention: Mention, text: str) -> bool:
    return not 0 <= mention.start < mention.end <= len(text)


def _without_outside(document: Document) -> Document:
    kept = (mention for mention in document.mentions if not _is_outside(mention, document.text))
    return replace(document, mentions=tuple(sorted(kept)))


def _outside(documents: Sequence[Document]) -> Finding | None:
    return _mentions_that(
        documents,
        lambda text, mention: _is_outside(mention, text),
        check="mention_outside_text",
        severity="error",
        what="empty or out of the text. Export again, offsets in characters",
    )


def _no_mention(documents: Sequence[Document]) -> Finding | None:
    if any(document.mentions for document in documents):
        return None
    where = f"no mention in {counted(len(documents), 'document')}"
    if left_out := told(left_out_of(documents)):
        summary = f"{where}; marked, but left out: {'; '.join(left_out)}. See what the labels are mapped to."
    else:
        summary = f"{where}. See that the export holds the annotations, not only the texts."
    return finding("no_mention", "error", len(documents), summary)


def _empty_text(documents: Sequence[Document]) -> Finding | None:
    ids = [document.id for document in documents if not document.text.strip()]
    if not ids:
        return None
    summary = f"{counted(len(ids), 'document')} without text. Leave out what is empty."
    return finding("empty_text", "warning", len(ids), summary, ids)


def _mentions_that(
    documents: Sequence[Document], condition: Callable[[str, Mention], bool], *, check: str, severity: str, what: str
) -> Finding | None:
    """Report the mentions that fulfil `condition`."""
    ids = [document.id for document in documents for mention in document.mentions if condition(document.text, mention)]
    if not ids:
        return None
    return finding(
        check, "error" if severity == "error" else "warning", len(ids), f"{counted(len(ids), 'mention')} {what}.", ids
    )


def _long_mention(documents: Sequence[Document]) -> Finding | None:
    def is_long(text: str, mention: Mention) -> bool:
        marked = text[mention.start : mention.end]
        return "\n" in marked or len(marked.split()) > LONGEST_MENTION

    return _mentions_that(
        documents,
        is_long,
        check="long_mention",
        severity="warning",
        what=f"with more than {LONGEST_MENTION} words or a line end. Mark the term, not the sentence",
    )


def _mid_word(documents: Sequence[Document]) -> Finding | None:
    def cuts(text: str, place: int) -> bool:
        return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()

    return _mentions_that(
        documents,
        lambda text, mention: cuts(text, mention.start) or cuts(text, mention.end),
        check="mid_word",
        severity="warning",
        what="with a boundary inside a word. Mark whole words",
    )


def _residue(
    documents: Sequence[Document], pattern: re.Pattern[str], check: str, noun: str, what: str
) -> Finding | None:
    """Report how often `pattern` occurs in the texts, and where."""
    counts = {document.id: sum(1 for _ in pattern.finditer(document.text)) for document in documents}
    ids = [identifier for identifier, count in counts.items() if count]
    total = sum(counts.values())
    return finding(check, "warning", total, f"{counted(total, noun)} {what}.", ids) if total else None


def _mojibake(documents: Sequence[Document]) -> Finding | None:
    return _residue(
        documents,
        _MOJIBAKE,
        "mojibake",
        "garbled character",
        "(UTF-8 read as another encoding). Export again as UTF-8",
    )


def _markup(documents: Sequence[Document]) -> Finding | None:
    return _residue(documents, _MARKUP, "markup", "trace", "of markup or of a word processor. Export as plain text")


_CHECKS: tuple[Callable[[Sequence[Document]], Finding | None], ...] = (
    _no_mention,
    _empty_text,
    labelled_two_ways,
    left_unlabelled,
    conflicting_documents,
    conflicting_sentences,
    _long_mention,
    _mid_word,
    _mojibake,
    _markup,
)
