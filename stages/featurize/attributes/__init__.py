"""Tokens to attributes, as training and production do it. Learns nothing: what learns stands above."""
