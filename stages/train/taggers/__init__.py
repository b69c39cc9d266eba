"""The model families behind one protocol."""
