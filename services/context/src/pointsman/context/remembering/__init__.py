"""The context service at work: loads, asks the domain, records in the log, then answers."""
