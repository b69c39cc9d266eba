"""Explanations add up to what the models say, name what they know, and are safe to show."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from production.explain.__main__ import main, page_of, printable, show
from production.explain.explanation import Balance, ExplainedSpan, Share, explain
from stages.common.tags import TokenSpan
from stages.evaluate.importance import readable, top_attributes
from stages.featurize.collecting import collect_attributes
from stages.params import load_params
from stages.prepare.segmentation import split_sentences, tokenize
from stages.train.extractor import ExtractedMention, Extractor
from stages.train.taggers.chain.candidates import LEAST
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.spans.stacked import StackedTagger

ROOT = Path(__file__).parents[2]
DISEASES = ["gout", "asthma", "eczema", "kidney disease", "type 2 diabetes", "pneumonia"]
TREATMENTS = ["aspirin", "salbutamol", "insulin", "physiotherapy", "metformin"]
FRAMES = ["Known {} on {}.", "{} is stable with {}.", "No {} today, continue {} 500mg.", "Review of {} and {}"]
TEXT = "Known kidney disease on insulin. Seen with asthma."


def training() -> tuple[list[list[str]], list[list[TokenSpan]]]:
    sentences, gold = [], []
    for number in range(120):
        disease, treatment = DISEASES[number % 6], TREATMENTS[number % 5]
        frame = FRAMES[number % 4]
        before, between, _ = frame.split("{}")
        text = frame.format(disease, treatment)
        start = len(before) + len(disease) + len(between)
        marks = [(len(before), len(before) + len(disease), "Disease"), (start, start + len(treatment), "Treatment")]
        tokens = tokenize(text)
        sentences.append([text[s:e] for s, e in tokens])
        gold.append(
            [
                (first, max(i for i, t in enumerate(tokens) if t.end <= end) + 1, label)
                for begin, end, label in marks
                for first in [next(i for i, t in enumerate(tokens) if t.start >= begin)]
            ]
        )
    return sentences, gold


@pytest.fixture(scope="module", params=["crf", "stacked"])
def extractor(request: pytest.FixtureRequest) -> Extractor:
    sentences, gold = training()
    attributes = collect_attributes([sentences], {"asthma": ("c4=1",), "gout": ("c4=1",)})
    params = load_params(ROOT / "params.yaml").train
    crf = params.crf.model_copy(update={"runs": 1, "iterations": 2})
    span = params.span.model_copy(update={"folds": 2, "trees": 30})
    params = params.model_copy(update={"crf": crf, "span": span})
    tokens, documents = attributes.transform(sentences), [str(n // 4) for n in range(len(sentences))]
    family: Any = CrfTagger if request.param == "crf" else StackedTagger
    tagger = family.fit(tokens, gold, documents=documents, n_rows=attributes.n_rows, params=params)
    hot = replace(tagger, temperature=2.0) if isinstance(tagger, CrfTagger) else tagger
    return Extractor(attributes, hot)


def chain(extractor: Extractor) -> CrfTagger:
    return extractor.tagger if isinstance(extractor.tagger, CrfTagger) else extractor.tagger.crf  # type: ignore[attr-defined]


def test_the_mentions_are_those_of_the_extractor(extractor: Extractor) -> None:
    expected = [(m.start, m.end, m.label, pytest.approx(m.confidence)) for m in extractor.extract(TEXT).mentions]
    found = [(s.start, s.end, s.label, s.confidence) for s in explain(extractor, TEXT) if not s.verdict]
    assert found == expected
    assert [TEXT[start:end] for start, end, *_ in found] == ["kidney disease", "insulin", "asthma"]


def test_the_chain_adds_up_to_the_odds_against_no_mention(extractor: Extractor) -> None:
    crf = chain(extractor)
    words = [[TEXT[s:e] for s, e in tokenize(TEXT, *span)] for span in split_sentences(TEXT)]
    tokens = extractor.attributes.transform(words)

    def score(tags: list[str]) -> float:
        numbers = [crf.tag_set.tags.index(tag) for tag in tags]
        emitted = sum(
            float(crf.weights[tokens.rows[tokens.starts[i] : tokens.starts[i + 1]], tag].sum())
            for i, tag in enumerate(numbers)
        )
        return emitted + sum(float(crf.transitions[a, b]) for a, b in pairwise(numbers))

    length = len(words[0])
    assert words[0][:3] == ["Known", "kidney", "disease"]
    marked = ["O", "B-Disease", "E-Disease"] + ["O"] * (length - 3)
    span = next(s for s in explain(extractor, TEXT) if TEXT[s.start : s.end] == "kidney disease")
    assert span.chain is not None
    assert span.chain.total == pytest.approx((score(marked) - score(["O"] * length)) / crf.temperature, abs=1e-3)


def test_the_span_model_adds_up_to_its_log_odds(extractor: Extractor) -> None:
    spans = explain(extractor, TEXT)
    if isinstance(extractor.tagger, CrfTagger):
        assert all(span.span_model is None for span in spans)
        return
    assert isinstance(extractor.tagger, StackedTagger)
    words = [[TEXT[s:e] for s, e in tokenize(TEXT, *span)] for span in split_sentences(TEXT)]
    evidence = extractor.tagger.judge(extractor.attributes.transform(words)).evidence
    assert evidence is not None
    odds = extractor.tagger.trees.log_odds(evidence)
    assert [span.span_model.total for span in spans if span.span_model] == pytest.approx(sorted_as(spans, odds))


def sorted_as(spans: list[ExplainedSpan], odds: np.ndarray) -> list[float]:
    assert len(spans) == len(odds)
    return odds.tolist()


def test_near_misses_are_the_candidates_that_were_not_chosen(extractor: Extractor) -> None:
    text = "Known kidney asthma on aspirin insulin"
    spans = explain(extractor, text)
    words = [[text[s:e] for s, e in tokenize(text)]]
    candidates = chain(extractor).candidates(extractor.attributes.transform(words))
    near = [span for span in spans if span.verdict]
    assert len(near) == len(candidates.spans) - sum(not span.verdict for span in spans)
    assert near, f"no candidate above {LEAST}: the example shows nothing"
    for span in near:
        rivals = [s for s in spans if not s.verdict and s.start < span.end and span.start < s.end]
        assert rivals or "overlaps" not in span.verdict


def test_an_own_word_speaks_for_its_label(extractor: Extractor) -> None:
    span = next(s for s in explain(extractor, TEXT) if TEXT[s.start : s.end] == "insulin")
    assert span.chain is not None
    shares = {share.name: share.weight for share in span.chain.shares}
    assert shares["w=insulin"] > 0


def test_nothing_to_read_gives_nothing(extractor: Extractor) -> None:
    assert explain(extractor, " \n ") == []


def test_a_balance_is_sorted_on_both_sides() -> None:
    balance = Balance(1.0, (Share("a", 2.0), Share("b", 0.5), Share("c", -0.25), Share("d", -3.0)))
    assert balance.total == 0.25
    assert balance.speak_for(1) == [Share("a", 2.0)]
    assert balance.speak_against(5) == [Share("d", -3.0), Share("c", -0.25)]


def test_clusters_are_shown_by_their_words() -> None:
    assert readable("cluster[-1,0]=c4=1|c4=2", {"c4=1": ["a", "b"]}) == "cluster[-1,0]=c4=1 {a, b}|c4=2"


def test_the_top_attributes_are_in_a_stable_order(extractor: Extractor) -> None:
    table = top_attributes(extractor, top=7)
    assert table["label"].tolist() == ["Disease"] * 7 + ["Treatment"] * 7
    assert not table["attribute"].duplicated().any()
    for _, part in table.groupby("label"):
        assert part["weight"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(table, top_attributes(extractor, top=7))
    crf, names = chain(extractor), extractor.attributes.row_names()
    row = names.index(table["attribute"][7])
    rest = max(crf.weights[row, 0], crf.weights[row, 1:5].max())
    expected = (crf.weights[row, 5:9].max() - rest) / crf.temperature
    assert table["weight"][7] == pytest.approx(expected, abs=1e-4)


SPAN = ExplainedSpan(2, 6, "Disease", 0.9, "", None, Balance(0.0, (Share("w=<b>", 1.0), Share("n=&", -2.0))))


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_escapes_what_comes_from_the_note() -> None:
    text = "a <b>x</b> <script>alert(1)</script>"
    near = replace(SPAN, start=11, end=19, label="<i>", verdict="overlaps “<u>” (Disease)")
    page = page_of(text, [SPAN, near], [ExtractedMention(11, 19, "Disease", 0.3, False)], top=3, candidates=True)
    reader = Reader()
    reader.feed(page)
    assert not reader.tags & {"b", "script", "i", "u", "link", "img"}
    assert "<script>alert(1)</script>" in reader.text and "w=<b>" in reader.text
    assert "http" not in page
    assert "missed: <script> (Disease, 0.30)." in reader.text


def printed(
    text: str, spans: list[ExplainedSpan], suggestions: Sequence[ExtractedMention] = (), *, candidates: bool = False
) -> str:
    out = io.StringIO()
    show(text, spans, suggestions, Console(file=out, highlight=False, markup=False), top=3, candidates=candidates)
    return out.getvalue()


def test_plain_output_marks_numbers_and_reasons() -> None:
    text = "a [/b] x"
    out = printed(text, [SPAN, replace(SPAN, start=0, end=1, verdict="no mention here is likelier")], candidates=True)
    assert out.startswith("a [[/b]]1 x\n")
    assert "+1.00 w=<b>" in out and "-2.00 n=&" in out and "\x1b" not in out
    near = out[out.index("not chosen: 1") :]
    assert near.index("against") < near.index("    for")


def test_what_may_have_been_missed_is_said() -> None:
    gout, none = printed("no gout", [], [ExtractedMention(3, 7, "Disease", 0.34, False)]), printed("no gout", [])
    assert "may have been missed: gout (Disease, 0.34)\n" in gout
    assert "missed" not in none


def test_nothing_found_is_said() -> None:
    assert "no mention was found; --candidates" in printed("well", [])


def test_what_steers_a_terminal_is_replaced_without_moving_offsets() -> None:
    text = "a\x1b[2J\r\x07b\x9b\ud800\tc\nd"
    shown = printable(text)
    assert len(shown) == len(text)
    assert shown == "a\ufffd[2J \ufffdb\ufffd\ufffd\tc\nd"


def test_a_missing_model_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gout", "--models", str(tmp_path)]) == 2
    assert "make repro" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"), [(b" \n", "empty"), (b"caf\xe9", "not UTF-8 (byte 3)"), (None, "cannot be read")]
)
def test_a_file_that_cannot_be_explained(
    content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "note.txt"
    if content is not None:
        path.write_bytes(content)
    assert main(["--file", str(path), "--models", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_text_comes_from_standard_input_and_goes_to_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extractor: Extractor, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stages.train.extractor.load_extractor", lambda folder: extractor)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert main(["--html", str(tmp_path / "why.html"), "--candidates"]) == 0
    assert "<mark" in (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "kidney" not in capsys.readouterr().out
