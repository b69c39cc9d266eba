"""A model folder is what was saved, or it is refused with one line that names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.common.checked import ModelError
from stages.common.errors import BeHealthyError
from stages.common.seal import MANIFEST, check_seal, sealing
from stages.common.tags import TokenSpan
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.terminology import Terminology
from stages.featurize.collecting import collect_attributes
from stages.params import load_params
from stages.train.extractor import Extractor, load_extractor
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.tagger import FAMILIES, family
from stages.train.taggers.tokens.automl import TokenAutoml

ROOT = Path(__file__).parents[2]
TEXTS = [
    ["Known", "gout", "on", "aspirin", "ICU", "."],
    ["MRSA", "treated", "with", "insulin", "(", "INS", ")", "INS"],
] * 20
GOLD: list[list[TokenSpan]] = [[(1, 2, "Disease"), (3, 4, "Treatment")], [(0, 1, "Disease"), (3, 4, "Treatment")]] * 20
CLUSTERS = {"gout": ("c4=1", "t4=1"), "aspirin": ("c4=2", "t4=1")}


def learned(name: str) -> Extractor:
    terms = Terminology.of([("Gout", "disease"), ("Aspirin", "chemical"), ("Insulin Aspart", "protein")])
    attributes = collect_attributes([TEXTS[:20], TEXTS[20:]], CLUSTERS, terms, named_documents=2)
    params = load_params(ROOT / "params.yaml").train
    crf = params.crf.model_copy(update={"runs": 1, "iterations": 2})
    span = params.span.model_copy(update={"folds": 2, "trees": 4, "leaves": 3})
    params = params.model_copy(update={"crf": crf, "span": span})
    tokens, documents = attributes.transform(TEXTS), [str(n) for n in range(len(TEXTS))]
    kind = family("token-logistic" if name == "token-automl" else name)
    tagger: Any = kind.fit(tokens, GOLD, documents=documents, n_rows=attributes.n_rows, params=params)
    if name == "token-automl":  # the same files without PyCaret's minute
        tagger = TokenAutoml(tagger.tag_set, tagger.weights, tagger.transitions)
    return Extractor(attributes, tagger)


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "models"
    learned(request.param).save(folder)
    return folder


@pytest.fixture(scope="module")
def stacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stacked") / "models"
    learned("stacked").save(folder)
    return folder


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


TAMPERINGS: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "halved": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "flipped": flip,
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "deleted": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_every_file_that_is_changed_is_refused_by_name(model: Path, tmp_path: Path, how: str) -> None:
    for file in files_of(model):
        copy = tmp_path / file.relative_to(model).as_posix().replace("/", "-") / "models"
        shutil.copytree(model, copy)
        TAMPERINGS[how](copy / file.relative_to(model))
        with pytest.raises(BeHealthyError) as refused:
            load_extractor(copy)
        message = str(refused.value)
        assert "\n" not in message
        assert file.name in message or "there is no complete model" in message, message


def test_two_files_of_one_size_cannot_be_swapped(model: Path, tmp_path: Path) -> None:
    sizes: dict[tuple[str, int], list[Path]] = {}
    for file in files_of(model):
        sizes.setdefault((file.suffix, file.stat().st_size), []).append(file)
    swapped = [pair[:2] for pair in sizes.values() if len(pair) > 1]
    swapped.append([model / "attributes/words.parquet", model / "attributes/casing.parquet"])
    for number, (one, other) in enumerate(swapped):
        copy = tmp_path / str(number)
        shutil.copytree(model, copy)
        (copy / one.relative_to(model)).write_bytes(other.read_bytes())
        (copy / other.relative_to(model)).write_bytes(one.read_bytes())
        with pytest.raises(ModelError):
            load_extractor(copy)


def test_a_file_too_many_is_refused(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "models")
    (tmp_path / "models" / "tagger" / "other.npy").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"other\.npy"):
        load_extractor(tmp_path / "models")


def test_the_same_model_has_the_same_manifest_and_a_new_one_leaves_nothing_of_the_old(tmp_path: Path) -> None:
    crf = learned("crf")
    crf.save(tmp_path / "one")
    learned("stacked").save(tmp_path / "two")
    crf.save(tmp_path / "two")
    assert (tmp_path / "one" / MANIFEST).read_bytes() == (tmp_path / "two" / MANIFEST).read_bytes()
    assert len(files_of(tmp_path / "one")) == len(files_of(tmp_path / "two"))
    load_extractor(tmp_path / "two")


def test_what_was_not_finished_has_no_manifest(tmp_path: Path) -> None:
    learned("crf").save(tmp_path)
    with pytest.raises(RuntimeError), sealing(tmp_path):
        (tmp_path / "half").write_bytes(b"x")
        raise RuntimeError
    assert not (tmp_path / MANIFEST).exists()
    with pytest.raises(ModelError, match="is missing"):
        check_seal(tmp_path)


def test_a_manifest_does_not_reach_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    folder = tmp_path / "folder"
    folder.mkdir()
    entry = {"bytes": 0, "sha256": "0" * 64}
    (folder / MANIFEST).write_text(json.dumps({"files": {"../mine": entry}}))
    with sealing(folder):
        pass
    assert (tmp_path / "mine").read_text() == "kept"


# --- faults that a manifest written anew would cover ------------------------------------------------


def reseal(folder: Path) -> None:
    """Write manifests that fit what is there, as someone who can write the whole folder would."""
    for part in (folder / "attributes", folder):
        (part / MANIFEST).unlink()
        with sealing(part):
            pass


def with_json(name: str, **changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value != "gone"}))

    return change


def with_array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, change(np.load(folder / name)))


def with_table(name: str, change: Callable[[pd.DataFrame], object]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        path = folder / "attributes" / f"{name}.parquet"
        table = pq.read_table(path)
        frame = table.to_pandas()
        changed = change(frame)
        frame = frame if changed is None else changed
        pq.write_table(pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False), path)

    return rewrite


def put(place: Any, value: Any) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[place] = value
        return array

    return change


def set_column(column: str, values: Callable[[pd.Series], Any]) -> Callable[[pd.DataFrame], None]:
    def change(frame: pd.DataFrame) -> None:
        frame[column] = values(frame[column])

    return change


def _faults_of_headers_and_weights() -> Iterator[tuple[str, Callable[[Path], None]]]:
    nan, inf = float("nan"), float("inf")
    for key in ("promised", "risk", "thresholds", "suggestion", "whole_promised", "whole"):
        for value in (nan, inf, -0.1, 1.1, "0.9", [0.9], True, "gone"):
            yield "acceptance.json", with_json("acceptance.json", **{key: value})
    for value in (nan, inf, -0.1, 1.1, "0.9", [0.9], True):
        yield "acceptance.json", with_json("acceptance.json", thresholds={"Disease": value})
    yield "acceptance.json", with_json("acceptance.json", more=1)
    yield "acceptance.json", lambda folder: (folder / "acceptance.json").write_text("[]") and None
    for changes in ({"family": "other"}, {"family": 3}, {"attributes": -1}, {"attributes": 1.5}, {"family": "gone"}):
        yield "model.json", with_json("model.json", **changes)
    yield "attributes", with_json("model.json", attributes=7)
    header = "tagger/crf/tagger.json"
    for changes in (
        {"temperature": nan},
        {"temperature": 0},
        {"labels": ["A", "A"]},
        {"labels": [""]},
        {"labels": "AB"},
    ):
        yield "tagger.json", with_json(header, **changes)
    yield "weights.npy", with_json(header, labels=["Disease"])
    for changes in ({"threshold": nan}, {"threshold": 1.5}, {"scaling": [1.0]}, {"scaling": [1.0, inf]}):
        yield "spans.json", with_json("tagger/spans.json", **changes)
    for name in ("weights", "transitions"):
        path = f"tagger/crf/{name}.npy"
        yield f"{name}.npy", with_array(path, put((0, 0), nan))
        yield f"{name}.npy", with_array(path, put((0, 0), -inf))
        yield f"{name}.npy", with_array(path, lambda array: array.astype(np.float64))
        yield f"{name}.npy", with_array(path, lambda array: array[:, 1:].copy())
        yield f"{name}.npy", with_array(path, np.asfortranarray)
        yield f"{name}.npy", with_array(path, lambda array: array.ravel())
    yield "weighs", with_array("tagger/crf/weights.npy", lambda array: array[1:])


def _faults_of_statistics() -> Iterator[tuple[str, Callable[[Path], None]]]:
    for name in ("stem", "pair", "phrase"):
        path = f"tagger/statistics/{name}_keys.npy"
        yield f"{name}_keys.npy", with_array(path, lambda array: array[::-1].copy())
        yield f"{name}_keys.npy", with_array(path, lambda array: array.astype(np.int64))
        yield f"{name}_counts.npy", with_array(path, lambda array: array[1:])
        counts = path.replace("keys", "counts")
        yield f"{name}_counts.npy", with_array(counts, put((0, 0), -1))
        yield f"{name}_counts.npy", with_array(counts, lambda array: array[:, :-1].copy())
    yield "label_counts.npy", with_array("tagger/statistics/label_counts.npy", lambda array: array[:, :1].copy())


def _lead_into_each_other(folder: Path) -> None:
    """Let the first two trees change their left branches: every node still has one parent."""
    roots, lefts = (np.load(folder / f"tagger/trees/{name}.npy") for name in ("roots", "lefts"))
    lefts[roots[:2]] = lefts[roots[1::-1]]
    np.save(folder / "tagger/trees/lefts.npy", lefts)


def _faults_of_trees() -> Iterator[tuple[str, Callable[[Path], None]]]:
    trees = "tagger/trees/"
    for value in (99, -2, 1 << 30):
        yield "features.npy", with_array(trees + "features.npy", put(0, value))
    for name in ("lefts", "rights"):
        for value in (0, -1, 1 << 30):
            yield f"{name}.npy", with_array(trees + f"{name}.npy", put(0, value))
    yield "lefts.npy", _lead_into_each_other
    yield "lefts.npy", lambda folder: shutil.copy(folder / trees / "rights.npy", folder / trees / "lefts.npy") and None
    for name in ("values", "thresholds"):
        yield f"{name}.npy", with_array(trees + f"{name}.npy", put(0, np.nan))
        yield f"{name}.npy", with_array(trees + f"{name}.npy", lambda array: array[1:])
    for change in (put(0, 1), put(-1, 1 << 30), put(0, -1), lambda array: array[::-1].copy()):
        yield "roots.npy", with_array(trees + "roots.npy", change)


def _faults_of_tables() -> Iterator[tuple[str, Callable[[Path], None]]]:
    def first(value: Any) -> Callable[[pd.Series], Any]:
        return lambda column: [value, *column[1:]]

    for name in ("names", "pairs"):
        yield f"{name}.parquet", with_table(name, set_column("row", first(-1)))
        yield "attributes", with_table(name, set_column("row", lambda rows: rows + 1))
        yield "attributes", with_table(name, lambda frame: frame.iloc[:-1])
    yield "names.parquet", with_table("names", set_column("offset", first(4)))
    yield "names.parquet", with_table("names", lambda frame: frame.assign(key=frame["key"].iloc[0], offset=0))
    for name in ("pairs", "words", "casing", "terminology"):
        yield f"{name}.parquet", with_table(name, lambda frame: frame.iloc[::-1])
    yield (
        "pairs.parquet",
        with_table("pairs", set_column("key", lambda keys: np.sort(keys.to_numpy() | np.uint64(15 << 60)))),
    )
    yield (
        "pairs.parquet",
        with_table(
            "pairs", set_column("key", lambda keys: [*keys[:-1], np.uint64(keys.iloc[-1]) | np.uint64(0xFFFFF)])
        ),
    )
    yield "symbols.parquet", with_table("symbols", set_column("kind", first(3)))
    yield "symbols.parquet", with_table("symbols", set_column("key", lambda keys: keys.iloc[0]))
    yield "terminology.parquet", with_table("terminology", set_column("members", first(1 << 5)))
    for name in ("names", "pairs", "symbols", "words", "casing", "terminology"):
        file = f"{name}.parquet"
        yield file, lambda folder, file=file: pq.write_table(pa.table({"key": [1]}), folder / "attributes" / file)
        yield file, lambda folder, file=file: (folder / "attributes" / file).write_bytes(b"PAR1") and None
    nothing = pa.schema([("key", pa.uint64()), ("capitals", pa.list_(pa.int32()))])
    rows = pa.table({"key": pa.array([None], pa.uint64()), "capitals": [[0]]}, schema=nothing)
    yield "casing.parquet", lambda folder: pq.write_table(rows, folder / "attributes" / "casing.parquet")


@pytest.mark.parametrize(
    "faults", [_faults_of_headers_and_weights, _faults_of_statistics, _faults_of_trees, _faults_of_tables]
)
def test_what_cannot_be_a_model_is_refused_whatever_its_manifest_says(
    stacked: Path, tmp_path: Path, faults: Callable[[], Iterator[tuple[str, Callable[[Path], None]]]]
) -> None:
    for number, (named, change) in enumerate(faults()):
        copy = tmp_path / str(number)
        shutil.copytree(stacked, copy)
        change(copy)
        reseal(copy)
        with pytest.raises(ModelError) as refused:
            pytest.fail(f"fault {number} in {named} loads: {load_extractor(copy)}")
        assert named in str(refused.value), (named, str(refused.value))
        assert "\n" not in str(refused.value)
        shutil.rmtree(copy)


@pytest.mark.parametrize("how", TAMPERINGS)
def test_the_attributes_that_training_reads_are_checked_too(stacked: Path, tmp_path: Path, how: str) -> None:
    for file in files_of(stacked / "attributes"):
        copy = tmp_path / file.name
        shutil.copytree(stacked / "attributes", copy)
        TAMPERINGS[how](copy / file.name)
        with pytest.raises(ModelError, match=file.name.replace(".", r"\.")):
            AttributeExtractor.load(copy)


@pytest.mark.parametrize(
    "bad", [b"not numpy", b"", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x01\x00\x10\x00{'shape': (9,)  \n"]
)
def test_what_is_no_array_is_one_error(tmp_path: Path, bad: bytes) -> None:
    tagger: Any = learned("crf").tagger
    tagger.save(tmp_path)
    (tmp_path / "weights.npy").write_bytes(bad)
    with pytest.raises(ModelError, match=r"weights\.npy is no whole array"):
        CrfTagger.load(tmp_path)


def test_an_array_that_claims_more_than_there_is_memory_for_is_one_error(tmp_path: Path) -> None:
    tagger: Any = learned("crf").tagger
    tagger.save(tmp_path)
    with (tmp_path / "weights.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 60, 9)})
    with pytest.raises(ModelError, match=r"weights\.npy is no whole array"):
        CrfTagger.load(tmp_path)
