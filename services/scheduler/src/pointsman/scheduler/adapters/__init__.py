"""What connects the scheduler to the world, one file per technology."""
