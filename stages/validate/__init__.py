"""The gate: Great Expectations over the tables, and checks of the annotations themselves."""
