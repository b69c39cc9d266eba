"""Tagger to scores with their uncertainty, predictions, error analysis and calibration."""
