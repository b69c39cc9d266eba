"""Which notes to annotate next: `python -m annotation.queue`."""
