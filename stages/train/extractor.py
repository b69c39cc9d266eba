"""Text in, mentions out: the whole extractor as production runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import Field

from stages.common.checked import Header, read_header, require
from stages.common.documents import Token
from stages.common.errors import BeHealthyError
from stages.common.files import write_json
from stages.common.seal import check_seal, sealing
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.parts import Sentences
from stages.featurize.attributes.tokens import SparseTokens
from stages.prepare.segmentation import segment
from stages.train.acceptance import NOTHING_ACCEPTED, Acceptance
from stages.train.assertion.context import Assertion, assertions
from stages.train.assertion.rules import PRESENT
from stages.train.taggers.tagger import FAMILIES, TaggedSpan, Tagger, family, name_of

MODEL_FILE = "model.json"
ACCEPTANCE_FILE = "acceptance.json"


class _Header(Header):
    """What ``model.json`` says."""

    family: str
    attributes: int = Field(ge=0)
    labels: tuple[str, ...]


class ExtractedMention(NamedTuple):
    """``text[start:end]`` is a `label`, with calibrated `confidence`; `accepted` ones need no person.

    `assertion` is what it says of the patient, one of `stages.train.assertion.rules.ASSERTIONS`. Where that is not
    sure, a person should look at it, however sure the label is.
    """

    start: int
    end: int
    label: str
    confidence: float
    accepted: bool
    assertion: str = PRESENT
    assertion_sure: bool = True


@dataclass(frozen=True)
class Extraction:
    """What was found in one note.

    Parameters
    ----------
    mentions : tuple of ExtractedMention
        In order of their offsets.
    sentences, tokens : int
    unknown_tokens : float
        Share of the tokens that training never saw, 0 to 1.
    suggestions : tuple of ExtractedMention
        What may have been missed: spans beside the mentions that are held possible; none is accepted.
    whole : bool
        Whether the note is among those of which so many hold no error as is promised
        (`stages.train.acceptance.Acceptance.accepts_whole`).
    """

    mentions: tuple[ExtractedMention, ...]
    sentences: int
    tokens: int
    unknown_tokens: float
    suggestions: tuple[ExtractedMention, ...] = ()
    whole: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the note needs no person: it is accepted whole, and sure of what it says of the patient."""
        return self.whole and all(mention.assertion_sure for mention in self.mentions)


@dataclass(frozen=True)
class Extractor:
    """Attributes, tagger and threshold of acceptance of one model, and the labels that it was trained to find.

    `labels` are in the order in which they are reported; a tagger knows those of them that its training data had.
    """

    attributes: AttributeExtractor
    tagger: Tagger
    acceptance: Acceptance = NOTHING_ACCEPTED
    labels: tuple[str, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model folder; no pickle is opened.

        Raises
        ------
        ModelError
            When a file is missing, is not what was saved, or does not fit the others.
        """
        check_seal(folder)
        header = read_header(folder / MODEL_FILE, _Header)
        require(header.family in FAMILIES, folder / MODEL_FILE, f"names no family of {', '.join(FAMILIES)}")
        attributes = AttributeExtractor.load(folder / "attributes")
        require(attributes.n_rows == header.attributes, folder / "attributes", "is not of this model")
        tagger = family(header.family).load(folder / "tagger")
        rows = len(tagger.linear_weights())
        require(rows == header.attributes, folder / "tagger", f"weighs {rows} attributes, not {header.attributes}")
        return cls(attributes, tagger, Acceptance.load(folder / ACCEPTANCE_FILE), header.labels)

    def save(self, folder: Path) -> None:
        """Write a model folder with a manifest of its files, attributes without weight left out."""
        keep = self.tagger.used_rows()
        with sealing(folder):
            self.attributes.pruned(keep).save(folder / "attributes")
            self.tagger.pruned(keep).save(folder / "tagger")
            self.acceptance.save(folder / ACCEPTANCE_FILE)
            header = {"family": name_of(self.tagger), "attributes": int(keep.sum()), "labels": list(self.labels)}
            write_json(folder / MODEL_FILE, header)

    @cached_property
    def _reader(self) -> AttributeExtractor:
        return self.attributes.summing(self.tagger.linear_weights())

    def read(self, sentences: Sentences) -> SparseTokens:
        """Return the sentences of one context as this tagger, and no other, reads them fastest."""
        return self._reader.transform(sentences)

    def extract(self, text: str) -> Extraction:
        """Find the mentions of one note."""
        sentences = segment(text)
        return self.extract_tokens(text, sentences)

    def extract_tokens(self, text: str, sentences: list[list[Token]]) -> Extraction:
        """Find the mentions of a note whose sentences and tokens are known."""
        words = [[text[start:end] for start, end in sentence] for sentence in sentences]
        if not words:
            return Extraction((), 0, 0, 0.0)
        tokens = self.read(words)
        tagged, suggested = self.tagger.tag_and_suggest(tokens, self.acceptance.suggestion)
        both = [t + s if s else t for t, s in zip(tagged, suggested, strict=True)]
        numbered = (tokens.surface.words, tokens.sentence_starts) if tokens.surface else None
        said = assertions(text, sentences, words, both, numbered)
        found = [(span.label, span.confidence) for spans in tagged for span in spans]
        return Extraction(
            tuple(_mentions(sentences, tagged, said, self.acceptance.accepts)),
            len(words),
            len(tokens),
            tokens.unknown_share,
            tuple(_mentions(sentences, suggested, [s[len(t) :] for s, t in zip(said, tagged, strict=True)]))
            if any(suggested)
            else (),
            self.acceptance.accepts_whole(found, sum(map(len, suggested))),
        )

    def extract_all(self, texts: Iterable[str]) -> list[Extraction]:
        """Find the mentions of many notes."""
        return [self.extract(text) for text in texts]


def _mentions(
    sentences: list[list[Token]],
    spans: list[list[TaggedSpan]],
    said: list[Sequence[Assertion]],
    accepts: Callable[[str, float], bool] = lambda *_: False,
) -> Iterator[ExtractedMention]:
    """Turn spans of tokens into spans of characters; the first assertions of each sentence are theirs."""
    for tokens, of_sentence, assertion in zip(sentences, spans, said, strict=True):
        if of_sentence:
            for (first, end, label, confidence), (value, sure, _) in zip(of_sentence, assertion, strict=False):
                start, last = tokens[first].start, tokens[end - 1].end
                yield ExtractedMention(start, last, label, confidence, accepts(label, confidence), value, sure)


def load_extractor(folder: Path, labels: Sequence[str] | None = None) -> Extractor:
    """Read a model folder.

    Parameters
    ----------
    folder : Path
    labels : sequence of str, optional
        Those that the model has to be of, in whatever order; a model of others counts none of theirs.

    Raises
    ------
    BeHealthyError
        When there is no model, only a part of one, one that is not what was saved, or one of other labels.
    """
    if not (folder / MODEL_FILE).is_file():
        raise BeHealthyError(f"there is no complete model in {folder}/: run `make repro` to train one")
    extractor = Extractor.load(folder)
    if labels is not None and set(labels) != set(extractor.labels):
        raise BeHealthyError(
            f"the model in {folder}/ was trained to find {', '.join(extractor.labels)}, while the labels in params.yaml"
            f" are {', '.join(labels)}: run `dvc repro`, which trains one of these"
        )
    return extractor
