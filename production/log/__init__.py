"""The serving log, from the database into files that a monitor reads."""
