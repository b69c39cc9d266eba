"""What a stage prints agrees with its numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from annotation import add
from stages.monitor.decision import decide
from stages.monitor.drift import Drift
from stages.params import load_params
from stages.prepare import __main__ as prepare
from stages.validate.gate import GateVerdict
from stages.validate.project import Outcome
from stages.validate.verdict_metrics import summary_of
from tests.repository import ROOT


def test_prepare_counts_one_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    Path("labels.csv").write_text("source_label,label\nDisease,Disease\n")
    Path("notes.jsonl").write_text(
        '{"id": "1", "text": "Gout.", "mentions": [{"start": 0, "end": 4, "label": "Disease"}]}\n'
    )
    command = ["notes.jsonl", "--format", "jsonl", "--name", "one", "--labels", "labels.csv", "--split", "train"]
    assert add.main(command) == 0
    prepare.main()
    said = capsys.readouterr().out
    assert "prepare: 1 document, 1 sentence, 2 tokens, 1 mention, 0 inside token, 0 across sentences, 0 dup" in said
    assert "prepare: 1 document in train\n" in said


def test_the_gate_counts_one_expectation() -> None:
    assert summary_of(GateVerdict(Outcome(1), ())) == "validate: passed (1 expectation, 0 errors, 0 warnings)"


def test_the_monitor_counts_one_note() -> None:
    params = load_params(ROOT / "params.yaml").monitor
    assert decide(Drift((), 1, 1), params).reasons == ("1 note is fewer than 50: not judged",)


def test_parameters_are_refused_in_our_words(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"labels": ["Disease", "disease"]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(Exception, match=r"labels: disease cannot be a label"):
        load_params(tmp_path / "params.yaml")
