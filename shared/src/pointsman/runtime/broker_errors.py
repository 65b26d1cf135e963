"""What an operator has to repair before a service can use the bus."""

from pointsman.runtime.errors import FatalError


class BrokerUnreachableError(FatalError):
    """No server answered within the patience of the caller."""

    code = "broker_unreachable"


class AuthenticationFailedError(FatalError):
    """The server knows no such user or password."""

    code = "broker_authentication_failed"

    def __init__(self, user: str, url: str) -> None:
        super().__init__(
            f"{url} refuses the NATS user {user!r}.",
            next_step="Check POINTSMAN_NATS_USER and POINTSMAN_NATS_PASSWORD "
            "against the server's configuration.",
        )
        self.user = user


class PermissionDeniedError(FatalError):
    """The server's permissions do not let this user use a subject that the service needs."""

    code = "broker_permission_denied"

    def __init__(self, operation: str, subject: str, user: str) -> None:
        super().__init__(
            f"The NATS user {user!r} has no permission for {operation} on {subject!r}.",
            next_step=f"Allow it in the server's configuration for {user!r} "
            "and restart the service.",
        )
        self.operation = operation
        self.subject = subject
        """In lower case, as the client library reports it."""
        self.user = user


class InboxUnusableError(FatalError):
    """Messages to the service's own inbox do not arrive, so that it would never get an answer."""

    code = "broker_inbox_unusable"

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"A test message sent to {subject!r} did not come back.",
            next_step="Let the user publish and subscribe to its inbox prefix.",
        )
        self.subject = subject


class BrokerTooOldError(FatalError):
    """The server lacks fixes or features that Pointsman relies on."""

    code = "broker_too_old"

    def __init__(self, found: str) -> None:
        super().__init__(
            f"nats-server is {found}; needed is 2.12.7 or later on the 2.12 line, "
            "or 2.14.0 or later.",
            next_step="Upgrade nats-server.",
        )
        self.found = found


class ConnectionLostError(FatalError):
    """The client library has given up although it was told to reconnect for ever."""

    code = "broker_connection_lost"

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"The connection to the NATS server is lost for good: {detail}.",
            next_step="The service must be restarted; its supervisor does that.",
        )
