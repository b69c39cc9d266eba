"""Write what Label Studio shows for the labels in params.yaml: `config.xml` and `adjudication.xml` of this folder.

    python -m annotation.label_studio.interface

`make label-studio` does it first. Both lie in git, so that an annotator can copy them from a page; a test says when
they are not of the labels any more.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from annotation.agreement.adjudication import DISPUTED
from annotation.writers.label_studio import FROM, TO
from stages.common.colours import colours_of
from stages.common.command import run_command
from stages.common.files import write_text
from stages.common.labels import load_labels

FOLDER = Path(__file__).parent
_KEYS = "1234567890"
"""What chooses a label on the keyboard; from the eleventh on, the mouse does."""


def configuration(labels: Sequence[str]) -> str:
    """Return the labelling interface, as `config.xml` holds it."""
    keys = _KEYS[: len(labels)]
    press = f"press {_listed(keys)}, then " if len(labels) > 1 else f"press {keys} and "
    about = f"Paste it under Settings, Labeling Interface, Code. A mention: {press}mark the words."
    return _page(about, _decided(labels))


def adjudication(labels: Sequence[str]) -> str:
    """Return the interface for disputes, as `adjudication.xml` holds it."""
    disputed = [
        f"<Label value={quoteattr(label + DISPUTED)} background={quoteattr(colour.pale)}/>"
        for label, colour in colours_of(labels).items()
    ]
    about = (
        f"As config.xml, for disputes of annotation.agreement: each mention with {DISPUTED} is to be relabelled or"
        " deleted."
    )
    return _page(about, [*_decided(labels), *disputed])


def _decided(labels: Sequence[str]) -> list[str]:
    return [
        f"<Label value={quoteattr(label)}{_hotkey(place)} background={quoteattr(colour.strong)}/>"
        for place, (label, colour) in enumerate(colours_of(labels).items())
    ]


def _hotkey(place: int) -> str:
    return f' hotkey="{_KEYS[place]}"' if place < len(_KEYS) else ""


def _listed(keys: str) -> str:
    return f"{', '.join(keys[:-1])} or {keys[-1]}"


def _page(about: str, labels: Iterable[str]) -> str:
    lines = "\n".join(f"    {label}" for label in labels)
    return (
        f"<!-- {about} -->\n<View>\n"
        f'  <Labels name="{FROM}" toName="{TO}" choice="single" showInline="true">\n{lines}\n  </Labels>\n'
        f'  <Text name="{TO}" value="$text" granularity="word"/>\n</View>\n'
    )


def write_interface(labels: Sequence[str], folder: Path = FOLDER) -> None:
    """Write both files."""
    write_text(folder / "config.xml", configuration(labels))
    write_text(folder / "adjudication.xml", adjudication(labels))


def _run() -> int:
    labels = load_labels()
    write_interface(labels)
    print(f"label-studio: config.xml and adjudication.xml are of {', '.join(labels)}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 written, 2 refused."""
    about = (__doc__ or "").split("\n")[0]
    argparse.ArgumentParser(prog="python -m annotation.label_studio.interface", description=about).parse_args(arguments)
    return run_command("label-studio", _run)


if __name__ == "__main__":
    sys.exit(main())
