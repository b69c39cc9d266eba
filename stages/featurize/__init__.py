"""Tokens to sparse attributes; everything learned is learned from the training split only."""
