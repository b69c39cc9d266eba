"""The linear chain over BIOES tags."""
