"""One day in production: what `tests/e2e/test_production.py` tells its story with."""
