"""Runs leases on inference engines and reports how they ended; decides nothing."""
