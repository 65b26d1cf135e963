"""The scheduler: admits tasks, orders them, places them on devices and records every decision."""
