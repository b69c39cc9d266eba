"""A commit as this project sees it: git, experiments, the graph's state, what DVC keeps, and processes."""
