"""From batches to tables: chosen batches, meanings of labels, contexts that stay within their split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.common.errors import AnnotationError, ParameterError
from stages.params import load_params
from stages.prepare.batches import Batch, BatchFile, digest, load_batch, write_description
from stages.prepare.corpus import prepare
from stages.prepare.mapping import read_mapping
from stages.prepare.params import PrepareParams

PARAMS = load_params().prepare
MAPPING = "source_label,label\nDisease,Disease\nDrug,Treatment\n"


def changed(**values: object) -> PrepareParams:
    return PARAMS.model_copy(update=values)


class Bench:
    """Makes batches, in their order of arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "labels.csv").write_text(MAPPING)
        self.batches: list[Batch] = []

    def add(
        self, name: str, format: str, files: dict[str, str], documents: int, mentions: int, split: str | None = None
    ) -> Batch:
        folder = self.folder / name
        for file, text in files.items():
            (folder / "export" / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / "export" / file).write_text(text, encoding="utf-8")
        hashes = {file: digest(folder / "export" / file) for file in files}
        about = {"name": name, "order": len(self.batches) + 1, "format": format, "labels": None, "split": split}
        about |= {"source": None, "licence": None, "documents": documents, "mentions": mentions, "sha256": hashes}
        write_description(folder, BatchFile.model_validate(about))
        batch = load_batch(folder, self.folder / "labels.csv")
        self.batches.append(batch)
        return batch

    def notes(self, name: str, texts: list[str], split: str | None = None, label: str = "Disease") -> Batch:
        lines = [
            {"id": f"n{number}", "text": text, "mentions": [{"start": 0, "end": 4, "label": label}]}
            for number, text in enumerate(texts)
        ]
        content = "".join(json.dumps(line) + "\n" for line in lines)
        return self.add(name, "jsonl", {"notes.jsonl": content}, len(texts), len(texts), split)

    def sentences(self, name: str, files: dict[str, int]) -> Batch:
        """Add files of distinct sentences without documents."""
        content = {
            f"{file}.tsv": "".join(
                f"gout\tB-Disease\n{file}{number}\tO\nseen{number}\tO\nagain{file}\tO\n\n" for number in range(count)
            )
            for file, count in files.items()
        }
        return self.add(name, "iob", content, len(files), sum(files.values()))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_contexts_never_cross_splits_or_files(bench: Bench) -> None:
    bench.sentences("streams", {"a": 60, "b": 40})
    documents = prepare(bench.batches, changed(sentences_per_document=2, test=0.3, dev=0.3)).documents
    assert len(documents) == 50
    assert documents["split"].nunique() == 3
    files = documents["document"].str.partition("#")[0]
    assert (documents.groupby("context")["split"].nunique() == 1).all()
    assert (files.groupby(documents["context"]).nunique() == 1).all()


def test_neighbours_in_one_split_share_a_context_and_runs_are_whole(bench: Bench) -> None:
    bench.sentences("streams", {"a": 60, "b": 40})
    documents = prepare(bench.batches, changed(sentences_per_document=2, test=0.3, dev=0.3)).documents
    files = documents["document"].str.partition("#")[0]
    for before, after in zip(documents.index, documents.index[1:], strict=False):
        neighbours = files[before] == files[after]
        together = neighbours and documents.loc[before, "split"] == documents.loc[after, "split"]
        assert (documents.loc[before, "context"] == documents.loc[after, "context"]) == together


def test_files_that_are_wholly_in_one_split_are_one_context_each(bench: Bench) -> None:
    bench.sentences("first", {"a": 10, "b": 10})
    bench.sentences("second", {"c": 10})
    documents = prepare(bench.batches, changed(sentences_per_document=2, test=0.0, dev=0.0)).documents
    assert documents["context"].value_counts().to_dict() == dict.fromkeys(
        ["first/a#00000", "first/b#00000", "second/c#00000"], 5
    )


def test_a_context_is_named_after_its_first_document(bench: Bench) -> None:
    bench.sentences("streams", {"a": 20})
    documents = prepare(bench.batches, changed(sentences_per_document=2)).documents
    firsts = documents.groupby("context", sort=False)["document"].first()
    assert list(firsts) == list(firsts.index)


def test_documents_have_contexts_of_their_own(bench: Bench) -> None:
    bench.notes("notes", ["gout is better", "gout came back"])
    documents = prepare(bench.batches, PARAMS).documents
    assert list(documents["context"]) == list(documents["document"]) == ["notes/n0", "notes/n1"]


