"""What connects the context service to the world, one file per technology."""
