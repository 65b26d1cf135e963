"""What a person types: starts the local stack, asks the services, explains what they decided."""
