"""Champion and challenger on the same test documents, in one run: strict counts by document, and CPU seconds."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from delivery.errors import DeliveryError
from delivery.registry.model_process import environment
from stages.common.annotated import Annotated, read_annotated
from stages.common.files import read_table

WORKER = Path(__file__).with_name("rescoring_worker.py")
_PREDICTED = ["document", "start", "end", "label", "confidence"]


@dataclass(frozen=True)
class HeldOut:
    """The test documents of a commit with their gold mentions.

    Parameters
    ----------
    documents, mentions : DataFrame
        As the stage `prepare` wrote them.
    left_out : int
        Test documents that the other model was trained on, and that therefore say nothing about it.
    annotated : mapping of str to sequence of str
        By batch, the labels that its annotators looked for.
    """

    documents: pd.DataFrame
    mentions: pd.DataFrame
    left_out: int
    annotated: Annotated = field(default_factory=dict)


@dataclass(frozen=True)
class Rescored:
    """What both models did.

    Parameters
    ----------
    champion, challenger : DataFrame
        Columns ``document, label, tp, fp, fn, accepted, right``.
    documents, left_out : int
    seconds : tuple of two lists of float
        CPU seconds of the champion's and of the challenger's rounds, taken in turns.
    """

    champion: pd.DataFrame
    challenger: pd.DataFrame
    documents: int
    left_out: int
    seconds: tuple[list[float], list[float]]

    @property
    def speed(self) -> float:
        """Throughput of the challenger as a multiple of the champion's: the median of the ratios by round."""
        return statistics.median(old / new for old, new in zip(*self.seconds, strict=True))


def held_out(champion: Path, challenger: Path) -> HeldOut:
    """Return the champion's test documents but those whose text the challenger has seen.

    Parameters
    ----------
    champion, challenger : Path
        Folders `data/prepared` of the two commits.
    """
    documents = read_table(champion / "documents.parquet")
    documents = documents[documents["split"] == "test"]
    others = read_table(challenger / "documents.parquet", ["split", "text"])
    learned = set(map(_plain, others.loc[others["split"] != "test", "text"]))
    seen = documents["text"].map(_plain).isin(learned)
    mentions = read_table(champion / "mentions.parquet")
    return HeldOut(documents[~seen], mentions, int(seen.sum()), read_annotated(champion))


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def rescore(champion: Path, challenger: Path, test: HeldOut, *, rounds: int, seconds: float) -> Rescored:
    """Tag and time the test documents with both models, in turns.

    Parameters
    ----------
    champion, challenger : Path
        Downloaded models.
    test : HeldOut
    rounds : int
        How often each is timed.
    seconds : float
        CPU seconds that a round of the champion should take: short ones are measured badly.

    Raises
    ------
    DeliveryError
        When a model does not load or does not answer.
    """
    texts = test.documents["text"].tolist()
    with _worker(champion, "the champion") as old, _worker(challenger, "the challenger") as new:
        tables = [_counts(worker.ask(texts)["notes"], test) for worker in (old, new)]  # compiles, too
        once = max(old.ask(texts)["seconds"], 1e-4)
        new.ask(texts)
        repeats = max(1, round(seconds / once))
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(rounds):
            pair = [(old, times[0]), (new, times[1])]
            for worker, taken in pair if turn % 2 else reversed(pair):
                taken.append(max(worker.ask(texts, repeats)["seconds"], 1e-9))
    return Rescored(tables[0], tables[1], len(texts), test.left_out, times)


def _counts(notes: Sequence[Sequence[Any]], test: HeldOut) -> pd.DataFrame:
    from stages.evaluate.matching import match_documents
    from stages.evaluate.scores import document_counts

    names = test.documents["document"]
    rows = [(name, *mention[:4]) for name, mentions in zip(names, notes, strict=True) for mention in mentions]
    predicted = pd.DataFrame(rows, columns=_PREDICTED)
    compared = match_documents(test.documents, test.mentions, predicted, annotated=test.annotated)
    labels = sorted(set(test.mentions["label"]))  # of another, the documents do not say where it is
    accepted = [{tuple(mention[:3]) for mention in mentions if mention[4]} for mentions in notes]
    return document_counts(compared, _recorded_names(test.documents), labels, accepted)


def _recorded_names(documents: pd.DataFrame) -> pd.Series:
    """Return what `metrics/documents.csv` of the commit calls its documents.

    Commits from before names were made under a key have no column of them: theirs were hashes of the
    identifiers, and what their champion did can only be looked up by these.
    """
    if "public_name" in documents:
        return documents["public_name"]
    return documents["document"].map(lambda name: sha256(name.encode()).hexdigest()[:16])


@dataclass(frozen=True)
class _Worker:
    process: subprocess.Popen[str]
    name: str
    log: Path

    def ask(self, texts: list[str], repeats: int = 1) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"texts": texts, "repeats": repeats}) + "\n")
            self.process.stdin.flush()
            answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise DeliveryError(
                f"{self.name} does not run in this environment ({last[0] if last else 'no message'}): "
                "make the environment of its commit (`make env`), or register it again from a commit that runs here"
            ) from None
        return answer


@contextmanager
def _worker(model: Path, name: str) -> Iterator[_Worker]:
    """Run a model in a process of its own, away from the repository and its modules."""
    settings = environment() | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "DO_NOT_TRACK": "1"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", str(WORKER.resolve()), str(model.resolve())],
                cwd=folder,
                env={**settings, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": f"file:{folder}"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            )
        try:
            yield _Worker(process, name, log)
        finally:
            process.kill()
            process.communicate()
