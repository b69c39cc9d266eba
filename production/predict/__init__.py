"""What a model finds in one note, or in files of them, without a database."""
