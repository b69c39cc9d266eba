"""Plain implementations of what the project computes fast: slow, obvious, and written from the definitions."""
