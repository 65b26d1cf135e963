"""Recorded decisions made again, from the log alone."""
