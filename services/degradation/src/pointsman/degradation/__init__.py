"""Gives up quality before promises: the ladder of a pool, its overrides, and fallbacks."""
