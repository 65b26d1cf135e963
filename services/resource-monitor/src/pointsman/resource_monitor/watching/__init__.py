"""The loops that read, ask the domain, record and publish."""
