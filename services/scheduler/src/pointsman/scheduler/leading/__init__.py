"""The leader at work: asks the domain, records in the log, then acts."""
