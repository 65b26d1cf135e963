"""The pool as bytes: what a start reads instead of the whole log."""
