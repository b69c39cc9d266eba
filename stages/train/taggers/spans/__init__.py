"""Trees that judge the spans which a chain proposes."""
