"""What connects the service to the world, one file per technology."""
