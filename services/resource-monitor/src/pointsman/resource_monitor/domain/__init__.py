"""What the monitor decides, as pure functions of what it is told."""
