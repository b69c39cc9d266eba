"""The record of diseases with their treatments, gathered from notes and open to questions."""
