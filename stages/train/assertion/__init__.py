"""What a mention says of the patient: present, negated, possible, hypothetical, historical, or of a relative."""
