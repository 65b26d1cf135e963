"""What a device has loaded next."""
