"""The ranking of experiments: who is behind the best beyond noise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from delivery.compare import ALIKE, BEST, OTHER, UNCOUNTED, WORSE, rank, rank_experiments, table_of
from delivery.errors import DeliveryError
from delivery.rendering.settings import settings_text
from delivery.revision.revision import Revision, workspace


def revision(
    root: Path, name: str, found: int, *, documents: range | None = None, f1: float | None = None, param: str = "1"
) -> Revision:
    """A workspace whose documents have 10 mentions each, `found` of them right."""
    folder = root / name
    (folder / "metrics").mkdir(parents=True)
    score = f1 if f1 is not None else 2 * found / (10 + found)
    micro = {"f1": score, "f1_low": score - 0.05, "f1_high": score + 0.05}
    (folder / "metrics/evaluation.json").write_text(json.dumps({"strict": {"micro": micro}}))
    (folder / "params.yaml").write_text(f"train: {{models: {param}, seed: 1}}")
    rows = [
        f"{number:016},Disease,{found - number % 2},0,{10 - found + number % 2}" for number in documents or range(40)
    ]
    (folder / "metrics/documents.csv").write_text("\n".join(["document,label,tp,fp,fn", *rows]))
    return Revision(folder, None, name)


def test_a_clear_loser_is_worse_and_an_equal_is_not_distinguishable(tmp_path: Path) -> None:
    best, same, loser = (revision(tmp_path, name, found) for name, found in (("a", 9), ("b", 9), ("c", 4)))
    places = rank([loser, same, best], best)
    assert [(place.candidate.revision.name, place.note) for place in places] == [
        ("a", BEST),
        ("b", ALIKE),
        ("c", WORSE),
    ]
    assert places[2].behind is not None
    assert places[2].behind.high < 0


def test_a_lower_score_within_noise_is_not_called_worse(tmp_path: Path) -> None:
    best, near = revision(tmp_path, "best", 8), revision(tmp_path, "near", 8, f1=0.7)
    table = (near.root / "metrics/documents.csv").read_text().splitlines()
    table[1] = table[1].replace(",8,0,2", ",6,0,4")  # one document of forty
    (near.root / "metrics/documents.csv").write_text("\n".join(table))
    place = rank([best, near], best)[1]
    assert place.note == ALIKE
    assert place.behind is not None
    assert place.behind.difference < 0 <= place.behind.high


def test_what_was_scored_on_other_documents_is_not_compared(tmp_path: Path) -> None:
    best, other = revision(tmp_path, "best", 9), revision(tmp_path, "other", 4, documents=range(5, 45))
    assert [place.note for place in rank([other, best], best)] == [BEST, OTHER]


def test_without_counts_nothing_is_claimed(tmp_path: Path) -> None:
    best, bare = revision(tmp_path, "best", 9), revision(tmp_path, "bare", 4)
    (bare.root / "metrics/documents.csv").unlink()
    place = rank([best, bare], best)[1]
    assert (place.note, place.behind) == (UNCOUNTED, None)


def test_a_revision_without_a_score_is_an_error_that_names_it(tmp_path: Path) -> None:
    empty = revision(tmp_path, "empty", 9)
    (empty.root / "metrics/evaluation.json").unlink()
    with pytest.raises(DeliveryError, match="empty has no strict F1"):
        rank([empty], empty)


def test_the_parameters_that_differ_are_shown_as_they_are(tmp_path: Path) -> None:
    """Lists of names look like rich's markup, which would swallow them."""
    from rich.console import Console

    base, changed = revision(tmp_path, "base", 5), revision(tmp_path, "changed", 9, param="[lr, lda]")
    places = rank([base, changed], base)
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    console.print(table_of(places, base))
    text = console.export_text()
    assert "train.models=['lr', 'lda']" in text
    assert "seed" not in text


def test_parameters_are_written_as_dvc_takes_them() -> None:
    assert settings_text({"featurize.terminology": None, "train.crf.runs": 1}) == (
        "featurize.terminology=null train.crf.runs=1"
    )


def test_a_commit_without_experiments_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="HEAD has no experiments: `dvc exp run` makes one"):
        rank_experiments([], "HEAD", root=_without_experiments(tmp_path))


def _without_experiments(folder: Path) -> Path:
    from tests.repository import Repository

    made = Repository(folder / "repository")
    made.root.mkdir()
    made.git("init", "--quiet")
    made.git("config", "user.name", "Tester")
    made.git("config", "user.email", "tester@example.org")
    (made.root / "README.md").write_text("nothing")
    made.commit("Nothing")
    assert workspace(made.root).metrics() == {}
    return made.root
