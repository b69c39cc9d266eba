"""docs/formats.md: every example is read and added, and all say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotation.add import main
from stages.common.command import DONE
from stages.prepare.batches import load_batches, read_batch
from stages.prepare.formats import READERS
from tests.repository import ROOT
from tests.samples import samples

EXAMPLES = samples()
FOUND = [("Gout", "Disease"), ("colchicine", "Treatment")]


def test_the_page_shows_every_format() -> None:
    assert set(EXAMPLES) == set(READERS)


@pytest.mark.parametrize("format", READERS)
def test_an_example_is_added_and_says_what_the_others_say(format: str, tmp_path: Path) -> None:
    export = tmp_path / "export"
    export.mkdir()
    for name, content in EXAMPLES[format].items():
        (export / name).write_bytes(content)
    mapping = tmp_path / "labels.csv"
    mapping.write_bytes((ROOT / "data/mapping/labels.csv").read_bytes())
    arguments = [str(export), "--format", format, "--name", "example", "--labels", str(mapping)]
    assert main([*arguments, "--to", str(tmp_path / "batches")]) == DONE
    (batch,) = load_batches(tmp_path / "batches")
    (document,) = read_batch(batch)
    assert [(document.text[m.start : m.end], batch.mapping[m.label]) for m in document.mentions] == FOUND
