"""What operators ask, and what of it holds."""
