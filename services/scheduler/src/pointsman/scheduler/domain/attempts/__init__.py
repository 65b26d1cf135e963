"""What became of attempts, and what follows from their ends."""
