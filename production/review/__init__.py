"""Who looks at which notes, what they decide, and what follows from it."""
