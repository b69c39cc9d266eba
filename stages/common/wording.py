"""Numbers and their nouns, as messages say them."""

from __future__ import annotations

import re

_PAIR = re.compile(r"(\w+)/(\w+)")
_COLUMNS = {"quarantined": "share of notes in quarantine"}
_DECISIONS = {
    "too_few_notes": "too few notes to tell",
    "size_uncertain": "drift, size uncertain",
    "retrain_and_alert": "retrain and alert",
}


def decision_in_words(decision: str) -> str:
    """Return a decision of the monitor as people read it.

    >>> decision_in_words("too_few_notes"), decision_in_words("retrain")
    ('too few notes to tell', 'retrain')
    """
    return _DECISIONS.get(decision, decision)


def column_in_words(column: str) -> str:
    """Return a column of the serving log as people read it.

    >>> column_in_words("quarantined"), column_in_words("tokens")
    ('share of notes in quarantine', 'tokens')
    """
    return _COLUMNS.get(column, column)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "error"), counted(1200, "error"), counted(2, "batch"), counted(3, "discovery")
    ('1 error', '1,200 errors', '2 batches', '3 discoveries')
    """
    return f"{number:,} {noun if number == 1 else _plural(noun)}"


def agreeing(number: int, phrase: str) -> str:
    """Return a number with a phrase that agrees with it: of ``one/several``, the word that fits.

    >>> agreeing(1, "document/documents has/have no text"), agreeing(1200, "document/documents has/have no text")
    ('1 document has no text', '1,200 documents have no text')
    """
    return f"{number:,} {_PAIR.sub(lambda pair: pair[1 if number == 1 else 2], phrase)}"


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
