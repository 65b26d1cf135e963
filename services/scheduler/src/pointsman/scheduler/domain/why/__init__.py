"""What is told of a task, in sentences."""
