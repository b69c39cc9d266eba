"""The record: names folded, pairs counted once a note, flags kept apart, questions answered."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from production.record import __main__ as command
from production.record.cues import FAMILY, NEGATED, NONE, flag_of
from production.record.forms import FORMS
from production.record.names import abbreviations_of, expanded, identity_of, key_of, name_forms, unambiguous
from production.record.notes import Note, read_notes
from production.record.pairs import (
    ADJACENT,
    SAME_NOTE,
    SAME_SENTENCE,
    TaggedMention,
    closest_pairs,
    own_abbreviations,
    pairs_of,
    tag,
)
from production.record.question import ALIKE, EXACT, PART, Answer, answer
from production.record.table import RECORD, build_record, log_likelihood_ratio, read_record
from production.record.work_tree import refuse_shared
from stages.common.errors import BeHealthyError
from stages.common.files import write_table
from stages.prepare.segmentation import segment, split_sentences, tokenize
from stages.train.assertion.context import assertions_of
from stages.train.extractor import ExtractedMention, Extraction, load_extractor
from tests.commits import repository_at
from tests.labels import LABELS
from tests.repository import Repository

ROOT = Path(__file__).parents[2]
SEED = ROOT / "data/annotations/seed-notes/export/notes.jsonl"
DISEASES = ("rheumatoid arthritis", "RA", "gout", "asthma", "type 1 diabetes", "type 2 diabetes", "retinoblastoma")
TREATMENTS = ("methotrexate", "allopurinol", "salbutamol", "insulin", "beta-blockers", "cryotherapy")


@dataclass(frozen=True)
class Dictionary:
    """Finds words of two lists; the longest first."""

    diseases: tuple[str, ...] = DISEASES
    treatments: tuple[str, ...] = TREATMENTS
    labels: tuple[str, ...] = LABELS

    def extract(self, text: str) -> Extraction:
        found: dict[tuple[int, int], str] = {}
        words = [(w, "Disease") for w in self.diseases] + [(w, "Treatment") for w in self.treatments]
        for word, label in sorted(words, key=lambda pair: -len(pair[0])):
            start = text.lower().find(word.lower())
            while start >= 0:
                end = start + len(word)
                apart = not text[start - 1 : start].isalnum() and not text[end : end + 1].isalnum()
                if apart and not any(start < e and s < end for s, e in found):
                    found[start, end] = label
                start = text.lower().find(word.lower(), end)
        said = assertions_of(text, sorted(found))
        mentions = tuple(
            ExtractedMention(start, end, label, 0.9, False, assertion.value, assertion.sure)
            for ((start, end), label), assertion in zip(sorted(found.items()), said, strict=True)
        )
        return Extraction(mentions, 1, len(tokenize(text)), 0.0)


def record_of(*texts: str, with_text: bool = False) -> pd.DataFrame:
    return build_record([Note(f"n{i}", text) for i, text in enumerate(texts)], Dictionary(), with_text=with_text)


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forms",
    [
        ("co-amoxiclav", "Co amoxiclav", "COAMOXICLAV", "co‑amoxiclav"),  # noqa: RUF001
        ("the carcinomas", "Carcinoma", "her carcinoma"),
        ("Crohn's disease", "Crohn’s disease", "Crohn disease", "Crohns disease"),  # noqa: RUF001
        ("beta-blockers", "beta blocker", "β-blocker".replace("β", "beta")),
        ("COVID-19", "covid 19", "Covid19"),
        ("low  back\npain", "low back pain"),
    ],
)
def test_variants_are_one_name(forms: tuple[str, ...]) -> None:
    assert len({identity_of(form) for form in forms}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("type 1 diabetes", "type 2 diabetes"), ("hepatitis A", "hepatitis"), ("T2DM", "T1DM")]
)
def test_different_things_stay_apart(one: str, other: str) -> None:
    assert identity_of(one) != identity_of(other)


@given(st.one_of(st.text(max_size=30), st.text("aàsSeéİßiyt '’-1 the", max_size=20)))  # noqa: RUF001
@example("the a-the")
@example("theirs s")
@example("ﬁbroses ŉ")
def test_a_key_is_its_own_key(surface: str) -> None:
    assert key_of(key_of(surface)) == key_of(surface)


def test_the_most_frequent_form_is_shown_and_ties_have_an_order() -> None:
    names = name_forms([("gout", "Gout"), ("gout", "gout"), ("gout", "gout"), ("ms", "MS"), ("ms", "ms")])
    assert names["gout"].display == "gout"
    assert names["gout"].forms == ("gout", "Gout")
    assert names["ms"].display == "ms"


def abbreviations(text: str, *mentions: str) -> dict[str, str]:
    spans = [(text.index(m), text.index(m) + len(m)) for m in mentions]
    return abbreviations_of(text, [tokenize(text)], spans)


def test_a_short_form_stands_for_the_mention_before_it() -> None:
    assert abbreviations("idiopathic rheumatoid arthritis (RA)", "idiopathic rheumatoid arthritis") == {
        "RA": "idiopathic rheumatoid arthritis"
    }
    assert abbreviations("type 2 diabetes (diet)", "type 2 diabetes") == {}
    assert abbreviations("effusion from rheumatoid arthritis (ER)", "rheumatoid arthritis") == {}


@given(
    st.lists(
        st.sampled_from(["AB", "a", "b", "CD", "2,5", "é", "(", "(", ")", "]", ",", " ", "   ", "\u2003"]), max_size=16
    )
)
@example(["a", " ", "b", "   ", "(", "A", "   ", "B", ")"])
@example(["a", " ", "b", "(", "(", "AB", ")"])
@example(["a", " ", "b", "(", "AB", "   ", ")"])
@example(["a", " ", "b", "(", "AB", ",", " ", "a"])
@example([*"a b c d e f g h i j", "(", "ABCDEFGHIJ", ")"])
def test_short_forms_are_found_where_few_sentences_have_tokens(pieces: list[str]) -> None:
    text = "".join(pieces)
    tokens = tokenize(text)
    for number, (_, end) in enumerate(tokens):
        for start, _ in tokens[: number + 1]:
            mentions = [(start, end)]
            expected = abbreviations_of(text, [tokens], mentions)
            assert own_abbreviations(text, [(0, len(text))], mentions) == expected


def test_short_forms_are_written_out_by_the_note_first() -> None:
    shared = unambiguous([{"RA": "rheumatoid arthritis", "MS": "multiple sclerosis"}, {"MS": "mitral stenosis"}])
    assert shared == {"RA": "rheumatoid arthritis"}
    assert expanded("RA", {"RA": "right atrium"}, shared) == "right atrium"
    assert expanded("seropositive RA", {}, shared) == "seropositive rheumatoid arthritis"
    assert expanded("MS", {}, shared) == "MS"


# ---- cues ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "mention", "flag"),
    [
        ("No evidence of gout.", "gout", NEGATED),
        ("No fever, cough or asthma.", "asthma", NEGATED),
        ("Asthma was ruled out on spirometry.", "Asthma", NEGATED),
        ("Allergies: insulin (rash).", "insulin", NEGATED),
        ("Not for insulin.", "insulin", NEGATED),
        ("Family history: gout.", "gout", FAMILY),
        ("His father had gout and his sister asthma.", "asthma", FAMILY),
        ("No family history of gout.", "gout", FAMILY),
        ("Gout, no asthma.", "Gout", NONE),
        ("No change in asthma.", "asthma", NONE),
        ("No improvement of gout on allopurinol.", "allopurinol", NONE),
        ("No rash but gout flares.", "gout", NONE),
        ("Mum asked about insulin.", "insulin", NONE),
        ("Stopped insulin.", "insulin", NONE),
        ("No one two three four five six seven eight nine gout", "gout", NONE),
        ("Gout, asthma excluded.", "Gout", NONE),
    ],
)
def test_cues_reach_as_far_as_they_should(sentence: str, mention: str, flag: str) -> None:
    start = sentence.index(mention)
    assertion = assertions_of(sentence, [(start, start + len(mention))])[0]
    assert flag_of(assertion.value) == flag


# ---- pairs and counts ----------------------------------------------------------------------------


def test_a_pair_weighs_by_its_closest_place() -> None:
    text = "Known gout and asthma. Started allopurinol. Slept well. Salbutamol as before."
    note = tag(Note("n", text), Dictionary())
    mentions = tuple(m._replace(identity=m.surface.lower()) for m in note.mentions)
    weights = {(p.disease, p.treatment): p.evidence.weight for p in pairs_of(type(note)("n", mentions, {}, {}))}
    assert weights["gout", "allopurinol"] == ADJACENT
    assert weights["asthma", "salbutamol"] == SAME_NOTE
    assert record_of("Gout on allopurinol. Allopurinol and gout.")["closeness"].tolist() == [SAME_SENTENCE]


def test_sentences_of_the_model_are_those_of_the_record() -> None:
    texts = [json.loads(line)["text"] for line in SEED.read_text(encoding="utf-8").splitlines()][:80]
    texts.append(" \n Rheumatoid arthritis (RA) today.\u00a0\n\n- RA: methotrexate\x1f\n- gout ")
    for text in texts:
        ends = [tokens[-1].end for tokens in segment(text)]
        assert ends == [end for _, end in split_sentences(text)]
        told, found = tag(Note("n", text), Dictionary(), ends=ends), tag(Note("n", text), Dictionary())
        assert (told.mentions, told.abbreviations) == (found.mentions, found.abbreviations)


def test_a_note_counts_a_pair_once_and_a_sentence_each() -> None:
    record = record_of("Gout on allopurinol. Gout again, more allopurinol.", "Gout, on allopurinol.", "Asthma.")
    row = record.iloc[0]
    assert (row["notes"], row["sentences"], row["total_notes"], row["disease_notes"]) == (2, 3, 3, 2)
    assert row["confidence"] == pytest.approx(0.81)
    assert row["strength"] == pytest.approx(log_likelihood_ratio(2, 2, 2, 3))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Disease", "Treatment"]),
            st.integers(0, 6),
            st.sampled_from([0.25, 0.5, 0.75]),
            st.sampled_from(["", NEGATED, FAMILY]),
        ),
        max_size=40,
    )
)
def test_the_closest_of_many_is_the_closest_of_all(drawn: list[tuple[str, int, float, str]]) -> None:
    mentions = [
        TaggedMention(n, n + 1, label, confidence, "x", sentence, flag, identity=label)
        for n, (label, sentence, confidence, flag) in enumerate(sorted(drawn, key=lambda one: one[1]))
    ]
    ours, theirs = ([m for m in mentions if m.label == label] for label in ("Disease", "Treatment"))

    def place(d: TaggedMention, t: TaggedMention) -> tuple[bool, int, float, int, int]:
        apart = min(abs(d.sentence - t.sentence), 2)
        return bool(d.flag or t.flag), apart, -d.confidence * t.confidence, d.start, t.start

    found = [(one.disease, one.treatment) for one in closest_pairs(mentions)]
    all_of_them = [(d, t) for d in ours for t in theirs]
    assert found == ([min(all_of_them, key=lambda pair: place(*pair))] if all_of_them else [])


def test_a_name_that_a_note_has_ten_thousand_times() -> None:
    """All pairs of its mentions would fill the memory."""
    mentions = [
        TaggedMention(n, n + 1, label, 0.5, "x", n // 4 if apart else 0, "", identity=label)
        for apart in (True, False)
        for n, label in enumerate(["Disease", "Treatment"] * 20_000)
    ]
    (only,) = closest_pairs(mentions)
    assert (only.disease.start, only.treatment.start, only.weight) == (0, 1, SAME_SENTENCE)


def test_flagged_pairs_are_kept_and_not_counted() -> None:
    record = record_of("No gout, allopurinol given.", "Father has gout. Takes allopurinol.")
    row = record.iloc[0]
    assert (row["notes"], row["negated"], row["family"], row["disease_notes"]) == (0, 1, 1, 0)
    assert row["strength"] == 0 and [piece["flag"] for piece in row["evidence"]] == ["negated", "family"]
    both = record_of("No gout last year. Gout now, on allopurinol.").iloc[0]
    assert (both["notes"], both["negated"]) == (1, 0)
    farther = record_of("Gout now. Slept well. No gout last year; allopurinol then.").iloc[0]
    assert (farther["notes"], farther["negated"], farther["closeness"]) == (1, 0, SAME_NOTE)


def test_offsets_of_the_evidence_point_at_the_names() -> None:
    text = "Seen today.\nGout, so allopurinol."
    piece = record_of(text).iloc[0]["evidence"][0]
    assert text[piece["disease_start"] : piece["disease_end"]] == "Gout"
    assert text[piece["treatment_start"] : piece["treatment_end"]] == "allopurinol"
    assert piece["disease_sentence"] == piece["treatment_sentence"] == 1


def test_abbreviations_join_names_across_notes() -> None:
    record = record_of("Rheumatoid arthritis (RA) on methotrexate.", "RA: methotrexate.")
    assert len(record) == 1
    assert record["notes"].tolist() == [2]
    assert sorted(record["disease_forms"][0]) == ["RA", "Rheumatoid arthritis"]


def test_text_is_kept_only_when_asked_for(tmp_path: Path) -> None:
    text = "Troublesome gout despite allopurinol."
    plain, full = tmp_path / "plain.parquet", tmp_path / "full.parquet"
    write_table(plain, record_of(text), RECORD)
    write_table(full, record_of(text, with_text=True), RECORD)
    assert "Troublesome" not in str(read_record(plain).to_dict("records"))
    assert b"Troublesome" not in plain.read_bytes()
    assert read_record(full)["evidence"][0][0]["text"] == text


def test_the_ratio_is_that_of_the_formula() -> None:
    table = [[8, 4], [7, 381]]
    total = sum(map(sum, table))
    expected = 2 * sum(
        k * math.log(k / (sum(table[i]) * (table[0][j] + table[1][j]) / total))
        for i in range(2)
        for j, k in enumerate(table[i])
    )
    assert log_likelihood_ratio(8, 12, 15, 400) == pytest.approx(expected)
    assert log_likelihood_ratio(0, 12, 15, 400) == 0
    assert log_likelihood_ratio(5, 10, 10, 20) == 0
    assert log_likelihood_ratio(3, 3, 3, 3) == 0


# ---- notes ---------------------------------------------------------------------------------------


def test_notes_come_from_all_their_forms(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "text": "Gout."}\n{"id": "2", "text": "Gout."}\n')
    (tmp_path / "b.jsonl").write_text('{"id": 1, "text": "Asthma.", "mentions": []}\n')
    (tmp_path / "c.txt").write_text("RA.")
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.txt")]
    assert read_notes(paths) == [Note("a/1", "Gout."), Note("b/1", "Asthma."), Note("c", "RA.")]
    assert [note.id for note in read_notes(paths[:1])] == ["1"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "x", "--format"),
        ("a.jsonl", "gout", "JSON"),
        ("a.jsonl", '{"id": "1"}', "no text"),
        ("none.txt", None, "does not exist"),
    ],
)
def test_what_cannot_be_read_is_an_error(name: str, content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(BeHealthyError, match=message):
        read_notes([tmp_path / name])


# ---- questions -----------------------------------------------------------------------------------

TEXTS = (
    "Rheumatoid arthritis (RA) on methotrexate.",
    "RA, takes methotrexate and insulin.",
    "RA and asthma. Salbutamol.",
    "Asthma: salbutamol.",
    "Type 2 diabetes on insulin.",
    "Type 1 diabetes on insulin.",
    "Retinoblastoma, for cryotherapy.",
    "Gout. No methotrexate.",
)


def asked(question: str) -> Answer:
    return answer(question, record_of(*TEXTS), Dictionary())


def test_a_disease_gives_treatments_and_a_treatment_diseases() -> None:
    found = asked("What treats rheumatoid arthritis?")
    assert (found.how, found.rows["treatment"][0]) == (EXACT, "methotrexate")
    assert (
        asked("what treats RA")[3:] == () if isinstance(found, tuple) else asked("what treats RA").names == found.names
    )
    used = asked("what is methotrexate used for?")
    assert used.rows["disease"].tolist() == ["RA"] and used.flagged == 1


def test_both_names_give_their_pair() -> None:
    found = asked("Is insulin used for type 2 diabetes?")
    assert found.rows[["disease", "treatment"]].to_numpy().tolist() == [["Type 2 diabetes", "insulin"]]


@pytest.mark.parametrize(
    ("question", "how", "names"),
    [
        ("what treats hereditary retinoblastomas?", PART, ["Retinoblastoma"]),
        ("what treats diabetes?", PART, ["Type 1 diabetes", "Type 2 diabetes"]),
        ("what treats retinoblastma?", ALIKE, ["Retinoblastoma"]),
    ],
)
def test_names_are_found_loosely_and_it_is_said(question: str, how: str, names: list[str]) -> None:
    found = asked(question)
    assert (found.how, [name.display for name in found.names]) == (how, names)


def test_a_longer_name_than_the_known_one_is_shared_words_not_exact() -> None:
    known = answer(
        "what treats hereditary retinoblastoma", record_of(*TEXTS), Dictionary(("hereditary retinoblastoma",))
    )
    assert (known.term, known.how) == ("hereditary retinoblastoma", PART)


def test_an_unknown_name_gives_the_closest() -> None:
    found = asked("what treats rheumatic arteritis?")
    assert found.how == "" and not len(found.rows)
    assert found.closest[0] == "RA"  # shown by its most frequent form, found by another


def test_an_empty_record_knows_nothing() -> None:
    found = answer("what treats gout?", record_of("Well."), None)
    assert (found.how, found.closest) == ("", ())


# ---- command -------------------------------------------------------------------------------------


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("stages.train.extractor.load_extractor", lambda folder: Dictionary())
    notes = tmp_path / "notes.jsonl"
    texts = [*TEXTS, *(f"Well {number}." for number in range(40))]  # without which nothing is past chance
    notes.write_text("\n".join(json.dumps({"id": f"n{i}", "text": text}) for i, text in enumerate(texts)))
    assert command.main(["build", str(notes), "--to", str(tmp_path / "record.parquet")]) == 0
    return tmp_path / "record.parquet"


def test_building_twice_gives_the_same_bytes(built: Path) -> None:
    before = built.read_bytes()
    command.main(["build", str(built.with_name("notes.jsonl")), "--to", str(built)])
    assert built.read_bytes() == before


def test_an_answer_as_json(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert command.main(["ask", "what treats asthma?", "--record", str(built), "--json", "--top", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][0]["treatment"] == "Salbutamol" or found["rows"][0]["treatment"] == "salbutamol"
    assert found["rows"][0]["evidence"][0]["note"] == "n3" and found["rows"][0]["evidence"][0]["text"] is None


def test_an_answer_as_a_table(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert command.main(["ask", "what is methotrexate used for", "--record", str(built)]) == 0
    out = capsys.readouterr().out
    assert "n0:1, n1:1" in out and "1 pair only negated" in out and "\x1b" not in out
    assert command.main(["ask", "what treats plague", "--record", str(built)]) == 1
    assert "does not know “plague”" in capsys.readouterr().out


def test_pairs_that_chance_may_have_brought_together_are_hidden_unless_asked_for(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["ask", "what treats rheumatoid arthritis?", "--record", str(built)]
    capsys.readouterr()
    assert command.main(ask) == 0
    out = capsys.readouterr().out
    assert "methotrexate" in out and "insulin" not in out and "salbutamol" not in out.casefold()
    assert "2 pairs hidden: not past chance (strength below 10.83); --all shows them" in out
    assert command.main([*ask, "--all"]) == 0
    out = capsys.readouterr().out
    assert "insulin" in out and "hidden" not in out
    assert command.main([*ask, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert ([row["treatment"] for row in found["rows"]], found["hidden_pairs"]) == (["methotrexate"], 2)
    assert command.main([*ask, "--json", "--all"]) == 0
    assert json.loads(capsys.readouterr().out)["hidden_pairs"] == 0


def test_nothing_past_chance_is_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "record.parquet"
    write_table(path, record_of("Gout, on insulin.", "Gout.", "Insulin.", "Well."), RECORD)
    ask = ["ask", "what treats gout?", "--record", str(path), "--models", str(tmp_path)]
    assert command.main(ask) == 1
    assert "1 pair hidden" in capsys.readouterr().out
    assert command.main([*ask, "--all"]) == (0 if len(read_record(path)) else 1)


@pytest.mark.parametrize(
    "question",
    [
        "how many patients have gout?",
        "why does methotrexate help in gout?",
        "what causes gout?",
        "does methotrexate cause gout?",
        "what is the dose of methotrexate?",
        "what treats gout and how many have it?",
        "which patients take insulin?",
        "gout patients on insulin",
        "list everything",
        "plague",
        "?",
        "",
    ],
)
def test_a_question_of_another_form_is_refused(question: str, built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert command.main(["ask", question, "--record", str(built)]) == 2
    captured = capsys.readouterr()
    assert "what treats DISEASE?; " in captured.err and captured.out == ""
    assert "gout" not in captured.err and "plague" not in captured.err


@pytest.mark.parametrize(
    "question",
    [
        "what treats gout",
        "Which drugs help with gout?",
        "what is used for gout?",
        "What is the best treatment for gout?",
        "treatments of gout",
        "how is gout treated?",
        "How do you treat gout?",
        "how to manage gout",
        "what is gout treated with?",
        "what is  methotrexate used for?!",
        "which diseases does methotrexate treat?",
        "indications of methotrexate",
        "Is methotrexate used for gout?",
        "does methotrexate help with gout?",
        "Gout",
        "RA",
        "rheumatoid arthritis",
    ],
)
def test_questions_of_the_known_forms_are_answered(question: str) -> None:
    assert asked(question).names


@pytest.mark.parametrize(
    ("question", "kind"), [("what treats methotrexate?", "treatment"), ("what is gout used for?", "disease")]
)
def test_a_treatment_is_not_taken_for_a_disease_nor_the_reverse(question: str, kind: str) -> None:
    with pytest.raises(BeHealthyError, match=f"knows this name as a {kind} only"):
        asked(question)


def test_a_name_of_both_kinds_is_taken_for_what_the_question_says() -> None:
    record = record_of("Asthma on insulin.", "Gout on insulin.")
    misread = record.head(1).assign(disease="insulin", disease_id="insulin", disease_forms=[["insulin"]], treatment="x")
    found = answer("what is insulin used for?", pd.concat([record, misread], ignore_index=True), None)
    assert ([name.label for name in found.names], len(found.rows)) == (["Treatment"], 3)


def test_every_form_that_is_offered_is_understood() -> None:
    for form in FORMS:
        assert asked(form.replace("DISEASE", "gout").replace("TREATMENT", "methotrexate")).how == EXACT


# ---- where a record may lie ------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Repository:
    made = repository_at(tmp_path / "clone")
    (made.root / ".gitignore").write_text("/ignored.parquet\n/data/\n")
    (made.root / "tracked.parquet").write_text("")
    (made.root / "[a].parquet").write_text("")
    made.commit("Begin")
    return made


@pytest.mark.parametrize("place", ["ignored.parquet", "data/new/record.parquet", "../beside.parquet"])
def test_a_record_may_lie_where_git_does_not_take_it(tree: Repository, place: str) -> None:
    refuse_shared(tree.root / place)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("tracked.parquet", "git tracks .*git rm --cached"),
        ("[a].parquet", "git tracks"),
        ("new.parquet", "git does not ignore .*add it to .gitignore"),
        ("deep/er/new.parquet", "git does not ignore"),
        (".git/record.parquet", "git does not ignore"),
    ],
)
def test_a_record_is_not_written_where_git_would_take_it(tree: Repository, place: str, says: str) -> None:
    with pytest.raises(BeHealthyError, match=says):
        refuse_shared(tree.root / place)


def test_what_is_tracked_is_refused_although_it_is_ignored(tree: Repository) -> None:
    (tree.root / "ignored.parquet").write_text("")
    tree.git("add", "--force", "ignored.parquet")
    with pytest.raises(BeHealthyError, match="git tracks"):
        refuse_shared(tree.root / "ignored.parquet")


def test_a_link_to_outside_hides_nothing(tree: Repository, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree.root)
    with pytest.raises(BeHealthyError, match="git does not ignore"):
        refuse_shared(tmp_path / "link" / "new.parquet")


def test_a_hook_s_environment_does_not_mislead(
    tree: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository_at(tmp_path / "other").root / ".git"))
    with pytest.raises(BeHealthyError, match="git tracks"):
        refuse_shared(tree.root / "tracked.parquet")


def test_without_git_only_work_trees_are_refused(
    tree: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refuse_shared(tmp_path / "record.parquet")
    with pytest.raises(BeHealthyError, match="without git nobody can tell"):
        refuse_shared(tree.root / "ignored.parquet")


def test_a_build_into_git_tags_nothing_and_writes_nothing(
    tree: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stages.train.extractor.load_extractor", lambda folder: pytest.fail("nothing is to be tagged"))
    (tmp_path / "a.txt").write_text("Gout.")
    assert command.main(["build", str(tmp_path / "a.txt"), "--to", str(tree.root / "new.parquet")]) == 2
    assert "record: git does not ignore" in capsys.readouterr().err
    assert not (tree.root / "new.parquet").exists()


def test_the_readme_s_own_record_is_ignored() -> None:
    refuse_shared(ROOT / command.FILE)


def test_a_name_with_markup_is_shown_as_it_is() -> None:
    out = io.StringIO()
    found = Answer("[red]x", "", (), record_of("Well."), 0, ("[b]y",))
    command.show(found, found.rows, 5, Console(file=out, markup=False))
    assert "[red]x" in out.getvalue() and "[b]y" in out.getvalue()


@pytest.mark.parametrize("content", [None, b"PAR1", b"not a table"])
def test_what_is_no_record_says_how_to_build_one(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "record.parquet"
    if content is not None:
        path.write_bytes(content)
    assert command.main(["ask", "what treats gout?", "--record", str(path)]) == 2
    assert "production.record build" in capsys.readouterr().err


def test_a_missing_model_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("Gout.")
    assert command.main(["build", str(tmp_path / "a.txt"), "--models", str(tmp_path), "--to", str(tmp_path / "r")]) == 2
    assert "make repro" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro")
@pytest.mark.skipif(not SEED.is_file(), reason="needs the seed notes: make data")
def test_the_seed_notes_know_what_treats_rheumatoid_arthritis() -> None:
    extractor = load_extractor(ROOT / "models")
    record = build_record(read_notes([SEED]), extractor)
    found = answer("what treats rheumatoid arthritis?", record, extractor)
    assert "methotrexate" in found.rows["treatment"][:3].tolist()
