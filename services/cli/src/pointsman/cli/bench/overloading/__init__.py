"""More work than the best variants carry: made, watched and judged."""
