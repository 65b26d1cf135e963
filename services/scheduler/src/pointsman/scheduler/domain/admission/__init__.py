"""Who gets in, as what, and when it may run."""
