"""The local stack: nats-server, Triton, the services and an executor under one supervisor."""
