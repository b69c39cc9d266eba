"""The rules as one table: which words say what of the mentions near them, in which direction and how far.

After ConText (Harkema, Dowling, Thornblade & Chapman 2009, J Biomed Inform 42:839-851), which grew out of
NegEx (Chapman et al. 2001): a cue opens a scope, which ends at the sentence's end, at a word that starts
another thought, or where it has reached far enough. Some phrases look like cues and are none.

Phrases are folded to lower case and split as `stages.prepare.segmentation.tokenize` splits text, so that
``s/p`` is three tokens. The longest phrase at a place counts, and no other that begins inside of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from stages.prepare.segmentation import tokenize

PRESENT, NEGATED, POSSIBLE = "present", "negated", "possible"
HYPOTHETICAL, HISTORICAL, FAMILY = "hypothetical", "historical", "family"
KINDS = (NEGATED, POSSIBLE, HYPOTHETICAL, HISTORICAL, FAMILY)
ASSERTIONS = (PRESENT, *KINDS)

STRONGEST = (FAMILY, NEGATED, HYPOTHETICAL, POSSIBLE, HISTORICAL)
"""Where several hold, the first of these is the assertion."""

FORWARD, BACKWARD, NOWHERE = "forward", "backward", "nowhere"


class Rule(NamedTuple):
    """A cue: `phrase` says `kind` of what stands in its direction, at most `reach` tokens away.

    Each item of a list (``no cough, wheeze or fever``) may be so far from the one before it.
    """

    phrase: str
    kind: str
    direction: str
    reach: int


class End(NamedTuple):
    """A phrase that ends the scopes of `kinds`; a `soft` one does not where it follows the cue at once (*not for*)."""

    phrase: str
    kinds: tuple[str, ...]
    soft: bool


LIST, NEAR, NEXT = 8, 4, 1
"""Reaches: of a list's head (NegEx has five tokens, notes list more after one *no*), of an adverb, of an adjective."""

_CUES: tuple[tuple[str, str, int, str], ...] = (
    (NEGATED, FORWARD, LIST, """
        no | not | without | w/o | nil | never | nor | neither | none of | denies | denied | denying | deny |
        negative for | neg for | -ve for | absence of | lack of | lacks | free of | free from | clear of |
        ruled out for | rules out | excludes | fails to reveal | failed to reveal | nothing to suggest |
        cannot see | can't | cannot | didn't | doesn't | don't | wasn't | isn't | hasn't | hadn't | haven't |
        weren't | aren't | declined | declines | refused | refuses | avoid | avoids | avoided | allergic to |
        allergy | allergies | intolerant of | intolerant to | contraindication to | contraindications to |
        rather than"""),
    (NEGATED, BACKWARD, LIST, """
        ruled out | excluded | unlikely | was negative | is negative | are negative | were negative |
        came back negative | not seen | not thought likely | absent | contraindicated | declined | refused |
        not given | not started | not indicated | not needed | not required | was avoided | not present |
        not found | not identified | not demonstrated | not visualised | not visualized | not detected |
        not noted | not appreciated | not evident | not confirmed | did not develop | not tolerated |
        never started | never given"""),
    (NEGATED, BACKWARD, NEXT, "negative | -ve | : none | - none | : nil | : denied | : absent | : no . | nil"),
    (POSSIBLE, FORWARD, LIST, """
        rule out | r/o | to rule out | to exclude | to evaluate for | evaluate for | evaluation for | query |
        suspicion of | suspicious for | suspicious of | suspected | suspect | suggestive of | suggests |
        suggesting | suggest | concern for | concerning for | concern about | worried about | may represent |
        might represent | could represent | may be | might be | could be | may have | might have | could have |
        possibility of | cannot exclude | cannot rule out | can't exclude | not exclude | differential |
        differentials | ddx | dd | raises the question of | question of | working diagnosis of | wonder about |
        wondering about | wonder if | wondered if | wondering if | whether"""),
    (POSSIBLE, FORWARD, NEAR, """
        possible | possibly | probable | probably | likely | presumed | presumably | presumptive | perhaps |
        questionable | less likely | vs | versus | potential | provisional"""),
    (POSSIBLE, BACKWARD, NEAR, """
        possible | probable | suspected | is likely | seems likely | was likely | cannot be excluded |
        can't be excluded | cannot be ruled out | not excluded | not ruled out | is a possibility |
        is suspected | was suspected | is favoured | is favored | favoured | vs | versus | likely | less likely"""),
    (POSSIBLE, BACKWARD, NEXT, "?"),
    (HYPOTHETICAL, FORWARD, LIST, """
        if | in case of | in the event of | unless | should she | should he | should they | should there be |
        return for | call for | call also for | call with | watch for | watch out for | monitor for |
        look out for | alert for | risk of | risks of | at risk for | to prevent | prevention of |
        prophylaxis against | prophylaxis for | signs such as | are noted : | as though | as if |
        could consider | would consider | may consider | consider | might need | may need | would need |
        were to | if there is | candidate for"""),
    (HISTORICAL, FORWARD, LIST, """
        history of | history significant for | history is significant for | history includes |
        history included | history notable for | history is notable for | history remarkable for |
        history positive for | history is positive for | past history | past medical history |
        past surgical history | past psychiatric history | medical history | surgical history |
        psychiatric history | social history | patient history | pmh | pmhx | psh | pshx | hx | hx of | h/o |
        ho | known to have | status post | s/p | previous diagnosis of | prior diagnosis of |
        previously diagnosed with | past history of | personal history of | used to have | recovered from"""),
    (HISTORICAL, FORWARD, LIST, "family history"),
    (HISTORICAL, FORWARD, NEAR, """
        previous | previously | prior | old | former | formerly | remote | past | childhood"""),
    (HISTORICAL, BACKWARD, LIST, """
        in the past | years ago | year ago | months ago | as a child | in childhood | in his youth |
        in her youth | previously | last year | in remission"""),
    (HISTORICAL, BACKWARD, NEXT, "history | hx"),
    (FAMILY, FORWARD, LIST, """
        family history | fh | fhx | family hx | mother | mum | mom | father | dad | brother | sister |
        brothers | sisters | sibling | siblings | sib | aunt | uncle | cousin | grandmother | grandfather |
        grandparents | parents | maternal | paternal | his son | her son | his daughter | her daughter | a son |
        a daughter"""),
)  # fmt: skip

