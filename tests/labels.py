"""Labels as the tests give them to what takes any: those of the seed, one alone, and a third."""

LABELS = ("Disease", "Treatment")
ONE = ("Disease",)
THREE = ("Disease", "Treatment", "Symptom")
