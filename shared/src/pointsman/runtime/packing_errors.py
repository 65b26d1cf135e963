"""How a request can end without an answer."""

from pointsman.contracts.commands import Rejected, Unavailable


class NoAnswerError(Exception):
    """Nobody answered within the patience; the command may still have taken effect.

    Asking again with the same command id is safe. `unavailable` is the answer to the last try that
    had one, where it was a refusal for now.
    """

    code = "no_answer"

    def __init__(
        self, subject: str, *, waited_s: float, last: str, unavailable: Unavailable | None = None
    ) -> None:
        super().__init__(
            f"no answer on {subject} within {waited_s:.1f} s (last: {last}): check that the "
            "service that answers there is running, then repeat with the same command id"
        )
        self.subject = subject
        self.waited_s = waited_s
        self.last = last
        self.unavailable = unavailable


class RequestRefusedError(Exception):
    """The service refused the request itself; the sender must change it."""

    def __init__(self, subject: str, refusal: Rejected) -> None:
        super().__init__(
            f"{subject} refused the request: {refusal.message} {refusal.next}".rstrip()
        )
        self.code = refusal.code
        self.subject = subject
        self.refusal = refusal


class RequestTooLargeError(Exception):
    """The command does not fit into one message; large bytes belong into the blob store."""

    code = "request_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a command of {size} bytes, the bus takes at most {limit}")
        self.size = size
        self.limit = limit
