"""Watches devices and demand: samples, canaries, forecasts, alerts, and one snapshot of all."""
