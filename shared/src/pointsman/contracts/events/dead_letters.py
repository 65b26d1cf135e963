"""Events of messages that could not be processed; one stream per message."""

from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import BlobRef


class DeadLetterRecorded(Decision, frozen=True):
    """A message was set aside with its bytes and the reason."""

    subject: str
    message_id: str
    code: str
    detail: str
    deliveries: int
    headers: dict[str, str]
    body: BlobRef | None = None
    """None when the bytes exceed what the store takes; the size then stands in `detail`."""


class DeadLetterRedriven(Decision, frozen=True):
    """Somebody submitted it again; the redriven message is a new one."""

    by: str
    task: str | None = None
    """The task that it became, None when it was refused again."""
    detail: str = ""
