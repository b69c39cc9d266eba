"""What enters production: notes of hospitals in files of several formats, each read, hashed, stored or quarantined."""
