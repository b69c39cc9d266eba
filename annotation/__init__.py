"""What enters: batches of annotations."""
