"""Tasks whose input is cut: the whole and its parts."""
