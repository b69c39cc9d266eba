"""Documents to the tables that the other stages read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import pandas as pd

from stages.common.documents import METADATA, Document, Mention, Token
from stages.common.tables import DOCUMENTS, MENTIONS, TOKENS, empty_columns
from stages.common.tags import TokenSpan, to_iob2
from stages.prepare.segmentation import segment


@dataclass(frozen=True)
class PlacedDocument:
    """A document with its place: batch, context, group, split; what its labels mean, what git may call it."""

    document: Document
    batch: str
    context: str
    group: str
    split: str
    mapping: Mapping[str, str]
    public_name: str


@dataclass
class Tables:
    """The three tables of `data/prepared`, and what could not be expressed in them.

    Parameters
    ----------
    documents, tokens, mentions : DataFrame
    report : dict
        Counts.
    left_out : dict of str to dict of str to int
        What the batches mark that is no mention, by reason and by label of the source.
    annotated : dict of str to sequence of str
        By batch, the labels that its annotators looked for; a batch that is not listed looked for all.
    """

    documents: pd.DataFrame
    tokens: pd.DataFrame
    mentions: pd.DataFrame
    report: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    annotated: dict[str, Sequence[str]] = field(default_factory=dict)


def blocks_of(stream: Document, sentences_per_document: int) -> list[Document]:
    """Cut a file of sentences into documents of neighbouring sentences.

    Parameters
    ----------
    stream : Document
        With `sentences`.
    sentences_per_document : int

    Returns
    -------
    list of Document
        Named ``<stream>#00000``, ``<stream>#00001``, …
    """
    sentences = stream.sentences or ()
    mentions, blocks = list(stream.mentions), []
    place = 0
    for number, first in enumerate(range(0, len(sentences), sentences_per_document)):
        part = sentences[first : first + sentences_per_document]
        start, end = part[0][0], part[-1][1]
        inside = []
        while place < len(mentions) and mentions[place].start < end:
            mention = mentions[place]
            inside.append(Mention(mention.start - start, mention.end - start, mention.label))
            place += 1
        block = replace(
            stream,
            id=f"{stream.id}#{number:05d}",
            text=stream.text[start:end],
            mentions=tuple(inside),
            sentences=tuple((s - start, e - start) for s, e in part),
            stream=False,
            left_out=(),  # counted with the stream
        )
        blocks.append(block)
    return blocks


def build_tables(placed: Iterable[PlacedDocument]) -> Tables:
    """Segment documents, tag their tokens and list their mentions.

    A mention whose ends are not token boundaries of one sentence stays in the mentions table with
    ``aligned`` false, so that evaluation counts it as missed; where it can be, the tokens that it
    touches are tagged all the same.
    """
    documents, tokens, mentions = (empty_columns(schema) for schema in (DOCUMENTS, TOKENS, MENTIONS))
    report = dict.fromkeys(("documents", "sentences", "tokens", "mentions", "inside_token", "across_sentences"), 0)
    for item in placed:
        name = f"{item.batch}/{item.document.id}"
        _add_document(documents, name, item)
        sentences = segment(item.document.text, item.document.sentences)
        layout = _Layout(sentences)
        spans: list[list[TokenSpan]] = [[] for _ in sentences]
        for mention in item.document.mentions:
            label = item.mapping[mention.label]
            aligned = _place(mention, label, layout, spans, report)
            _add_mention(mentions, name, item.document.text, mention, label, aligned)
        _add_tokens(tokens, name, item.document.text, sentences, spans)
        report["documents"] += 1
        report["sentences"] += len(sentences)
        report["tokens"] += sum(map(len, sentences))
        report["mentions"] += len(item.document.mentions)
    return Tables(
        pd.DataFrame(documents, columns=DOCUMENTS.names),
        pd.DataFrame(tokens, columns=TOKENS.names),
        pd.DataFrame(mentions, columns=MENTIONS.names),
        report,
    )


class _Layout:
    """The tokens of a document in the order of the text, so that those of a span are found by bisection."""

    def __init__(self, sentences: Sequence[Sequence[Token]]) -> None:
        self.sentences = sentences
        self._starts = [token.start for sentence in sentences for token in sentence]
        self._ends = [token.end for sentence in sentences for token in sentence]
        self._firsts = list(accumulate(map(len, sentences), initial=0))

    def touched(self, start: int, end: int) -> tuple[int, int, int] | None:
        """Return sentence, first token and last token of a span; None where it touches no token or two sentences."""
        first, last = bisect_right(self._ends, start), bisect_left(self._starts, end) - 1
        if first > last:
            return None
        sentence = bisect_right(self._firsts, first) - 1
        if last >= self._firsts[sentence + 1]:
            return None
        return sentence, first - self._firsts[sentence], last - self._firsts[sentence]


def _place(mention: Mention, label: str, layout: _Layout, spans: list[list[TokenSpan]], report: dict[str, int]) -> bool:
    """Put a mention on the tokens it touches; tell whether they are exactly the mention."""
    touched = layout.touched(mention.start, mention.end)
    if touched is None:
        report["across_sentences"] += 1
        return False
    sentence, first, last = touched
    if not (spans[sentence] and spans[sentence][-1][1] > first):
        spans[sentence].append((first, last + 1, label))
    tokens = layout.sentences[sentence]
    if tokens[first].start == mention.start and tokens[last].end == mention.end:
        return True
    report["inside_token"] += 1
    return False


def _add_document(columns: dict[str, list[object]], name: str, item: PlacedDocument) -> None:
    row = {
        "document": name,
        "public_name": item.public_name,
        "batch": item.batch,
        "context": item.context,
        "group": item.group,
        "split": item.split,
        "text": item.document.text,
        **{key: item.document.metadata.get(key) for key in METADATA},
        "seconds": item.document.seconds,
    }
    for key, value in row.items():
        columns[key].append(value)


def _add_mention(
    columns: dict[str, list[object]], name: str, text: str, mention: Mention, label: str, aligned: bool
) -> None:
    values = (name, mention.start, mention.end, text[mention.start : mention.end], label, mention.label, aligned)
    for key, value in zip(MENTIONS.names, values, strict=True):
        columns[key].append(value)


def _add_tokens(
    columns: dict[str, list[object]],
    name: str,
    text: str,
    sentences: list[list[Token]],
    spans: list[list[TokenSpan]],
) -> None:
    for number, (sentence, marked) in enumerate(zip(sentences, spans, strict=True)):
        columns["document"] += [name] * len(sentence)
        columns["sentence"] += [number] * len(sentence)
        columns["token"] += range(len(sentence))
        columns["text"] += [text[token.start : token.end] for token in sentence]
        columns["start"] += [token.start for token in sentence]
        columns["end"] += [token.end for token in sentence]
        columns["tag"] += to_iob2(len(sentence), marked)
