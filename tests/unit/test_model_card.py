from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from delivery.errors import DeliveryError
from delivery.lineage import commands
from delivery.register import lineage_tags
from delivery.registry.card import card_of, summary_of
from delivery.revision.revision import METRICS, Revision, workspace
from tests.repository import ROOT


@pytest.fixture
def revision(tmp_path: Path) -> Revision:
    """What belongs to a card, outside git."""
    for path in (*METRICS, "docs/model-card.md", "params.yaml", "dvc.lock", "data/annotations.dvc"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return workspace(tmp_path)


def test_the_card_has_use_figures_limits_and_lineage(revision: Revision) -> None:
    card = card_of(revision, 7)
    f1 = revision.json("metrics/evaluation.json")["strict"]["micro"]
    for expected in (
        "version 7",
        "**Intended use.**",
        "**Limits.**",
        f"| {f1['f1']:.4f} | {f1['f1_low']:.4f} to {f1['f1_high']:.4f} ",
        revision.hashes()["models"],
        "`train.family`",
    ):
        assert expected in card
    assert "](" not in card.replace("](http", "")  # no links to where there is nothing


def test_the_description_fits_into_the_registry(revision: Revision) -> None:
    assert len(summary_of(revision, 7)) < 5000  # Postgres refuses more; SQLite does not
    assert "model_card/version-7.md" in summary_of(revision, 7)


def test_nothing_accepted_is_said(revision: Revision) -> None:
    path = revision.root / "metrics/evaluation.json"
    content = json.loads(path.read_text())
    content["acceptance"] |= {"precision": None, "mentions": 0.0}
    path.write_text(json.dumps(content))
    assert "Precision of what was accepted: nothing was" in card_of(revision, 1)


@pytest.mark.parametrize("missing", ["docs/model-card.md", "metrics/evaluation.json"])
def test_without_card_or_metrics_there_is_none(revision: Revision, missing: str) -> None:
    (revision.root / missing).unlink()
    with pytest.raises(DeliveryError, match=r"missing at|dvc repro"):
        card_of(revision, 1)


def test_a_version_says_where_it_comes_from(revision: Revision) -> None:
    tags = lineage_tags(Revision(revision.root, None, "x"))
    assert tags["models.md5"] == revision.hashes()["models"]
    assert tags["annotations.md5"].endswith(".dir")
    assert tags["validation"] == "passed"


def test_the_commands_are_of_that_commit() -> None:
    sha = "0123456789abcdef" * 2
    assert commands(sha)[0] == f"git worktree add --detach ../behealthy-0123456789ab {sha}"
    assert commands(sha)[-1] == "git diff --exit-code dvc.lock"
