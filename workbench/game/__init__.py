"""Auditing games: sealed suspects, blind teams, and the grading of what they hand in."""
