"""Several services in one process on one log: what `pointsman up` starts."""
