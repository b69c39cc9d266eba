"""What differs between two revisions: metrics, documents, mentions, with their uncertainty. Renders nothing."""
