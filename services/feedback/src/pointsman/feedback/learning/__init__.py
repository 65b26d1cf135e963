"""Ratings taken in, and what follows from them: asks the domain, then records."""
