"""The desk of the validation team: what is in the browser, who sits at it, and what a sitting does."""
