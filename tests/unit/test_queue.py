"""The queue of notes to annotate next: never a repeat, always the same, and never half a file."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.queue.__main__ import main
from annotation.queue.doubts import Doubts, find_doubts
from annotation.queue.notes import read_annotated, read_notes, sift
from annotation.queue.profiles import Profile, profile_of, summed
from annotation.queue.selection import choose
from stages.common.command import COULD_NOT, DONE, REFUSED
from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.duplicates import jaccard
from stages.prepare.formats import jsonl
from stages.train.extractor import Extractor
from stages.train.taggers.chain.crf import CrfTagger
from tests.reference.shingles import shingles_of
from tests.repository import write_notes
from tests.unit.test_extractor import train

WORDS = "gout asthma aspirin insulin eczema known on no today review of 12 mg daily".split()
texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return train()


@pytest.fixture(scope="module")
def models(extractor: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    extractor.save(folder)
    return folder


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "annotated.jsonl"
    write_notes(path, 30)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = tmp_path / "notes.jsonl"
    found.write_text("".join(json.dumps({"id": row["id"], "text": row["text"]}) + "\n" for row in rows))
    return found


def run(notes: Path, models: Path, to: Path, *more: str, count: int = 5) -> int:
    batches = str(to.parent / "batches")
    arguments = [str(notes), "--models", str(models), "--count", str(count), "--to", str(to), "--annotations", batches]
    return main([*arguments, *more])


# --- what the model may get wrong -------------------------------------------------------------


def test_spans_that_were_taken_and_spans_that_were_left_are_both_doubts(extractor: Extractor) -> None:
    sentences = ["Known gout on aspirin .".split(), "Gastric eczema today or insulin pneumonia .".split()]
    tokens = extractor.attributes.transform(sentences)
    tagger = extractor.tagger
    assert isinstance(tagger, CrfTagger)
    tagger = tagger.at(5.0)
    doubts = find_doubts(tagger, tokens)
    spans = tagger.spans(tokens)
    assert doubts.taken.sum() == sum(map(len, spans)) > 0
    assert not doubts.taken.all()
    taken = tagger.posteriors(tokens, spans, tagger.temperature)
    assert np.sort(doubts.errors[doubts.taken]) == pytest.approx(np.sort(1 - taken))
    assert ((doubts.errors >= 0) & (doubts.errors <= 1)).all()


def test_the_same_phrase_is_one_doubt_wherever_it_stands(extractor: Extractor) -> None:
    one, other = (
        profile_of(extractor, text) for text in ("Known gout on aspirin.", "No gout today, continue aspirin.")
    )
    assert set(one.phrases.tolist()) & set(other.phrases.tolist())


def test_a_note_without_words_has_no_doubts(extractor: Extractor) -> None:
    assert profile_of(extractor, " \n").tokens == 0
    assert profile_of(extractor, "").errors.sum() == 0


def test_expected_errors_are_summed_by_phrase() -> None:
    phrases = np.array([7, 3, 7], dtype=np.uint64)
    errors, taken = np.array([0.5, 0.25, 0.125]), np.array([True, False, False])
    profile = summed(Doubts(np.zeros(3, dtype=np.int64), np.zeros((3, 2), dtype=np.int64), errors, taken, phrases), 9)
    assert (profile.phrases.tolist(), profile.errors.tolist()) == ([3, 7], [0.25, 0.625])
    assert (profile.tokens, profile.wrong, profile.missed) == (9, 0.5, 0.375)


# --- the choice -------------------------------------------------------------------------------


def profile(**errors: float) -> Profile:
    phrases = np.array([ord(name) for name in errors], dtype=np.uint64)
    return Profile(phrases, np.array(list(errors.values())), 10, sum(errors.values()), 0.0)


def test_a_note_with_other_doubts_comes_before_one_with_more_of_the_same() -> None:
    chosen = choose([profile(a=3), profile(a=2.5), profile(b=1)], 3)
    assert [choice.note for choice in chosen] == [0, 2, 1]
    assert [choice.novelty for choice in chosen] == pytest.approx([1, 1, np.exp(-3)])


def test_without_doubts_the_order_stays() -> None:
    assert [choice.note for choice in choose([profile(), profile(), profile(a=0.1)], 3)] == [2, 0, 1]


profiles = st.lists(st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 2), max_size=4), max_size=8)


@given(profiles, st.integers(1, 9))
def test_the_choice_is_greedy(given: list[dict[str, float]], count: int) -> None:
    """What is found with few gains computed anew is found with all of them."""
    found = [profile(**dict(sorted(errors.items()))) for errors in given]

    def worth(notes: list[int]) -> float:
        total: Counter[str] = Counter()
        for note in notes:
            total.update(given[note])
        return sum(1 - np.exp(-errors) for errors in total.values())

    chosen = [choice.note for choice in choose(found, count)]
    assert len(chosen) == min(count, len(found)) == len(set(chosen))
    for place, note in enumerate(chosen):
        before = chosen[:place]
        best = max(worth([*before, other]) for other in range(len(found)) if other not in before)
        assert worth([*before, note]) == pytest.approx(best)


@given(profiles)
def test_novelty_is_a_share(given: list[dict[str, float]]) -> None:
    found = [profile(**dict(sorted(errors.items()))) for errors in given]
    assert all(0 <= choice.novelty <= 1 + 1e-9 for choice in choose(found, len(found)))


# --- which notes are new ----------------------------------------------------------------------


@given(st.lists(texts, max_size=8), st.lists(texts, max_size=4), st.randoms())
@settings(max_examples=60)
def test_what_is_left_repeats_nothing(pool: list[str], annotated: list[str], chance) -> None:  # type: ignore[no-untyped-def]
    documents = [Document(f"{number:03}", text) for number, text in enumerate(pool)]
    sifted = sift(documents, annotated, 0.7)
    assert sum(sifted[1:]) + len(sifted.notes) == len(pool)
    assert sifted.empty == sum(not text for text in pool)
    shingles = [shingles_of(note.text) for note in sifted.notes]
    assert all(jaccard(a, b) < 0.7 for a, b in combinations(shingles, 2))
    assert all(jaccard(a, shingles_of(text)) < 0.7 for a in shingles for text in annotated)
    chance.shuffle(documents)
    assert sift(documents, annotated, 0.7) == sifted


def test_text_files_are_notes_under_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Known gout.\r\n", encoding="utf-8", newline="")
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "a.txt").write_text("No asthma.", encoding="utf-8")
    assert read_notes(tmp_path) == [Document("b", "Known gout.\r\n"), Document("ward/a", "No asthma.")]
    assert read_notes(tmp_path / "b.txt") == [Document("b", "Known gout.\r\n")]


def test_a_folder_of_both_kinds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Known gout.")
    (tmp_path / "b.jsonl").write_text('{"id": "b", "text": "No asthma."}\n')
    with pytest.raises(AnnotationError, match="holds both text files and JSON lines"):
        read_notes(tmp_path)


def test_without_batches_nothing_is_annotated(tmp_path: Path) -> None:
    assert read_annotated(tmp_path / "none", 10) == []


# --- the command ------------------------------------------------------------------------------


def test_the_tasks_hold_the_text_to_the_character_and_what_the_model_marks(
    notes: Path, models: Path, extractor: Extractor, tmp_path: Path
) -> None:
    to = tmp_path / "tasks.jsonl"
    assert run(notes, models, to) == DONE
    texts = {document.id: document.text for document in jsonl.read_notes(notes)}
    tasks = jsonl.read(to)
    assert len(tasks) == 5
    for task in tasks:
        assert task.text == texts[task.id]
        assert list(task.mentions) == [mention[:3] for mention in extractor.extract(task.text).mentions]


def test_the_same_notes_give_the_same_bytes_in_any_order(notes: Path, models: Path, tmp_path: Path) -> None:
    run(notes, models, tmp_path / "one.jsonl", "--why", str(tmp_path / "one.csv"))
    lines = notes.read_text(encoding="utf-8").splitlines(keepends=True)
    notes.write_text("".join(reversed(lines)), encoding="utf-8")
    run(notes, models, tmp_path / "two.jsonl", "--why", str(tmp_path / "two.csv"))
    for suffix in (".jsonl", ".csv"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_why_says_no_word_of_a_note(
    notes: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(notes, models, tmp_path / "tasks.jsonl", "--why", str(tmp_path / "why.csv"))
    captured = capsys.readouterr()
    why = (tmp_path / "why.csv").read_text(encoding="utf-8")
    table = pd.read_csv(tmp_path / "why.csv")
    assert list(table.columns) == ["note", "tokens", "wrong", "missed", "novelty"]
    shown = f"{captured.out}{captured.err}{why}".lower()
    for word in ("colitis", "gout", "allopurinol", "slot", "bloods"):
        assert word not in shown
    assert table["note"].tolist() == [task.id for task in jsonl.read(tmp_path / "tasks.jsonl")]


def test_annotated_notes_are_left_out(
    notes: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from annotation.add import main as add

    assert (
        add([str(tmp_path / "annotated.jsonl"), "--format", "jsonl", "--name", "b", "--to", str(tmp_path / "batches")])
        == 0
    )
    assert run(notes, models, tmp_path / "tasks.jsonl") == REFUSED
    assert "30 annotated before" in capsys.readouterr().out
    assert not (tmp_path / "tasks.jsonl").exists()


def test_tasks_that_exist_are_not_overwritten(notes: Path, models: Path, tmp_path: Path) -> None:
    to = tmp_path / "tasks.jsonl"
    to.write_text("someone's work")
    assert run(notes, models, to) == COULD_NOT
    assert to.read_text() == "someone's work"


def test_a_failure_while_writing_leaves_nothing(
    notes: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", fail)
    before = sorted(tmp_path.iterdir())
    assert run(notes, models, tmp_path / "tasks.jsonl", "--why", str(tmp_path / "why.csv")) == COULD_NOT
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("count", ["0", "-3"])
def test_a_count_below_one_is_wrong_usage(notes: Path, models: Path, tmp_path: Path, count: str) -> None:
    with pytest.raises(SystemExit) as caught:
        run(notes, models, tmp_path / "tasks.jsonl", count=int(count))
    assert caught.value.code == 2


def test_missing_notes_and_models_are_named(
    notes: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "none.jsonl", models, tmp_path / "tasks.jsonl") == COULD_NOT
    assert run(notes, tmp_path / "none", tmp_path / "tasks.jsonl") == COULD_NOT
    assert capsys.readouterr().err.count("queue: ") == 2
