"""The benchmarks on a corpus of a few lines, in every format, in this process; once as commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks import accuracy, contest, scale, throughput
from benchmarks.contestants import __main__ as process
from benchmarks.contestants import segmented
from benchmarks.contestants.notebooks import features_of
from benchmarks.corpora import Corpus, read_corpus
from benchmarks.environment import FOLDER
from benchmarks.plain import PlainDecoder, compare_decoders
from benchmarks.scores import scored
from benchmarks.service import scaling_of
from benchmarks.task import Task, token_count
from stages.params import load_params
from stages.prepare.formats.rules import Rules
from stages.train.extractor import Extractor
from tests.tiny_corpora import WRITERS, notes_of, write_iob, write_jsonl

ROOT = Path(__file__).parents[2]
PEERS = pytest.mark.skipif(not FOLDER.is_dir(), reason="the peers' environment was not built")
MEASURES = {"precision", "recall", "f1", "f1_interval"}
COSTS = {"train_cpu_seconds", "tokens_per_cpu_second", "cold_tokens_per_cpu_second", "text_tokens_per_cpu_second"}
COSTS |= {"peak_memory_mb", "tagging_memory_mb", "load_seconds"}


@pytest.fixture(scope="module")
def params_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's parameters, made quick."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["featurize"] |= {"clusters": [4, 8], "topic_clusters": [3], "epochs": 1}
    content["train"]["crf"] |= {"runs": 1, "iterations": 3}
    content["evaluate"]["resamples"] = 20
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run contestants in this process: imports take most of a tiny run."""

    def run_module(python: Path | str, arguments: list[str], *, niced: bool) -> None:
        process.main(arguments[1:])

    monkeypatch.setattr(contest, "run_module", run_module)


def arguments_of(folder: Path, params: Path, format: str, out: str = "--json") -> list[str]:
    train = [WRITERS[format](folder / f"train{i}", notes_of(20, seed=i)) for i in range(2)]
    test = WRITERS[format](folder / "test", notes_of(8, seed=9))
    files = ["--train", *map(str, train), "--test", str(test)]
    return ["--format", format, *files, out, str(folder / "out.json"), "--params", str(params)]


def check_shape(result: dict) -> None:
    for kind in ("strict", "lenient"):
        assert set(result[kind]) == {"micro", "labels"}
        assert set(result[kind]["labels"]) == {"Disease", "Treatment"}
        for measures in (result[kind]["micro"], *result[kind]["labels"].values()):
            assert set(measures) == MEASURES
            low, high = measures["f1_interval"]
            assert 0 <= low <= measures["f1"] <= high <= 1
    assert result["strict"]["micro"]["f1"] <= result["lenient"]["micro"]["f1"]
    assert all(result[cost] > 0 for cost in COSTS)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("format", WRITERS)
