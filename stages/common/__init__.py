"""The ground floor: what every stage shares. Imports no stage."""