def test_duplicates_are_counted_and_those_of_two_splits_left_out(bench: Bench) -> None:
    halves = (" ".join(["gout", *(f"{side}{number}" for number in range(20))]) for side in "ab")
    left, right = (
        f"{half} {' '.join(f'own{side}{number}' for number in range(10))}"
        for half, side in zip(halves, "ab", strict=True)
    )
    core = f"{left[: left.index(' own')]} {right[: right.index(' own')]}"
    bench.notes("first", [left], split="train")
    bench.notes("second", [right], split="test")
    bench.notes("third", [core, left])
    tables = prepare(bench.batches, PARAMS)
    assert list(tables.documents["document"]) == ["first/n0", "second/n0", "third/n1"]
    assert tables.report["left_out"] == 1
    assert tables.report["duplicates"] == 2
    assert set(tables.mentions["document"]) == set(tables.documents["document"])
    assert tables.report["documents"] == 3


def test_only_the_chosen_batches_are_read(bench: Bench) -> None:
    bench.notes("first", ["gout today"])
    bench.notes("second", ["gout again"])
    tables = prepare(bench.batches, changed(batches=["second"]))
    assert list(tables.documents["batch"]) == ["second"]


def test_an_unknown_batch_is_an_error_that_lists_what_there_is(bench: Bench) -> None:
    bench.notes("first", ["gout today"])
    with pytest.raises(ParameterError, match=r"prepare\.batches: no batch named secnd; there are: first"):
        prepare(bench.batches, changed(batches=["first", "secnd"]))


def test_a_label_without_a_meaning_names_batch_document_and_place(bench: Bench) -> None:
    bench.notes("first", ["gout today"], label="Finding")
    with pytest.raises(AnnotationError) as caught:
        prepare(bench.batches, PARAMS)
    assert str(caught.value) == (
        "batch first, document n0, offset 0: label Finding has no meaning in the mapping. "
        "Add it to data/mapping/labels.csv."
    )


def test_labels_take_the_meaning_of_their_batch(bench: Bench) -> None:
    bench.notes("first", ["gout today"], label="Drug")
    mentions = prepare(bench.batches, PARAMS).mentions
    assert list(mentions["label"]) == ["Treatment"]
    assert list(mentions["source_label"]) == ["Drug"]


def test_a_fixed_split_reaches_the_table(bench: Bench) -> None:
    bench.notes("first", [f"gout {number}" for number in range(20)], split="dev")
    assert set(prepare(bench.batches, PARAMS).documents["split"]) == {"dev"}


def test_a_new_batch_changes_no_old_row(bench: Bench) -> None:
    bench.notes("first", [f"gout {number} seen on day {number}" for number in range(30)])
    before = prepare(bench.batches, PARAMS)
    bench.notes("second", ["gout 3 seen on day 3", "gout is quite another thing"])
    after = prepare(bench.batches, PARAMS)
    for name in ("documents", "tokens", "mentions"):
        old, new = getattr(before, name), getattr(after, name)
        assert new.iloc[: len(old)].equals(old)


def test_the_project_s_own_mapping_is_readable() -> None:
    mapping = read_mapping(Path(__file__).parents[2] / "data/mapping/labels.csv")
    assert set(mapping.values()) == {"Disease", "Treatment"}


def test_what_batches_annotate_and_leave_out_is_kept(bench: Bench) -> None:
    (bench.folder / "labels.csv").write_text(MAPPING + "Age,\n")
    bench.notes("diseases", ["gout at first", "gout once more"])
    spans = [(0, 4, "Disease"), (5, 9, "Drug"), (10, 12, "Age")]
    mentions = [{"start": start, "end": end, "label": label} for start, end, label in spans]
    note = json.dumps({"id": "a", "text": "rash oint 64", "mentions": mentions})
    bench.add("both", "jsonl", {"notes.jsonl": note + "\n"}, 1, 3)
    lines = "gout\tB-Disease\n64\tB-Age\n\nrash\tB-Disease\n65\tB-Age\n\n"
    bench.add("stream", "iob", {"a.tsv": lines}, 1, 4)
    tables = prepare(bench.batches, changed(sentences_per_document=1))
    assert tables.annotated == {"diseases": ("Disease",), "both": ("Disease", "Treatment"), "stream": ("Disease",)}
    assert tables.left_out == {"ignored": {"Age": 3}}
    assert "Age" not in set(tables.mentions["source_label"])
