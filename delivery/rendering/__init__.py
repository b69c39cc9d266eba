"""A change as Markdown and pictures."""
