"""How far annotators of the same notes agree, and what becomes of it: `python -m annotation.agreement`."""
