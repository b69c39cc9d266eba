"""The graph, end to end, on real corpora: they come in by `annotation.add`, and the scores stay where they were."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.maccrobat import THREE, TWO, add_maccrobat, labels_of
from tests.repository import LIGHT, ROOT, Repository, add_batch, clone

DATA = ROOT.parent / "shared" / "data"
BEHEALTHY, NCBI, BC5CDR = (DATA / name for name in ("behealthy", "ncbi-disease", "bc5cdr"))
MINUTES = 3

pytestmark = [
    pytest.mark.corpora,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the annotated corpora are not at {DATA}"),
]


@dataclass(frozen=True)
class Export:
    """What `annotation.add` is told."""

    name: str
    path: Path
    format: str
    split: str | None = None


NCBI_TRAIN = Export("ncbi-train", NCBI / "NCBItrainset_corpus.txt", "pubtator", "train")

CASES = {
    "behealthy, contiguous blocks": ([Export("behealthy", BEHEALTHY, "token-lines")], (), 0.42),
    "behealthy, random sentences": (
        [Export("behealthy", BEHEALTHY, "token-lines")],
        ("prepare.sentences_per_document=1",),
        0.55,
    ),
    "ncbi, pubtator": (
        [NCBI_TRAIN, Export("ncbi-devel", NCBI / "NCBIdevelopset_corpus.txt", "pubtator", "test")],
        (),
        0.84,
    ),
    "ncbi, brat": (
        [NCBI_TRAIN, Export("ncbi-brat", NCBI / "brat-devel", "brat", "test")],
        (),
        0.84,
    ),
    "bc5cdr, iob": (
        [
            Export("bc5cdr-train", BC5CDR / "train.tsv", "iob", "train"),
            Export("bc5cdr-devel", BC5CDR / "devel.tsv", "iob", "test"),
        ],
        (),
        0.81,
    ),
}


@pytest.mark.parametrize(("exports", "settings", "least"), CASES.values(), ids=CASES)
def test_the_graph_on_a_corpus(
    source: Repository, tmp_path: Path, exports: list[Export], settings: tuple[str, ...], least: float
) -> None:
    repository = clone(source, tmp_path / "corpus")
    repository.fetch_seed()
    for export in exports:
        split = ("--split", export.split) if export.split else ()
        add_batch(repository, export.path, export.name, *split, format=export.format)
    names = ", ".join(export.name for export in exports)
    repository.set_params(f"prepare.batches=[{names}]", *settings)
    if names.startswith("ncbi"):
        repository.look_for("Disease")
    started = time.monotonic()
    repository.dvc("repro", timeout=20 * 60)
    seconds = time.monotonic() - started
    scores = repository.json("metrics/evaluation.json")
    verdict = repository.json("metrics/validation.json")
    print(
        f"\n{names} {settings}: F1 {repository.f1():.4f} in {seconds:.0f} s;"
        f" {scores['documents']} documents, {scores['mentions']} mentions;"
        f" gate: {sorted(verdict['checks'])}"
    )
    assert repository.f1() >= least
    assert seconds < MINUTES * 60 or "behealthy" not in names


@pytest.mark.parametrize("meanings", [TWO, THREE], ids=["two labels", "three labels"])
def test_the_graph_on_a_corpus_of_41_types_that_overlap(
    source: Repository, tmp_path: Path, meanings: dict[str, str]
) -> None:
    repository = clone(source, tmp_path / "corpus")
    repository.fetch_seed()
    add_maccrobat(repository, meanings, tmp_path / "labels.csv")
    repository.set_params(*LIGHT)
    repository.dvc("repro", timeout=20 * 60)
    labels = labels_of(meanings)
    verdict = repository.json("metrics/validation.json")
    left_out = verdict["prepare"]["mentions_left_out"]
    assert verdict["passed"]
    assert repository.json("data/prepared/labels.json") == {"maccrobat": labels}
    assert set(left_out) == {"ignored", "overlapping"}
    assert set(left_out["overlapping"]) <= set(meanings)
    assert not set(left_out["ignored"]) & set(meanings)
    scores = repository.json("metrics/evaluation.json")["strict"]
    assert all(scores[label]["f1"] > 0.2 for label in labels), scores
