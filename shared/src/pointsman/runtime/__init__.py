"""What every service process is made of: bus, acknowledgement, telemetry, health, signals."""
