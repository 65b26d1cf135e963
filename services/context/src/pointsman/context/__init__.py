"""Keeps projects and conversations, and assembles what a task gets to read of them."""
