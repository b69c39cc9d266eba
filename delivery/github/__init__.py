"""GitHub's API, and the summary of a job."""
