"""What mentions say of the patient: cues, scopes, sections, and the benchmark that scores them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks import assertion as benchmark
from benchmarks import assertion_cost, environment
from stages.prepare.segmentation import segment
from stages.train.assertion.context import Assertion, assertions, assertions_of
from stages.train.assertion.headings import sections
from stages.train.assertion.rules import ASSERTIONS, BACKWARD, ENDS, FORWARD, HEADINGS, RULES, STRONGEST
from stages.train.extractor import ExtractedMention, Extraction
from tests.reference import assertion as plain

PIECES = sorted({word for entry in (*RULES, *ENDS) for word in (entry.phrase, *entry.phrase.split())} | {"?", ","})


COMMON = ["gout", "no", "history of", "mother", "whether", "if", "possible", "previously", "unlikely", "on", "and", ","]
COMMON += ["now", "but", "or", "who", "not excluded", "?", "x", "x x x x x"]
SAID = st.one_of(st.sampled_from(COMMON), st.sampled_from(PIECES))


def said_of(text: str, mention: str = "gout") -> tuple[str, bool]:
    start = text.index(mention)
    (found,) = assertions_of(text, [(start, start + len(mention))])
    return found.value, found.sure


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Has gout.", "present"),
        ("No fever, rash, swollen joints, hot knees or gout.", "negated"),
        ("No rash, has gout.", "present"),
        ("Doesn’t have gout.", "negated"),  # noqa: RUF001
        ("Doesn't have gout.", "negated"),
        ("No change in gout.", "present"),
        ("The gout was ruled out.", "negated"),
        ("Asthma, gout and eczema excluded.", "negated"),
        ("Has asthma with gout, eczema excluded.", "present"),
        ("Not only gout.", "present"),
        ("?gout", "possible"),
        ("Imp: ? gout or pseudogout.", "possible"),
        ("Possible gout.", "possible"),
        ("Is it gout?", "possible"),
        ("No signs to suggest gout.", "negated"),
        ("No fracture, likely gout.", "possible"),
        ("gout ?sepsis", "present"),
        ("Come back if gout flares.", "hypothetical"),
        ("History of asthma, eczema and gout.", "historical"),
        ("History of asthma, presents with gout.", "present"),
        ("Two day history of gout.", "present"),
        ("No history of gout.", "negated"),
        ("Previous gout.", "historical"),
        ("A 60 year old with gout.", "present"),
        ("Her mother and aunt had gout.", "family"),
        ("No family history of gout.", "family"),
        ("Mum reports gout.", "present"),
        ("Seen with his mother about gout.", "present"),
        ("FATHER HAD GOUT.".replace("GOUT", "gout"), "family"),
    ],
)
def test_what_cues_say(text: str, value: str) -> None:
    assert said_of(text) == (value, True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Past medical history:\n- asthma\n- gout\n", "historical"),
        ("Past medical history:\n- asthma\n\nSeen today: gout.", "present"),
        ("Past medical history:\n- asthma\nImpression:\ngout", "present"),
        ("PMHx: asthma, gout.", "historical"),
        ("PMH: asthma. Also gout.\nSeen today.", "historical"),
        ("PMH: asthma.\nThis is gout.", "present"),
        ("PMH: asthma,\nand gout.", "historical"),
        ("Family history\ngout\n", "family"),
        ("Family history:\nasthma\nPast medical history:\ngout\n", "historical"),
        ("Allergies: none known to\ngout", "negated"),
        ("Past medical history:\nNo gout.", "negated"),
        ("Of her family history\nshe knows little; gout is new.", "present"),
    ],
)
def test_headings_govern_their_sections_across_sentences(text: str, value: str) -> None:
    assert said_of(text)[0] == value


@pytest.mark.parametrize(
    "text",
    [
        "No one two three four five six seven eight nine gout.",
        "No improvement seen, no cause found on tests for gout.",
        "History of asthma on steroids, gout.",
    ],
)
def test_what_stands_near_a_cue_and_may_not_be_meant_is_unsure(text: str) -> None:
    assert said_of(text) == ("present", False)


def test_an_adverb_far_away_leaves_no_doubt() -> None:
    assert said_of("Previous stroke one two three four gout.") == ("present", True)


def test_a_note_with_an_unsure_assertion_is_not_accepted_whole() -> None:
    sure = ExtractedMention(0, 4, "Disease", 0.99, True)
    assert (sure.assertion, sure.assertion_sure) == ("present", True)
    whole = Extraction((sure,), 1, 1, 0.0, whole=True)
    assert whole.accepted
    assert not replace(whole, whole=False).accepted
    assert not replace(whole, mentions=(sure, sure._replace(assertion_sure=False))).accepted


# ---- the table -----------------------------------------------------------------------------------


def said_plainly(text: str, spans: list[tuple[int, int]]) -> list[Assertion]:
    (tokens,) = segment(text)
    places = [
        (
            next(number for number, token in enumerate(tokens) if token.end > start),
            next(number for number, token in enumerate(tokens, 1) if token.end >= end),
        )
        for start, end in spans
    ]
    return plain.said(text, tokens, places)


def test_every_rule_is_found_where_it_stands_alone() -> None:
    for rule in RULES:
        found = plain.cues(plain.folded(rule.phrase, segment(rule.phrase)[0]))
        opened = [*found[0].said.forward, *found[0].said.backward]
        assert rule.direction not in (FORWARD, BACKWARD) or (rule.kind, rule.reach) in opened, rule.phrase


def test_every_phrase_is_found_however_it_is_spelled() -> None:
    for phrase in {entry.phrase for entry in (*RULES, *ENDS)}:
        for spelled in (phrase, phrase.capitalize(), phrase.title(), phrase.upper()):
            text = f"no {spelled} gout {spelled} gout {spelled}"
            if len(segment(text)) == 1:
                spans = [match.span() for match in re.finditer("gout", text)]
                assert assertions_of(text, spans) == said_plainly(text, spans), text


@settings(max_examples=400, deadline=None)
@given(st.lists(SAID, min_size=1, max_size=14))
@example(["no", "x", "on", "but", "gout"])
@example(["whether", "x", "on", "gout"])
def test_the_compiled_loops_say_what_the_plain_ones_say(pieces: list[str]) -> None:
    text = " ".join(["gout", *pieces]).replace("? ", "?")
    if len(segment(text)) == 1:
        spans = [match.span() for match in re.finditer("gout", text)]
        assert assertions_of(text, spans) == said_plainly(text, spans)


@settings(max_examples=200, deadline=None)
@given(st.lists(SAID, max_size=10), st.lists(SAID, min_size=1, max_size=10))
def test_no_sentence_says_anything_of_another(earlier: list[str], later: list[str]) -> None:
    first, second = (" ".join(pieces).replace(".", "") for pieces in (["Seen", *earlier, "gout"], ["Seen", *later]))
    text = f"{first}.\n\n{second} gout."
    alone = [*assertions_of(f"{first}.", [(len(first) - 4, len(first))])]
    end = len(text) - 1
    alone += assertions_of(f"{second} gout.", [(len(second) + 1, len(second) + 5)])
    assert assertions_of(text, [(len(first) - 4, len(first)), (end - 4, end)]) == alone


def test_the_table_says_nothing_twice() -> None:
    said = [(rule.phrase, rule.kind, rule.direction) for rule in RULES]
    assert len(set(said)) == len(said)
    assert {rule.kind for rule in RULES} == set(ASSERTIONS) == {*STRONGEST, "present"}
    for kind, names in HEADINGS.items():
        for name in names:
            assert [section.kind for section in sections(f"{name.upper()}: x")] == [kind]


WORDS = (
    "no",
    "?",
    "gout",
    ",",
    "if",
    "history of",
    "mother",
    ".",
    "\n",
    "PMH:",
    "likely",
    "and",
    "on",
    "é",
    "not excluded",
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_any_text_has_an_assertion_for_each_span(text: str) -> None:
    spans = [(place, place + 4) for place in range(0, len(text), 3)]
    found = assertions_of(text, spans)
    assert len(found) == len(spans)
    assert {one.value for one in found} <= set(ASSERTIONS)
    assert all((one.value == "present") == (not one.kinds) for one in found)


def test_spans_and_tokens_say_the_same() -> None:
    text = "No gout. Mother had gout. Gout now?"
    sentences = segment(text)
    words = [[text[start:end] for start, end in tokens] for tokens in sentences]
    found = assertions(text, sentences, words, [[(1, 2)], [(2, 3)], []])
    assert [[one.value for one in of] for of in found] == [["negated"], ["family"], []]
    assert [one.value for one in assertions_of(text, [(3, 7), (20, 24)])] == ["negated", "family"]


# ---- the benchmark -------------------------------------------------------------------------------

KIT = """1\t \tgout\tNo GOUT.\tNegated\tRecent\tPatient
2\t \tasthma\tHistory of ASTHMA.\tAffirmed\tHistorical\tPatient
3\t \tcough\tHas COUGH, no fever.\tAffirmed\tRecent\tPatient
4\t \trash\tDenies RASH.\tAffirmed\tHistorical\tOther
"""


def test_the_benchmark_counts_by_dimension(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kit.tsv").write_text(KIT)
    out = tmp_path / "out.json"
    arguments = ["--test", str(tmp_path / "kit.tsv"), "--json", str(out)]
    assert benchmark.main([*arguments, "--errors", "historical"]) == 0
    result = json.loads(out.read_text())
    assert (result["rows"], result["negated"]["precision"], result["negated"]["recall"]) == (4, 0.5, 1.0)
    assert (result["historical"]["right"], result["historical"]["recall"]) == (1, 0.5)
    assert result["hypothetical"]["f1"] is None
    assert "missed 4: Denies [rash]." in capsys.readouterr().out


def test_peers_are_scored_on_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kit, out, python = tmp_path / "kit.tsv", tmp_path / "out.json", tmp_path / "venv" / "bin" / "python"
    kit.write_text(KIT)
    python.parent.mkdir(parents=True)
    python.touch()
    asked = []

    def answer(interpreter: Path, arguments: list[str], *, niced: bool) -> None:
        module, rows, answers = arguments
        asked.extend(json.loads(Path(rows).read_text()))
        assert (interpreter, module, niced) == (python, "benchmarks.medspacy_context", False)
        Path(answers).write_text(json.dumps([["negated"], [], ["negated"], ["family"]]))

    monkeypatch.setattr(benchmark, "MEDSPACY", tmp_path / "venv")
    monkeypatch.setattr(benchmark, "run_module", answer)
    assert benchmark.main(["--test", str(kit), "--peers", "--json", str(out)]) == 0
    assert asked[0] == ["No gout.", 3, 7]
    scored = json.loads(out.read_text())["peers"]["medspacy"]
    assert [scored["negated"][name] for name in ("gold", "found", "right")] == [1, 2, 1]
    assert [scored[kind]["recall"] for kind in ("historical", "family")] == [0.0, 1.0]


def test_without_the_environment_of_the_peers_the_benchmark_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kit.tsv").write_text(KIT)
    for module in (benchmark, environment):
        monkeypatch.setattr(module, "MEDSPACY", tmp_path / "nowhere")
    assert benchmark.main(["--test", str(tmp_path / "kit.tsv"), "--peers", "--json", str(tmp_path / "o.json")]) == 2
    assert "python -m benchmarks.environment medspacy" in capsys.readouterr().err
    assert not (tmp_path / "o.json").exists()


def test_the_cost_is_measured_on_every_note_in_both_ways() -> None:
    turns = [*assertion_cost._turns(5, 3)]
    assert sorted(turns) == sorted((way, note) for way in (0, 1) for note in range(5) for _ in range(3))
    assert all(one[1] != two[1] for one, two in pairwise(turns) if one[0] != two[0])


def test_the_mark_is_no_clue() -> None:
    row = benchmark._row(["1", "", "Left knee pain", "He has LEFT KNEE PAIN.", "Affirmed", "Recent", "Patient"], "x")
    assert row.text == "He has Left knee pain."
    assert row.text[row.start : row.end] == "Left knee pain"


@pytest.mark.parametrize("text", ["", "1\tgout\n", "1\t\t\t\tA\tB\tC\n"])
def test_what_is_no_kit_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kit.tsv").write_text(text)
    assert benchmark.main(["--test", str(tmp_path / "kit.tsv")]) == 2
    assert benchmark.main(["--test", str(tmp_path / "none.tsv")]) == 2
    assert "kit.tsv" in capsys.readouterr().err
