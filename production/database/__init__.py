"""Notes, results and what is watched, in SQLite or PostgreSQL."""
