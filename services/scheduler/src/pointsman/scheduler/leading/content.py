"""What is seen of a task's content at the door; nothing of it is kept."""

from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.routing import AUTO
from pointsman.policy.hashed_text import read_text
from pointsman.policy.prototypes import Prototypes
from pointsman.scheduler.domain.admission.routes import Seen


class ContentReader:
    """Compares the payloads of tasks that name no family with the prototypes of domains."""

    def __init__(self, prototypes: Prototypes | None) -> None:
        self._prototypes = prototypes

    def see(self, task: SubmitTask) -> Seen | None:
        """None if nobody needs to know, or the payload is not here."""
        if task.family != AUTO or task.payload is None or self._prototypes is None:
            return None
        return self._prototypes.similarities(read_text(task.payload))
