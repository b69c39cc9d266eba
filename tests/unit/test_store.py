"""The columnar store: contexts in reading order, and features that come back as they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.files import write_table
from stages.common.tables import DOCUMENTS, FEATURES, TOKENS
from stages.common.tags import spans_of
from stages.featurize import store
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.collecting import collect_attributes
from stages.featurize.store import Context, FeatureTable, read_contexts, read_features, write_features

# document, context, split, sentences of "word/tag"
ROWS = [
    ("b/f#0", "b/f#0", "train", ["Gout/B-Disease again/O ./O", "On/O colchicine/B-Treatment"]),
    ("b/f#1", "b/f#0", "train", ["Stable/O"]),
    ("b/f#2", "b/f#2", "test", ["Asthma/B-Disease attack/I-Disease"]),
    ("b/f#3", "b/f#3", "train", ["Home/O"]),
    ("c/n1", "c/n1", "dev", []),
    ("c/n2", "c/n2", "train", ["Gout/B-Disease", "Gout/B-Disease"]),
]


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    documents = pd.DataFrame([row[:3] for row in ROWS], columns=["document", "context", "split"])
    documents = documents.assign(batch="b", group="g", text="text", public_name="p")
    for name in DOCUMENTS.names:
        if name not in documents:
            documents[name] = None
    tokens = [
        (document, s, t, *pair.rsplit("/", 1), 0, 1)
        for document, _, _, sentences in ROWS
        for s, sentence in enumerate(sentences)
        for t, pair in enumerate(sentence.split())
    ]
    frame = pd.DataFrame(tokens, columns=["document", "sentence", "token", "text", "tag", "start", "end"])
    write_table(tmp_path / "documents.parquet", documents, DOCUMENTS)
    write_table(tmp_path / "tokens.parquet", frame, TOKENS)
    return tmp_path


@pytest.fixture
def extractor(prepared: Path) -> AttributeExtractor:
    return collect_attributes([context.sentences for context in read_contexts(prepared, "train")], {})


def write(prepared: Path, split: str, extractor: AttributeExtractor) -> tuple[int, FeatureTable]:
    path = prepared / f"{split}-features.parquet"
    written = write_features(path, read_contexts(prepared, split), extractor)
    return written, read_features(path)


def test_contexts_are_the_documents_that_share_one(prepared: Path) -> None:
    contexts = list(read_contexts(prepared, "train"))
    assert [context.documents for context in contexts] == [["b/f#0", "b/f#0", "b/f#1"], ["b/f#3"], ["c/n2", "c/n2"]]
    assert contexts[0].numbers == [0, 1, 0]
    assert contexts[0].sentences == [["Gout", "again", "."], ["On", "colchicine"], ["Stable"]]
    assert contexts[0].tags[1] == ["O", "B-Treatment"]


def test_splits_see_nothing_of_each_other(prepared: Path) -> None:
    (context,) = read_contexts(prepared, "test")
    assert context == Context(["b/f#2"], [0], [["Asthma", "attack"]], [["B-Disease", "I-Disease"]])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_size_of_the_batches_does_not_matter(prepared: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    whole = list(read_contexts(prepared, "train"))
    monkeypatch.setattr(store, "_BATCH", size)
    assert list(read_contexts(prepared, "train")) == whole


@pytest.mark.parametrize("split", ["dev", "nothing"])
def test_a_split_without_tokens_has_no_contexts(prepared: Path, split: str) -> None:
    assert list(read_contexts(prepared, split)) == []


@pytest.mark.parametrize("split", ["train", "test"])
def test_features_come_back_as_they_were_written(prepared: Path, extractor: AttributeExtractor, split: str) -> None:
    written, features = write(prepared, split, extractor)
    contexts = list(read_contexts(prepared, split))
    tables = [extractor.transform(context.sentences) for context in contexts]
    assert written == len(features.tokens) == sum(map(len, tables))
    np.testing.assert_array_equal(features.tokens.rows, np.concatenate([table.rows for table in tables]))
    lengths = np.concatenate([np.diff(table.starts) for table in tables])
    np.testing.assert_array_equal(np.diff(features.tokens.starts), lengths)
    sentence_lengths = np.concatenate([np.diff(table.sentence_starts) for table in tables])
    np.testing.assert_array_equal(np.diff(features.tokens.sentence_starts), sentence_lengths)
    assert features.spans == [spans_of(tags) for context in contexts for tags in context.tags]
    assert features.documents == [document for context in contexts for document in context.documents]


def test_types_are_those_of_the_kernels(prepared: Path, extractor: AttributeExtractor) -> None:
    _, features = write(prepared, "train", extractor)
    table = features.tokens
    assert [array.dtype for array in (table.starts, table.rows, table.sentence_starts)] == ["int64", "int32", "int64"]
    part = features.of_documents(["c/n2"]).tokens
    assert [array.dtype for array in (part.starts, part.rows, part.sentence_starts)] == ["int64", "int32", "int64"]


def test_an_empty_split_is_an_empty_table(prepared: Path, extractor: AttributeExtractor) -> None:
    written, features = write(prepared, "dev", extractor)
    assert written == len(features.tokens) == features.tokens.sentences == 0
    assert features.spans == features.documents == []
    assert len(features.of_documents(["x"]).tokens) == 0


def test_batches_do_not_change_what_is_read(
    prepared: Path, extractor: AttributeExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = write(prepared, "train", extractor)
    original = store._batched
    monkeypatch.setattr(store, "_batched", lambda contexts: original(contexts, tokens=1))
    _, parts = write(prepared, "train", extractor)
    np.testing.assert_array_equal(whole.tokens.rows, parts.tokens.rows)
    np.testing.assert_array_equal(whole.tokens.starts, parts.tokens.starts)
    assert (whole.spans, whole.documents) == (parts.spans, parts.documents)


def test_writing_twice_gives_the_same_bytes(prepared: Path, extractor: AttributeExtractor) -> None:
    for name in ("one", "two"):
        write_features(prepared / name, read_contexts(prepared, "train"), extractor)
    assert (prepared / "one").read_bytes() == (prepared / "two").read_bytes()


def test_a_failure_half_way_leaves_the_old_file(prepared: Path, extractor: AttributeExtractor) -> None:
    path = prepared / "f.parquet"
    write_features(path, read_contexts(prepared, "train"), extractor)
    before = path.read_bytes()

    def failing() -> list[Context]:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_features(path, (context for _ in [1] for context in failing()), extractor)
    assert path.read_bytes() == before


def test_neighbouring_documents_with_equal_sentence_numbers_stay_apart(
    prepared: Path, extractor: AttributeExtractor
) -> None:
    """Documents b/f#3 and c/n2 both end and begin with sentence 0."""
    _, features = write(prepared, "train", extractor)
    assert features.documents == ["b/f#0", "b/f#0", "b/f#1", "b/f#3", "c/n2", "c/n2"]


