"""What the executor knows of the world outside, one technology per file."""
