"""Featurize learns from the training split: what stands in dev or test only leaves no trace in the extractor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from stages.common.documents import Document
from stages.common.files import write_json, write_table
from stages.common.tables import DOCUMENTS, TOKENS
from stages.featurize import __main__ as stage
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.params import load_params
from stages.prepare.tables import PlacedDocument, build_tables
from tests.repository import ROOT

TRAIN = "Gout of the knee. Gout of the hand. GOUT of the toe, and of the Knee."
HELD_OUT = "Zoster of the Qephix (QX). Zoster of the Qephix. Zoster 77mg for Vrumbolin. QX and QX."
FOREIGN = ("zoster", "qephix", "qx", "vrumbolin", "77", "mg")
"""Words of `HELD_OUT` alone; often enough to be clustered, and with a short form."""


def write_prepared(**texts: str) -> None:
    """Write data/prepared with one document a split, and a gate that passed."""
    placed = [
        PlacedDocument(Document(split, text), "b", f"b/{split}", split, split, {}, split)
        for split, text in texts.items()
    ]
    tables = build_tables(placed)
    write_table(Path("data/prepared/documents.parquet"), tables.documents, DOCUMENTS)
    write_table(Path("data/prepared/tokens.parquet"), tables.tokens, TOKENS)
    write_json(Path("metrics/validation.json"), {"passed": True})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a run that takes little."""
    loaded = load_params(ROOT / "params.yaml")
    light = {"clusters": [2], "topic_clusters": [2], "epochs": 1, "terminology": None, "named_documents": 1}
    params = loaded.model_copy(update=light)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "load_params", lambda: params)
    return tmp_path


def learned_of(extractor: AttributeExtractor) -> str:
    """Return all that the extractor has learned, in small letters."""
    parts: Sequence[object] = (
        sorted(extractor.words.lookup.texts),
        sorted(extractor.words.members()),
        extractor.row_names(),
    )
    return repr(parts).casefold()


@pytest.mark.parametrize("split", ["dev", "test"])
def test_words_of_another_split_are_unknown(folder: Path, split: str) -> None:
    texts = {"train": TRAIN, "dev": "Gout.", "test": "Gout."}
    write_prepared(**{**texts, split: HELD_OUT})
    stage.main()
    extractor = AttributeExtractor.load(Path("data/features/extractor"))
    assert all(word in extractor.words for word in ("gout", "knee"))
    assert extractor.words.members().keys() >= {"gout", "of", "the"}
    assert not [word for word in FOREIGN if word in extractor.words]
    learned = learned_of(extractor)
    assert not [word for word in FOREIGN if f"'{word}'" in learned or f"={word}" in learned or f"|{word}" in learned]


def test_words_of_the_training_split_are_known(folder: Path) -> None:
    write_prepared(train=HELD_OUT, dev="Gout.", test="Gout.")
    stage.main()
    extractor = AttributeExtractor.load(Path("data/features/extractor"))
    assert all(word in extractor.words for word in ("zoster", "qephix", "qx", "vrumbolin"))
    assert "'zoster'" in learned_of(extractor)


def test_the_extractor_is_the_same_whatever_dev_and_test_say(folder: Path) -> None:
    written = []
    for held_out in ("Gout.", HELD_OUT):
        write_prepared(train=TRAIN, dev=held_out, test=held_out)
        stage.main()
        files = sorted(Path("data/features/extractor").iterdir())
        written.append({path.name: path.read_bytes() for path in files})
    assert written[0] == written[1]
    assert len(written[0]) == 7


def test_each_split_is_written_with_its_own_tokens(folder: Path) -> None:
    write_prepared(train=TRAIN, dev="Gout.", test=HELD_OUT)
    stage.main()
    rows = {split: len(pd.read_parquet(f"data/features/{split}.parquet")) for split in ("train", "dev", "test")}
    assert rows["dev"] == 2
    assert rows["test"] > rows["train"] > rows["dev"]
