"""Messages, events and subjects that every service agrees on. Pure: no I/O, no clock."""
