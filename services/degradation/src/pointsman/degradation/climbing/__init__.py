"""Asks the domain, records what it decided, and answers for it."""
