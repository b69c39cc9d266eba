"""Production's notes against the training profile: how far apart they are, and what is to be done."""
