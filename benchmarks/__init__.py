"""Accuracy and cost of the tagger, side by side with its peers."""
