"""What connects the feedback service to the world, one file per technology."""