def test_a_part_is_the_features_of_its_documents(prepared: Path, extractor: AttributeExtractor) -> None:
    _, features = write(prepared, "train", extractor)
    part = features.of_documents(["c/n2", "b/f#0", "absent"])
    assert part.documents == ["b/f#0", "b/f#0", "c/n2", "c/n2"], "the order is that of the table"
    assert part.spans == [features.spans[s] for s in (0, 1, 4, 5)]
    whole, bounds = features.tokens, features.tokens.sentence_starts
    tokens = [t for s in (0, 1, 4, 5) for t in range(bounds[s], bounds[s + 1])]
    assert len(part.tokens) == len(tokens)
    for place, token in enumerate(tokens):
        np.testing.assert_array_equal(
            part.tokens.rows[part.tokens.starts[place] : part.tokens.starts[place + 1]],
            whole.rows[whole.starts[token] : whole.starts[token + 1]],
        )


def test_the_part_of_everything_is_everything(prepared: Path, extractor: AttributeExtractor) -> None:
    _, features = write(prepared, "train", extractor)
    part = features.of_documents(features.documents)
    np.testing.assert_array_equal(part.tokens.rows, features.tokens.rows)
    np.testing.assert_array_equal(part.tokens.starts, features.tokens.starts)
    np.testing.assert_array_equal(part.tokens.sentence_starts, features.tokens.sentence_starts)


def test_the_schema_is_the_one_of_the_project(prepared: Path, extractor: AttributeExtractor) -> None:
    import pyarrow.parquet as pq

    write_features(prepared / "f.parquet", read_contexts(prepared, "train"), extractor)
    assert pq.read_schema(prepared / "f.parquet").equals(FEATURES)
