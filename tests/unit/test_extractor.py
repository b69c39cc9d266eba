"""Text in, mentions out: offsets of the original text, and no memory of other notes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages.common.checked import ModelError
from stages.common.errors import BeHealthyError
from stages.common.files import write_json
from stages.common.tags import TokenSpan
from stages.featurize.collecting import collect_attributes
from stages.params import load_params
from stages.prepare.segmentation import split_sentences, tokenize
from stages.train.acceptance import Acceptance
from stages.train.assertion.context import assertions_of
from stages.train.extractor import MODEL_FILE, Extraction, Extractor, load_extractor
from stages.train.taggers.chain.crf import CrfTagger
from tests.labels import LABELS, ONE, THREE

DISEASES = ["gout", "asthma", "eczema", "chronic kidney disease", "type 2 diabetes", "CKD", "pneumonia"]
TREATMENTS = ["aspirin", "salbutamol", "co-amoxiclav", "insulin", "physiotherapy", "metformin"]
FRAMES = [
    "Known {d} on {t}.",
    "{d} is stable",
    "No {d} today, continue {t} 500mg b.d.",
    "- {t}",
    "Review of {d}/{d} with {t}",
]

PIECES = ["gout", "asthma", "CKD", "chronic kidney disease (CKD)", "aspirin", "500mg", " ", "\n", "\r\n", "\n\n", "\t",
          ". ", "- ", "é", "🙂", "/", "(", "a\u0301", "\u00a0", "on", "No"]  # fmt: skip
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))

EVERYTHING = Acceptance(0.9, 0.1, dict.fromkeys(LABELS, 0.0), whole=0.0)


def training_notes() -> list[tuple[str, list[tuple[int, int, str]]]]:
    notes = []
    for number in range(60):
        text, marks = "", []
        frame = FRAMES[number % len(FRAMES)]
        while frame:
            before, brace, rest = frame.partition("{")
            text += before
            if brace:
                words, label = (DISEASES, "Disease") if rest[0] == "d" else (TREATMENTS, "Treatment")
                word = words[(number + len(text)) % len(words)]
                marks.append((len(text), len(text) + len(word), label))
                text += word
                rest = rest[2:]
            frame = rest
        notes.append((text, marks))
    return notes


def train() -> Extractor:
    contexts, gold = [], []
    for text, marks in training_notes():
        sentences = [tokenize(text, *span) for span in split_sentences(text)]
        contexts.append([[text[s:e] for s, e in sentence] for sentence in sentences])
        for sentence in sentences:
            spans: list[TokenSpan] = []
            for start, end, label in marks:
                inside = [t for t, token in enumerate(sentence) if start <= token.start and token.end <= end]
                if inside:
                    spans.append((inside[0], inside[-1] + 1, label))
            gold.append(spans)
    attributes = collect_attributes(contexts, {})
    flat = [sentence for context in contexts for sentence in context]
    params = load_params().train
    params = params.model_copy(update={"crf": params.crf.model_copy(update={"runs": 1, "iterations": 5})})
    tagger = CrfTagger.fit(attributes.transform(flat), gold, n_rows=attributes.n_rows, params=params)
    return Extractor(attributes, tagger)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return train()


def found(extractor: Extractor, text: str) -> list[tuple[str, str]]:
    return [(text[m.start : m.end], m.label) for m in extractor.extract(text).mentions]


def test_mentions_are_found_at_their_place(extractor: Extractor) -> None:
    text = "Known chronic kidney disease on co-amoxiclav.\n\n- aspirin"
    assert found(extractor, text) == [
        ("chronic kidney disease", "Disease"),
        ("co-amoxiclav", "Treatment"),
        ("aspirin", "Treatment"),
    ]


@pytest.mark.parametrize("before", ["", " ", "\n\n", "\t", "🙂 ", "é\r\n", "\u00a0"])
def test_offsets_count_characters_of_the_original_text(extractor: Extractor, before: str) -> None:
    text = f"{before}Known gout on aspirin.  \n"
    assert found(extractor, text) == [("gout", "Disease"), ("aspirin", "Treatment")]


@given(texts)
@example("\ufeffgout")
@settings(max_examples=100, deadline=None)
def test_any_text_gives_mentions_in_order(extractor: Extractor, text: str) -> None:
    extraction = extractor.extract(text)
    place = 0
    for mention in extraction.mentions:
        assert place <= mention.start < mention.end <= len(text)
        assert text[mention.start : mention.end].strip() == text[mention.start : mention.end]
        assert mention.label in LABELS
        assert 0 <= mention.confidence <= 1
        place = mention.end
    assert extraction.tokens == len(tokenize(text))
    assert extraction.sentences <= extraction.tokens
    assert 0 <= extraction.unknown_tokens <= 1


@pytest.mark.parametrize("text", ["", " ", "\n\r\n\t", "\u2003\u2028"])
def test_a_text_without_words_is_no_error(extractor: Extractor, text: str) -> None:
    assert extractor.extract(text) == Extraction((), 0, 0, 0.0)


@given(texts)
@example("No gout. Mother had gout?\nPMHx: gout on aspirin. ?gout")
@example("NO GOUT TODAY, CONTINUE ASPIRIN. HISTORY OF GOUT AND ASTHMA. MOTHER HAS ECZEMA ON INSULIN.")
@example("no gout today, mother had asthma")
@settings(max_examples=50, deadline=None)
def test_a_mention_says_the_same_as_a_span_from_elsewhere(extractor: Extractor, text: str) -> None:
    mentions = extractor.extract(text).mentions
    said = assertions_of(text, [(mention.start, mention.end) for mention in mentions])
    assert [(m.assertion, m.assertion_sure) for m in mentions] == [(one.value, one.sure) for one in said]


@pytest.mark.parametrize(("text", "accepted"), [("Known gout.", True), ("History of asthma on insulin, gout.", False)])
def test_a_note_with_a_mention_that_may_be_meant_otherwise_is_not_accepted_whole(
    extractor: Extractor, text: str, accepted: bool
) -> None:
    extraction = replace(extractor, acceptance=EVERYTHING).extract(text)
    assert extraction.mentions
    assert all(mention.accepted for mention in extraction.mentions)
    assert all(mention.assertion_sure for mention in extraction.mentions) == accepted
    assert extraction.accepted == accepted


def test_a_very_long_note(extractor: Extractor) -> None:
    line = "Known gout on aspirin. "
    extraction = extractor.extract(line * 5000)
    assert extraction.sentences == 5000
    assert len(extraction.mentions) == 10_000
    starts = [mention.start for mention in extraction.mentions[:4]]
    assert starts == [6, 14, len(line) + 6, len(line) + 14]
    assert extraction.mentions[-1].end == len(line) * 5000 - 2


@pytest.mark.parametrize("text", ["x" * 100_000, "(" * 5000, "gout " * 5000, "1." * 3000])
def test_very_long_words_and_sentences(extractor: Extractor, text: str) -> None:
    assert extractor.extract(text).tokens == len(tokenize(text))


def test_unknown_tokens_are_a_share(extractor: Extractor) -> None:
    assert extractor.extract("Known gout").unknown_tokens == 0
    assert extractor.extract("Known xylophone").unknown_tokens == 0.5


@given(st.lists(texts, max_size=4), texts)
@settings(max_examples=40, deadline=None)
def test_a_note_does_not_depend_on_the_notes_before_it(extractor: Extractor, before: list[str], text: str) -> None:
    fresh = Extractor(extractor.attributes.pruned(extractor.attributes.counts([]) == 0), extractor.tagger)
    alone = fresh.extract(text)
    assert fresh.extract_all([*before, text])[-1] == alone
    assert fresh.extract(text) == alone


def test_abbreviations_do_not_leak_into_other_notes(extractor: Extractor) -> None:
    alone = extractor.extract("XYD is stable")
    extractor.extract("Known xerotic yellow dermatitis (XYD).")
    assert extractor.extract("XYD is stable") == alone


def test_known_tokens_give_the_same_as_their_text(extractor: Extractor) -> None:
    text = training_notes()[2][0]
    sentences = [tokenize(text, *span) for span in split_sentences(text)]
    assert extractor.extract_tokens(text, sentences) == extractor.extract(text)
    assert extractor.extract_tokens(text, []) == Extraction((), 0, 0, 0.0)


def test_what_may_be_missing_brings_a_person(extractor: Extractor) -> None:
    text = "Known gout on aspirin."
    sure = replace(extractor, acceptance=EVERYTHING)
    assert sure.extract(text).accepted
    assert not sure.extract("").accepted
    doubting = replace(sure, acceptance=replace(sure.acceptance, suggestion=1e-12))
    doubted = doubting.extract(text)
    assert doubted.mentions == sure.extract(text).mentions
    assert doubted.suggestions and not doubted.accepted
    assert not any(suggestion.accepted for suggestion in doubted.suggestions)
    inside = [(m.start, m.end) for m in doubted.mentions]
    assert all(s.end <= start or end <= s.start for s in doubted.suggestions for start, end in inside)


def test_a_saved_extractor_finds_the_same(extractor: Extractor, tmp_path: Path) -> None:
    tagger = replace(cast(CrfTagger, extractor.tagger), temperature=0.3)
    original = Extractor(extractor.attributes, tagger)
    original.save(tmp_path)
    loaded = Extractor.load(tmp_path)
    texts = [text for text, _ in training_notes()]
    for one, other in zip(loaded.extract_all(texts), original.extract_all(texts), strict=True):
        assert [mention[:3] for mention in one.mentions] == [mention[:3] for mention in other.mentions]
        confidence = [mention.confidence for mention in other.mentions]
        assert [mention.confidence for mention in one.mentions] == pytest.approx(confidence, abs=1e-5)


def test_an_incomplete_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"manifest\.json is missing"):
        Extractor.load(tmp_path)
    write_json(tmp_path / MODEL_FILE, {"family": "other"})
    with pytest.raises(ModelError, match=r"manifest\.json is missing"):
        Extractor.load(tmp_path)


def test_a_model_of_other_labels_is_an_error_where_labels_are_asked_for(extractor: Extractor, tmp_path: Path) -> None:
    replace(extractor, labels=LABELS).save(tmp_path)
    assert load_extractor(tmp_path).labels == load_extractor(tmp_path, LABELS[::-1]).labels == LABELS
    for others in (ONE, THREE):
        with pytest.raises(BeHealthyError, match=r"find Disease, Treatment, while .* are Disease.*: run `dvc repro`"):
            load_extractor(tmp_path, others)
