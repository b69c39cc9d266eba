"""Annotation batches to documents, tokens and mentions, split into train, dev and test."""