def test_accuracy_has_the_promised_shape(
    format: str, tmp_path: Path, params_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert accuracy.main(arguments_of(tmp_path, params_file, format)) == 0
    result = json.loads((tmp_path / "out.json").read_text())
    check_shape(result)
    about = {"strict", "lenient", "tokens", "documents", "source_labels", "params"}
    promised = {"acceptance", "calibration", "suggestions"}
    assert set(result) == COSTS | about | promised
    assert set(result["acceptance"]["labels"]) == {"Disease", "Treatment"}
    assert set(result["calibration"]) == {"ece"}
    assert set(result["suggestions"]) == {"number", "precision", "missed_shown"}
    assert result["source_labels"] == {"Disease": ["D"], "Treatment": ["T"]}
    assert result["documents"] == (3 if format in ("iob", "token-lines") else 8)  # blocks of ten sentences
    assert result["strict"]["micro"]["f1"] > 0.8
    captured = capsys.readouterr()
    assert re.search(r"behealthy +\d", captured.out)
    assert "nearly repeat" not in captured.err


@pytest.mark.usefixtures("in_process")
def test_accuracy_takes_the_choices_of_a_batch(tmp_path: Path, params_file: Path) -> None:
    arguments = arguments_of(tmp_path, params_file, "jsonl")
    train = next((tmp_path / "train").iterdir()) if (tmp_path / "train").is_dir() else Path(arguments[3])
    lines = train.read_text().splitlines()
    note = json.loads(lines[0])
    note["mentions"].append({"start": 0, "end": len(note["text"].rstrip()), "label": "D"})
    train.write_text("\n".join([json.dumps(note), *lines[1:]]) + "\n")
    assert accuracy.main(arguments) == 1
    assert accuracy.main([*arguments, "--overlaps", "longest"]) == 0
    left_out = json.loads((tmp_path / "out.json").read_text())["left_out"]
    assert sum(left_out["overlapping"].values()) == len(note["mentions"]) - 1


@pytest.mark.usefixtures("in_process")
def test_promises_are_scored_of_parts_of_the_documents_too(tmp_path: Path, params_file: Path) -> None:
    arguments = arguments_of(tmp_path, params_file, "jsonl")
    assert accuracy.main([*arguments, "--resample-documents", "2", "--document-share", "0.5"]) == 0
    found = json.loads((tmp_path / "out.json").read_text())["resampled"]
    assert found["share"] == 0.5
    assert [(one["seed"], one["documents"]) for one in found["trainings"]] == [(1, 20), (2, 20)]
    for one in found["trainings"]:
        assert set(one["acceptance"]["labels"]) == {"Disease", "Treatment"}
        assert one["acceptance"]["whole"]["promised"] == 0.9


@pytest.mark.parametrize("share", ["0", "1.5", "some"])
def test_a_share_of_the_documents_is_one(share: str, tmp_path: Path, params_file: Path) -> None:
    with pytest.raises(SystemExit):
        accuracy.main([*arguments_of(tmp_path, params_file, "jsonl"), "--document-share", share])


@pytest.mark.usefixtures("in_process")
def test_changed_texts_are_scored_too(tmp_path: Path, params_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert accuracy.main([*arguments_of(tmp_path, params_file, "jsonl"), "--hardships"]) == 0
    scores = json.loads((tmp_path / "out.json").read_text())
    assert scores["hardships"]["as_written"] == scores["strict"]["micro"]["f1"]
    assert 0 < scores["hardships"]["upper_case"] <= 1
    assert re.search(r"upper_case +[01]\.\d{4}", capsys.readouterr().out)


@pytest.mark.usefixtures("in_process")
def test_repeats_are_told_and_kept(tmp_path: Path, params_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write_jsonl(tmp_path / "train", notes_of(30, seed=1))
    test = write_jsonl(tmp_path / "test", [*notes_of(30, seed=1)[:4], *notes_of(4, seed=5)])
    arguments = ["--format", "jsonl", "--train", str(train), "--test", str(test), "--json", str(tmp_path / "out.json")]
    assert accuracy.main([*arguments, "--params", str(params_file)]) == 0
    assert "WARNING: 4 test documents nearly repeat" in capsys.readouterr().err
    assert json.loads((tmp_path / "out.json").read_text())["documents"] == 8


REFUSALS = ("label T has no meaning", "broken.tsv, line 1")
"""Messages about a corpus that was read and refused; the others say what could not be done."""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--test": "absent.tsv"}, "does not exist"),
        ({"--params": "absent.yaml"}, "is missing"),
        ({"--labels": "labels.csv"}, "label T has no meaning"),
        ({"--train": "broken.tsv"}, "broken.tsv, line 1"),
        ({"--train": "empty.tsv"}, "mark no mention"),
        ({"--json": "folder"}, "is a folder"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(
    change: dict[str, str], message: str, tmp_path: Path, params_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.csv").write_text("source_label,label\nD,Disease\n")
    (tmp_path / "broken.tsv").write_text("word\tnonsense\n")
    (tmp_path / "empty.tsv").write_text("word\tO\n")
    (tmp_path / "folder").mkdir()
    corpus = str(write_iob(tmp_path / "corpus", notes_of(4, seed=1)))
    options = {"--format": "iob", "--train": corpus, "--test": corpus, "--json": str(tmp_path / "out.json")}
    options |= {"--params": str(params_file)} | {key: str(tmp_path / name) for key, name in change.items()}
    before = sorted(tmp_path.iterdir())
    assert accuracy.main([part for pair in options.items() for part in pair]) == (1 if message in REFUSALS else 2)
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert sorted(tmp_path.iterdir()) == before


def test_mentions_off_token_boundaries_count_as_missed(tmp_path: Path, params_file: Path) -> None:
    params = load_params(params_file)
    text = "Severe hyperglycaemia and asthma today."
    mentions = [{"start": 7, "end": 12, "label": "D"}, {"start": 26, "end": 32, "label": "D"}]
    path = tmp_path / "notes.jsonl"
    path.write_text(json.dumps({"id": "a", "text": text, "mentions": mentions}) + "\n")
    corpus = read_corpus([path], [path], "jsonl", Rules({"D": "Disease"}), params.prepare)
    gold = corpus.gold("test")
    (name,) = gold
    result = scored(gold, {name: [(26, 32, "Disease")]}, params.evaluate)
    assert result["strict"]["micro"]["recall"] == 0.5
    assert result["strict"]["micro"]["precision"] == 1.0


def model_of(tmp_path: Path, params_file: Path) -> tuple[Corpus, Task, Path]:
    params = load_params(params_file)
    files = [write_iob(tmp_path / name, notes_of(n, seed=n)) for name, n in (("train", 30), ("test", 12))]
    corpus = read_corpus(files[:1], files[1:], "iob", Rules({"D": "Disease", "T": "Treatment"}), params.prepare)
    corpus.write(tmp_path / "prepared")
    task = Task(corpus.notes("train"), corpus.notes("test"), str(tmp_path / "prepared"), str(params_file))
    task.write(tmp_path / "task.json")
    process.learned("behealthy", tmp_path / "task.json", tmp_path / "model")
    return corpus, task, tmp_path / "model"


def test_attributes_and_decoder_agree_with_the_plain_ones(tmp_path: Path, params_file: Path) -> None:
    corpus, task, model = model_of(tmp_path, params_file)
    extractor = Extractor.load(model)
    agreement = compare_decoders(extractor, [note.sentences for note in [*task.train, *task.test]])
    assert (agreement.sentences, agreement.ties) == (90 + 36, 0)
    assert agreement.identical == agreement.sentences
    plain = PlainDecoder(extractor, [note.sentences for note in task.test])
    for note in task.test:
        tokens = extractor.attributes.transform(note.sentences)
        weights = plain.chain.weights
        fast = [weights[tokens.rows[first:end]].sum(axis=0) for first, end in pairwise(tokens.starts)]
        assert np.allclose(fast, np.concatenate(plain.emissions(note.sentences)), atol=1e-4)
    assert sum(map(len, corpus.gold("test").values())) == sum(len(s) for note in task.test for s in note.spans)


def test_forms_seen_one_by_one_or_at_once_give_the_same_attributes(tmp_path: Path, params_file: Path) -> None:
    """More forms than a new table has room for, so that its buffers grow under way."""
    _, _, model = model_of(tmp_path, params_file)
    sentences = [[f"{stem}{number}x", "takes", "aspirin"] for number in range(1500) for stem in ("Hyper", "A")]
    at_once, one_by_one = (Extractor.load(model).attributes for _ in range(2))
    together = at_once.transform(sentences)
    rows = np.concatenate([one_by_one.transform([sentence]).rows for sentence in sentences])
    assert np.array_equal(together.rows, rows)


def test_scale_measures_a_growing_text(tmp_path: Path, params_file: Path) -> None:
    _, task, model = model_of(tmp_path, params_file)
    table = scale.measure(Extractor.load(model), [note.sentences for note in task.test], 20_000)
    assert len(table) == scale.POINTS
    assert table["tokens"].is_monotonic_increasing
    assert table["tokens"].iloc[-1] >= 20_000
    scale.draw_scale(table, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
    straight = pd.DataFrame({name: [1.0, 2.0, 3.0] for name in scale.COLUMNS})
    assert scale.summary(straight)["worst_from_line"] == 0


def test_tasks_survive_the_way_to_another_process(tmp_path: Path, params_file: Path) -> None:
    _, task, _ = model_of(tmp_path, params_file)
    again = Task.read(tmp_path / "task.json")
    assert [note.sentences for note in again.test] == [note.sentences for note in task.test]
    assert [note.spans for note in again.train] == [note.spans for note in task.train]
    assert token_count(again.test) == token_count(task.test) > 0
    for note in task.test:
        for sentence, offsets in zip(note.sentences, note.offsets, strict=True):
            assert [note.text[start:end] for start, end in offsets] == sentence


def test_segmentation_and_the_notebooks_features() -> None:
    text = "Known asthma. Takes 2.5 mg."
    words = [[text[start:end] for start, end in sentence] for sentence in segmented(text)]
    assert words == [["Known", "asthma", "."], ["Takes", "2.5", "mg", "."]]
    first = features_of(words[0])[0]
    assert first["word.lower()"] == "known"
    assert first["BOS"] is True
    assert first["+1:word.lower()"] == "asthma"


@pytest.mark.usefixtures("in_process")
def test_throughput_alone(tmp_path: Path, params_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = arguments_of(tmp_path, params_file, "iob")
    assert throughput.main([*arguments, "--contestants", "behealthy"]) == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert set(result["contestants"]["behealthy"]) >= COSTS
    assert result["agreement"]["holds"] is True
    assert "same answers as the plain decoder on 24 of 24 sentences" in capsys.readouterr().out


def test_throughput_needs_the_project_or_corpora(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--contestants", "behealthy", "--params", str(ROOT / "params.yaml")]
    assert throughput.main([*arguments, "--test", "x.tsv", "--json", str(tmp_path / "out.json")]) == 2
    assert "--test needs --train" in capsys.readouterr().err


@pytest.mark.slow
@PEERS
def test_both_commands_with_peers(tmp_path: Path, params_file: Path) -> None:
    """As a user runs them: processes of their own, peers in their environment."""
    files = arguments_of(tmp_path, params_file, "iob")
    command = [sys.executable, "-m", "benchmarks.accuracy", *files, "--peers", "--epochs", "1"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert set(result["peers"]) == {"sklearn-crfsuite", "spacy"}
    for one in result["peers"].values():
        check_shape({**one, "strict": {**one["strict"], "labels": one["lenient"]["labels"]}})
    command = [sys.executable, "-m", "benchmarks.throughput", *files, "--scale", "20000"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert set(result["ratios"]) == {"python-crfsuite", "sklearn-crfsuite", "spacy"}
    assert len((tmp_path / "out.scale.csv").read_text().splitlines()) == scale.POINTS + 1
    assert (tmp_path / "out.scale.png").exists()


def test_two_cores_are_compared_by_the_best_rate_of_each() -> None:
    def service(*rates: float) -> dict[str, Any]:
        loads = [{"rate": rate, "cpu_ms": {"listening": 0.5, "others": 100 / rate}} for rate in rates]
        return {"loads": {str(place): load for place, load in enumerate(loads)}}

    scaling = scaling_of(service(50, 80, 60), service(90, 160, 150))
    assert scaling == {"rate": 2.0, "cpu": pytest.approx(1.125 / 1.75), "most": 2000.0}
