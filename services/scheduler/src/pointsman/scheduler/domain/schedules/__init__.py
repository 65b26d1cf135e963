"""Tasks and loads that are due at times of the clock."""
