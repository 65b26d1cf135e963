"""A pool as it was at any position of its log."""
