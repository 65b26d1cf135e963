"""The imperative shell: which attempts run here, on which devices, for which pool."""
