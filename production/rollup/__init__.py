"""The roll-up: what the dashboard shows, computed by the rooms that know it, and kept as one row a subject."""
