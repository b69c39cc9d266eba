"""The forms of question that the record answers: what is asked otherwise is refused, and not answered beside the point.

A record holds which diseases and treatments share notes. *How many*, *why*, *which dose* and *what
causes* are words around a name that it knows, and have no answer in it.
"""

from __future__ import annotations

import re

from production.record.names import identity_of
from production.record.pairs import DISEASE, TREATMENT
from stages.common.errors import BeHealthyError

_BE = "(?:is|are|was|were|can be|could be|should be)"
_IS = "(?:(?:what|which) (?:is|are) )?"
_GIVEN = "(?:used|given|prescribed|taken|indicated)"
_FOR = "(?:for|against|in|to treat|to manage)"
_TREAT = "(?:treats?|manages?|helps?|helps? with|helps? against|works? for|works? against)"
_KIND = "(?:treatments?|therap(?:y|ies)|drugs?|medicines?|medications?)"
_OF = "(?:diseases?|conditions?)"
_NAME = r"\S.*?"

FORMS = {
    "what treats DISEASE?": f"(?:what|which)(?: {_KIND})? (?:can |could |should )?{_TREAT} {_NAME}",
    "what is used for DISEASE?": f"(?:what|which)(?: {_KIND})? {_BE} {_GIVEN} {_FOR} {_NAME}",
    "what is the treatment of DISEASE?": f"{_IS}(?:the )?(?:best )?{_KIND} (?:of|for) {_NAME}",
    "how is DISEASE treated?": f"how {_BE} {_NAME} (?:treated|managed)",
    "how do you treat DISEASE?": f"how (?:to|(?:do|can|should) (?:you|we|i)) (?:treat|manage) {_NAME}",
    "what is DISEASE treated with?": f"what {_BE} {_NAME} (?:treated|managed) (?:with|by)",
    "what is TREATMENT used for?": f"(?:what|which)(?: {_OF})? {_BE} {_NAME} {_GIVEN} {_FOR}",
    "what does TREATMENT treat?": f"(?:what|which)(?: {_OF})? (?:does|do|can) {_NAME} {_TREAT}",
    "what are the indications of TREATMENT?": f"{_IS}(?:the )?(?:indications?|uses?) (?:of|for) {_NAME}",
    "is TREATMENT used for DISEASE?": f"{_BE} {_NAME} {_GIVEN} {_FOR} {_NAME}",
    "does TREATMENT treat DISEASE?": f"(?:does|do|can) {_NAME} {_TREAT} {_NAME}",
}
"""Each form as a person reads it, and as a regular expression of a question in lower case, without marks at its end."""

_PATTERNS = {form: re.compile(pattern) for form, pattern in FORMS.items()}
_SECOND_QUESTION = re.compile(r"\b(?:what|which|who|whom|whose|why|when|where|how)\b")
_MARKS = " \t?.!"


def label_named(question: str, names: set[str]) -> str | None:
    """Tell what the name in a question has to be, and refuse a question that is of no form in `FORMS`.

    Parameters
    ----------
    question : str
    names : set of str
        What `identity_of` makes of the names that the record knows: one alone is a question, too.

    Returns
    -------
    str or None
        `DISEASE` or `TREATMENT`; None for a name alone, and for a question that names both.

    Raises
    ------
    BeHealthyError
        Says which forms there are. The question is not quoted: it may hold a name.
    """
    plain = " ".join(question.casefold().split()).strip(_MARKS)
    if identity_of(plain) in names:
        return None
    _, _, rest = plain.partition(" ")
    matched = [form for form, pattern in _PATTERNS.items() if pattern.fullmatch(plain)]
    if matched and not _SECOND_QUESTION.search(rest):
        labels = [label for label in (DISEASE, TREATMENT) if label.upper() in matched[0]]
        return labels[0] if len(labels) == 1 else None
    raise BeHealthyError(
        "this is no question that the record can answer: it knows which diseases and treatments stand together in"
        f" notes. Ask in one of these forms: {'; '.join(FORMS)}; or give a name that it knows"
    )
