"""Learns from ratings and outcomes: measured quality, preferences, thresholds and boosts."""
