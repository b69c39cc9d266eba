"""Simple hand-written sentences, and what must be found in them.

Sixty cases of each capability, each with words of its own: a model that gets 97 of 100 such sentences right falls below
0.9 in one of seven capabilities in 1.5% of cases; with the ten to 36 there were, in 20% (decision 43).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stages.common.scoring import Span

CASES = 60
"""Of each capability."""

DISEASES = (
    "asthma", "pneumonia", "hypertension", "gout", "migraine", "epilepsy", "type 2 diabetes", "heart failure",
    "atrial fibrillation", "COPD", "iron deficiency anaemia", "breast cancer", "osteoarthritis", "psoriasis", "eczema",
    "hypothyroidism", "rheumatoid arthritis", "chronic kidney disease", "osteoporosis", "depression", "anxiety",
    "dementia", "tuberculosis", "hepatitis B", "cirrhosis", "pancreatitis", "appendicitis", "diverticulitis",
    "ulcerative colitis", "Crohn's disease", "coeliac disease", "peptic ulcer", "angina", "stroke",
    "pulmonary embolism", "deep vein thrombosis", "sepsis", "cellulitis", "bronchitis", "sinusitis", "tonsillitis",
    "glaucoma", "cataract", "lung cancer", "prostate cancer", "colon cancer", "leukaemia", "lymphoma", "melanoma",
    "multiple sclerosis", "Parkinson's disease", "schizophrenia", "endometriosis", "prostatitis", "cystitis",
    "pyelonephritis", "hyperthyroidism", "type 1 diabetes", "aortic stenosis", "shingles",
)  # fmt: skip
TREATMENTS = (
    "aspirin", "metformin", "ramipril", "prednisolone", "apixaban", "amoxicillin", "salbutamol", "bisoprolol",
    "atorvastatin", "omeprazole", "paracetamol", "ibuprofen", "codeine", "morphine", "warfarin", "clopidogrel",
    "simvastatin", "lisinopril", "amlodipine", "losartan", "furosemide", "spironolactone", "digoxin", "diltiazem",
    "atenolol", "levothyroxine", "gliclazide", "sitagliptin", "sertraline", "citalopram", "fluoxetine",
    "mirtazapine", "amitriptyline", "diazepam", "lorazepam", "olanzapine", "risperidone", "lithium", "lamotrigine",
    "levetiracetam", "carbamazepine", "gabapentin", "pregabalin", "methotrexate", "sulfasalazine", "azathioprine",
    "tamoxifen", "doxycycline", "clarithromycin", "ciprofloxacin", "flucloxacillin", "trimethoprim",
    "nitrofurantoin", "metronidazole", "aciclovir", "lansoprazole", "ranitidine", "allopurinol", "colchicine",
    "naproxen",
)  # fmt: skip
EMPTY = (
    "Seen in clinic today.", "Feels well and sleeps better.", "Bloods next week, please.", "Lives alone.",
    "BP 128/76, pulse 64, sats 98%.", "Review in three months.", "Thank you for seeing this lady.",
    "Weight 71 kg, BMI 24.", "DNA x2, letter sent.", "Chaperone offered and declined.", "He came with his daughter.",
    "She works as a teacher.", "Retired postman.", "Next appointment on Tuesday.", "Results are awaited.",
    "Discussed with the consultant.", "The family was informed.", "No further questions.", "Walks two miles a day.",
    "Never smoked.", "Drinks a glass of wine at weekends.", "Has two children.", "Moved house last year.",
    "Eats and drinks normally.", "Height 168 cm.", "Temp 36.8.", "Alert and orientated.", "Discharged home today.",
    "Will be seen again in June.", "Copy of this letter to the patient.", "Telephone call at 10:30.",
    "Patient not in when called.", "Consent was given in writing.", "Interpreter present.", "Driving again since May.",
    "Back at work part time.", "Appetite is good.", "Mood is bright today.", "Mobile with a stick.",
    "Independent at home.", "Daughter helps with shopping.", "Bed 12, ward 7.", "Urine output 50 ml an hour.",
    "Please chase the results.", "Dictated but not signed.", "Referred by her GP.", "First visit.",
    "Sleeps eight hours.", "Enjoys gardening.", "Plan as before.", "Notes were not available.",
    "Pulse regular, 72 a minute.", "Abdomen soft.", "Chest clear.", "Pupils equal.", "Seen with the student nurse.",
    "Time of arrival 14:05.", "To be discussed on Friday.", "Lives on the third floor.", "Speaks Polish and English.",
)  # fmt: skip


class Case(NamedTuple):
    """A text, and what must be found in it."""

    text: str
    expected: set[Span]


def simple_cases() -> dict[str, list[Case]]:
    """Return the cases of each capability."""
    return {
        "common_diseases": _framed(("She has {}.", "Admitted with {}.", "PMH: {}"), DISEASES, "Disease"),
        "common_treatments": _framed(("Continue {}.", "He was started on {}.", "Rx: {}"), TREATMENTS, "Treatment"),
        "negated_diseases": _framed(("No evidence of {}.", "Denies any {}."), DISEASES, "Disease"),
        "family_history": _framed(("Family history of {}.", "Mother had {}."), DISEASES, "Disease"),
        "treatments_with_doses": _framed(("- {} 5mg BD", "Takes {} 20 mg at night."), TREATMENTS, "Treatment"),
        "lists": [_listed(first) for first in range(CASES)],
        "nothing_to_find": [Case(text, set()) for text in EMPTY],
    }


def _framed(frames: Sequence[str], words: Sequence[str], label: str) -> list[Case]:
    """Put each word into one of the frames, in turns: a word that is not known fails once."""
    cases = []
    for place, word in enumerate(words):
        frame = frames[place % len(frames)]
        start = frame.index("{}")
        cases.append(Case(frame.format(word), {(start, start + len(word), label)}))
    return cases


def _listed(first: int) -> Case:
    """Put three diseases and two treatments in one line."""
    diseases = [DISEASES[(first + 20 * i) % CASES] for i in range(3)]
    treatments = [TREATMENTS[(first + 30 * i) % CASES] for i in range(2)]
    text, expected = "", set()
    for before, word, label in zip(
        ("Background: ", ", ", " and ", ". On ", " and "),
        [*diseases, *treatments],
        ["Disease"] * 3 + ["Treatment"] * 2,
        strict=True,
    ):
        text += before
        expected.add((len(text), len(text) + len(word), label))
        text += word
    return Case(f"{text}.", expected)
