"""Decides levels and fallbacks; time is an argument."""
