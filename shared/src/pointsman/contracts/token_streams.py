"""What an executor tells those who watch a task while its model writes.

`pm.stream.<task>` carries `StreamPart`s over core NATS: whoever listens hears them, nobody else
pays for them, and what is lost on the way stands in the result. A task that is tried again begins
its text anew, with another attempt.
"""

from uuid import UUID

from pointsman.contracts.message import Message


class StreamPart(Message, frozen=True):
    """The next piece of an attempt's text; several tokens that came at about the same time."""

    task: UUID
    attempt: int
    """Another one than before: the earlier text counts no more."""
    sequence: int
    """1, 2, 3 ... within the attempt; a gap means lost parts."""
    offset: int
    """Characters of the attempt's text before this part. Smaller than what was received already:
    the text is told again from there, for somebody who came later."""
    text: str = ""
    progress: float | None = None
    """0 to 1, how far the attempt has come as its model says; None: nothing new."""
    note: str = ""
    """What the model says about its progress."""
    outcome: str = ""
    """In the last part of an attempt: `completed`, `failed`, `timed_out` or `cancelled`. The task
    itself may be tried again; how it ends is told by the log."""
    code: str = ""
    """Why it failed."""