_NO_CUES = """
        no increase | no change | no improvement | no response | no longer | not only | not certain if |
        no reason | not improved | not controlled | not tolerated | gram negative |
        without difficulty | not necessarily | not cause | no significant change | no interval change |
        history of present illness | history of the present | hour history of | day history of |
        week history of | month history of | hours history of | days history of | weeks history of |
        months history of | not know | not sure | not certain | no doubt | prior to | history and physical |
        past the | past two | past three | past few | past several | past week | past month | past year |
        past day | past days | in the likely | if possible | as soon as possible | likely to | if any |
        month - old | week - old | day - old | years old | months old | weeks old | days old | h old |
        previously unknown | previously unrecognised | previously undiagnosed | previously well |
        previously fit | mother of | father of | mum of | dad of | grandmother of | grandfather of |
        single mother | single mum | with his parents | with her parents | with his mother | with her mother |
        with mum | with dad | old man | old woman | old male | old female | old lady | old gentleman |
        year old | year - old | yr old | known as | not known | known for | well known to | mother tongue |
        may be discharged | is unlikely to | as possible | free of charge | without change"""
"""Look like cues, or hold words that are, and say nothing of a mention."""

_ENDS: tuple[tuple[tuple[str, ...], bool, str], ...] = (
    (KINDS, False, ". | ;"),
    (KINDS, False, """
        but | however | although | though | except | except for | apart from | apart | yet | still | otherwise |
        nevertheless | instead | whereas | who presents | who presented | presents with | presented with |
        presenting with | admitted with | complains of | complaining of | , positive for | and positive for"""),
    ((NEGATED, FAMILY), True, "for | on | as | so"),
    ((NEGATED,), True, """
        now | then | continue | continues | continued | start | started | starting | give | given | gave |
        treated | treat | take | takes | taking | switch | switched | secondary to | due to"""),
    ((NEGATED, FAMILY), False, "asked | shown | aware | phone | talk | keen | because"),
    ((FAMILY,), False, """
        now | then | continue | continues | continued | start | started | starting | give | given | gave |
        treat | take | takes | taking | switch | switched | told | asks | ask | reports | report | says |
        thinks | worried | advised | gives | brought | about | reported | noticed | wants | rang | understands |
        agrees | agreed"""),
    ((NEGATED, POSSIBLE), False, """
        and has | and had | and is | and was | and were | and are | and he | and she | and the | and they |
        , he | , she | , the patient | and the patient | , has | , had | , was | , is | which | who | , with |
        and therefore"""),
    ((HISTORICAL,), True, """
        who | now | today | currently | current | presents | presented | presenting | admitted | complaint |
        complaints | complains | came | brought | found | because | which | on | is on | and is | and was |
        secondary to | here | shows | showed | revealed | reveals"""),
    ((HYPOTHETICAL,), True, """
        and is | and was | otherwise , | then | dx | diagnosis | she should | he should | they should | please"""),
    ((POSSIBLE,), True, "with | on | for | so | because | and | , | started | treated | given"),
)  # fmt: skip

QUERY = "query"
"""Stands for a question mark in front of what it doubts."""

SEPARATORS = frozenset((",", "or", "and", "nor", "/", "&", ":", "-"))
"""Begin the next item of a list."""
ENDS_BACKWARD = frozenset((",", ":", "with", "and", "who"))
"""End, beside the ends above, what stands before a cue that says something of it."""

HEADINGS = {
    HISTORICAL: (
        "past medical history", "past medical and surgical history", "past history", "past surgical history",
        "medical history", "surgical history", "previous medical history", "previous history", "pmh", "pmhx",
        "past psychiatric history", "psychiatric history", "past obstetric history", "obstetric history",
        "social history", "psh", "pshx", "past illnesses", "previous illnesses", "background history",
    ),
    FAMILY: ("family history", "family medical history", "fh", "fhx", "family hx"),
    NEGATED: (
        "allergies", "drug allergies", "allergy", "known allergies", "allergies and intolerances", "adrs",
        "adverse reactions", "drug sensitivities", "intolerances", "contraindications", "pertinent negatives",
    ),
}  # fmt: skip
"""What the headings of sections say of the mentions below them."""


def _phrases(written: str) -> Iterator[str]:
    return (" ".join(phrase.split()) for phrase in written.split("|"))


def words_of(phrase: str) -> tuple[str, ...]:
    """Split a phrase as notes are split."""
    return tuple(phrase[start:end].casefold() for start, end in tokenize(phrase))


RULES = (
    *(Rule(phrase, kind, way, reach) for kind, way, reach, written in _CUES for phrase in _phrases(written)),
    *(Rule(phrase, PRESENT, NOWHERE, 0) for phrase in _phrases(_NO_CUES)),
)
ENDS = tuple(End(phrase, kinds, soft) for kinds, soft, written in _ENDS for phrase in _phrases(written))
