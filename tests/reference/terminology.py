"""Looking terms up in plain Python."""

from __future__ import annotations

from stages.featurize.attributes.terminology import MOST_TOKENS, words_of


def longest_term(known: list[tuple[str, str]], sentence: list[str], first: int, category: str) -> int:
    """Return how long the longest term of a category is that starts at `first`; tries every phrase."""
    wanted = {words_of(term) for term, group in known if group == category} - {()}
    found = [
        end - first
        for end in range(first + 1, min(len(sentence), first + MOST_TOKENS) + 1)
        if words_of(" ".join(sentence[first:end])) in wanted and words_of(sentence[end - 1])
    ]
    return max(found, default=0) if words_of(sentence[first]) else 0
