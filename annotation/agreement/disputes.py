"""Where annotators of one document differ, and what most of them say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from stages.common.documents import Document, Mention

Version = tuple[Mention, ...]


class Stretch(NamedTuple):
    """A stretch of a text in which somebody marked something, and what everybody marked there.

    Parameters
    ----------
    document : str
    start, end : int
        In characters; mentions that overlap, of whomever, are in one stretch.
    versions : dict of Version to tuple of str
        What was marked (nothing: an empty tuple), and by whom.
    """

    document: str
    start: int
    end: int
    versions: dict[Version, tuple[str, ...]]

    @property
    def disputed(self) -> bool:
        """Whether not all say the same."""
        return len(self.versions) > 1

    @property
    def kind(self) -> str:
        """What they differ in: ``missing`` where somebody marked nothing, ``label``, ``boundary``, or both."""
        if () in self.versions:
            return "missing"
        bounds = {tuple(mention[:2] for mention in version) for version in self.versions}
        labels = {frozenset(mention.label for mention in version) for version in self.versions}
        if len(bounds) == 1:
            return "label"
        return "boundary" if len(labels) == 1 else "label and boundary"

    @property
    def annotators(self) -> int:
        """How many have annotated the document."""
        return sum(map(len, self.versions.values()))

    @property
    def majority(self) -> Version | None:
        """What more than half of at least three annotators marked, which may be nothing; else None."""
        version = max(self.versions, key=lambda version: len(self.versions[version]))
        votes = len(self.versions[version])
        return version if self.annotators > 2 and 2 * votes > self.annotators else None

    @property
    def proposal(self) -> Version:
        """What an adjudicator should look at first: of what was marked, that with the most votes.

        Nothing is proposed only where all agree on it: deleting a mention is easier than finding
        one. Of equal votes, that which covers more text, then that which comes first.
        """
        marked = [version for version in self.versions if version]
        return min(marked, key=lambda version: (-len(self.versions[version]), -_covered(version), version))


def _covered(version: Version) -> int:
    return sum(mention.end - mention.start for mention in version)


def stretches_of(versions: Mapping[str, Document]) -> list[Stretch]:
    """List the stretches of one document in order of their offsets.

    Parameters
    ----------
    versions : mapping of str to Document
        By annotator; of one text.
    """
    mentions = sorted({mention for document in versions.values() for mention in document.mentions})
    bounds: list[list[int]] = []
    for start, end, _ in mentions:
        if bounds and start < bounds[-1][1]:
            bounds[-1][1] = max(bounds[-1][1], end)
        else:
            bounds.append([start, end])
    return [_stretch(versions, start, end) for start, end in bounds]


def _stretch(versions: Mapping[str, Document], start: int, end: int) -> Stretch:
    annotators_of: dict[Version, tuple[str, ...]] = {}
    for annotator in sorted(versions):
        inside = tuple(sorted(m for m in versions[annotator].mentions if start <= m.start and m.end <= end))
        annotators_of[inside] = (*annotators_of.get(inside, ()), annotator)
    return Stretch(next(iter(versions.values())).id, start, end, dict(sorted(annotators_of.items())))


def is_open(stretch: Stretch, *, majority: bool) -> bool:
    """Tell whether a person has to decide; `majority`: not where most of at least three say the same."""
    return stretch.disputed and not (majority and stretch.majority is not None)


def settled(stretch: Stretch) -> Version:
    """Return what holds where no person has to decide: what all, or most, marked."""
    version = stretch.majority if stretch.disputed else next(iter(stretch.versions))
    assert version is not None
    return version
