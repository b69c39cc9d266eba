"""Classifiers of single tokens."""
