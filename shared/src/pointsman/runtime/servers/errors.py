"""What can go wrong with a local server, and who has to act."""


class ServerError(Exception):
    """A local server cannot be used as it is.

    ``code`` is stable and meant for programs; ``next_step`` says what the reader can do.
    """

    def __init__(self, message: str, *, code: str, next_step: str) -> None:
        super().__init__(f"{message} [{code}] {next_step}")
        self.code = code
        self.next_step = next_step


class ServerMissingError(ServerError):
    """A program or environment that the server needs is not installed here."""


class ServerTooOldError(ServerError):
    """The program found is older than what Pointsman relies on."""

    def __init__(self, program: str, *, code: str, found: str, needed: str, next_step: str) -> None:
        super().__init__(
            f"{program} is {found}, needed is {needed}.", code=code, next_step=next_step
        )
        self.found = found
        self.needed = needed


class ServerStartError(ServerError):
    """The server ended, or did not become ready in time; carries the end of its log."""

    def __init__(self, message: str, *, code: str, next_step: str, log_tail: str) -> None:
        super().__init__(f"{message}\n{log_tail}\n", code=code, next_step=next_step)
        self.log_tail = log_tail
