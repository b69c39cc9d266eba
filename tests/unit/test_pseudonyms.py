"""Names of documents in git: nobody without the key finds out whose they are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from delivery.errors import DeliveryError
from delivery.merge import _refuse_changed
from delivery.registry.rescoring import _recorded_names
from stages.common.pseudonyms import key_of_content, pseudonym
from stages.params import load_params
from stages.prepare.batches import Batch, BatchFile, digest, load_batch, write_description
from stages.prepare.corpus import prepare

MAPPING = "source_label,label\nDisease,Disease\n"
KEY, OTHER = "0123456789abcdef" * 2, "f" * 32
PATIENTS = {"4711001": "Gout again.", "4711002": "Asthma, stable.", "4711003": "No change."}


def batch_of(folder: Path, notes: dict[str, str], key: str | None = None, order: int = 1) -> Batch:
    export = folder / "export" / "notes.jsonl"
    export.parent.mkdir(parents=True)
    lines = (json.dumps({"id": id, "text": text, "mentions": []}) for id, text in notes.items())
    export.write_text("\n".join(lines) + "\n", encoding="utf-8")
    about = BatchFile(
        name=folder.name, order=order, format="jsonl", labels=None, split=None, source=None, licence=None,
        documents=len(notes), mentions=0, sha256={"notes.jsonl": digest(export)}, key=key,
    )  # fmt: skip
    write_description(folder, about)
    mapping = folder.parent / "labels.csv"
    mapping.write_text(MAPPING)
    return load_batch(folder, mapping)


def public_names(batch: Batch) -> list[str]:
    documents = prepare([batch], load_params().prepare.model_copy(update={"batches": []})).documents
    return documents["public_name"].tolist()


def test_a_pseudonym_is_the_hmac_of_rfc_4231() -> None:
    assert pseudonym("0b" * 20, "Hi There") == "b0344c61d8db3853"


@pytest.mark.parametrize("key", [KEY, None], ids=["with a key", "without"])
def test_identifiers_and_texts_cannot_be_tried_out(tmp_path: Path, key: str | None) -> None:
    names = set(public_names(batch_of(tmp_path / "ward-3", PATIENTS, key)))
    assert len(names) == len(PATIENTS)
    for id, text in PATIENTS.items():
        guesses = (id, f"ward-3/{id}", text, f"{id}{text}", f"ward-3/{id}{text}")
        assert not names & {hashlib.sha256(guess.encode()).hexdigest()[:16] for guess in guesses}
        assert not names & {pseudonym(key_of_content({"notes.jsonl": guess}), f"ward-3/{id}") for guess in guesses}


def test_names_are_the_same_in_each_commit_that_has_the_batch(tmp_path: Path) -> None:
    first = public_names(batch_of(tmp_path / "a" / "ward-3", PATIENTS, KEY))
    assert public_names(batch_of(tmp_path / "b" / "ward-3", PATIENTS, KEY, order=7)) == first
    assert first == [pseudonym(KEY, f"ward-3/{id}") for id in PATIENTS]
    assert not set(first) & set(public_names(batch_of(tmp_path / "c" / "ward-3", PATIENTS, OTHER)))


def test_without_a_key_the_whole_export_is_the_key(tmp_path: Path) -> None:
    """A note from a template is easily guessed; all the notes of a batch, word for word, are not."""
    names = public_names(batch_of(tmp_path / "a" / "ward-3", PATIENTS))
    assert public_names(batch_of(tmp_path / "b" / "ward-3", PATIENTS)) == names
    one_word_else = PATIENTS | {"4711003": "No changes."}
    assert not set(names) & set(public_names(batch_of(tmp_path / "c" / "ward-3", one_word_else)))
    assert not set(names) & set(public_names(batch_of(tmp_path / "d" / "ward-4", PATIENTS)))


def test_a_description_without_a_key_stays_as_it_was(tmp_path: Path) -> None:
    batch = batch_of(tmp_path / "old", PATIENTS)
    assert "key" not in (batch.folder / "batch.yaml").read_text()
    assert f"key: {OTHER}" in (batch_of(tmp_path / "new", PATIENTS, OTHER).folder / "batch.yaml").read_text()


@pytest.mark.parametrize("key", ["", "abc", KEY[:-1], KEY.upper(), KEY + "\n", "g" * 32])
def test_a_key_that_is_none_is_refused(tmp_path: Path, key: str) -> None:
    about = batch_of(tmp_path / "ward-3", PATIENTS).about.model_dump()
    with pytest.raises(ValidationError, match="key"):
        BatchFile.model_validate(about | {"key": key})


def test_the_same_export_added_on_two_branches_is_one_batch(tmp_path: Path) -> None:
    ours, theirs = (batch_of(tmp_path / side / "ward-3", PATIENTS, key) for side, key in (("a", KEY), ("b", OTHER)))
    _refuse_changed([ours], [theirs])
    with pytest.raises(DeliveryError, match="both sides have a batch ward-3"):
        _refuse_changed([ours], [batch_of(tmp_path / "c" / "ward-3", {"1": "Gout."}, OTHER)])


def test_a_champion_is_found_under_the_names_of_its_own_commit(tmp_path: Path) -> None:
    documents = prepare(
        [batch_of(tmp_path / "ward-3", PATIENTS, KEY)], load_params().prepare.model_copy(update={"batches": []})
    ).documents
    assert _recorded_names(documents).tolist() == documents["public_name"].tolist()
    before = _recorded_names(documents.drop(columns="public_name"))
    assert before[0] == hashlib.sha256(b"ward-3/4711001").hexdigest()[:16]
