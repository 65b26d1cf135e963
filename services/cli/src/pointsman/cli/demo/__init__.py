"""Real tasks through a stack of its own: sent as another system would, disturbed, explained."""
