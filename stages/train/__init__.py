"""Attributes to a tagger; one module per model family behind one protocol."""
