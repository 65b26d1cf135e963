"""What the context service decides and how it folds the log. Pure: time is an argument."""
