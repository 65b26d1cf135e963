"""What is learned and how the log is folded. Pure: time is an argument."""
