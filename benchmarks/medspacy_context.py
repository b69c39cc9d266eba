"""medspaCy's ConText on marked phrases; runs in an environment of its own, which has no other module of the project.

    python -m benchmarks.medspacy_context ROWS.json ANSWERS.json

A row is a text, and where its phrase starts and ends; an answer is the list of the kinds that hold.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COMPONENTS = ("medspacy_tokenizer", "medspacy_pyrush", "medspacy_context")
KINDS = {
    "is_negated": "negated",
    "is_historical": "historical",
    "is_hypothetical": "hypothetical",
    "is_family": "family",
}


def main() -> None:
    """Answer the rows of a file, and write the answers into another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, metavar="ROWS.json")
    parser.add_argument("answers", type=Path, metavar="ANSWERS.json")
    options = parser.parse_args()
    found = [*_found(json.loads(options.rows.read_text(encoding="utf-8")))]
    options.answers.write_text(json.dumps(found), encoding="utf-8")


def _found(rows: list[tuple[str, int, int]]) -> Iterator[list[str]]:
    import medspacy
    from loguru import logger

    logger.disable("PyRuSH")  # or it writes each token to stderr
    pipeline = medspacy.load(medspacy_enable=COMPONENTS)
    for text, start, end in rows:
        document: Any = pipeline.make_doc(text)
        document.ents = [document.char_span(start, end, label="PHRASE", alignment_mode="expand")]
        for _, component in pipeline.pipeline:
            document = component(document)
        (phrase,) = document.ents
        yield [kind for attribute, kind in KINDS.items() if getattr(phrase._, attribute)]


if __name__ == "__main__":
    main()
