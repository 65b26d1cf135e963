"""The two families of errors that the runtime itself reacts to."""


class TransientError(Exception):
    """Nothing is wrong with the message: the same work may succeed a moment later.

    Raised in a JetStream handler it is retried with a growing delay, in a request handler it is
    answered with `Unavailable`.
    """

    code = "transient"


class NotLeaderError(TransientError):
    """Another process leads what the message is for, and takes it when it comes again.

    A request handler's is answered with `NotLeader`.
    """

    code = "not_leader"


class FatalError(Exception):
    """The process cannot go on; an operator has to act before a restart helps.

    `code` is stable and meant for programs, `next_step` says what the operator can do.
    """

    code = "fatal"

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(f"{message} {next_step}")
        self.next_step = next_step
