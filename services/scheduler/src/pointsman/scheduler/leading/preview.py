"""What would be recorded of a task if it were submitted now."""

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.events import TaskAccepted
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.admission.submitting import decide_submit, refuse_submit
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.content import ContentReader
from pointsman.scheduler.leading.submissions import payload_draft


class Preview:
    """Decides as for a submission; records and stores nothing.

    Only what became of dependencies that the pool has forgotten is not looked up: they are unknown.
    """

    def __init__(self, pool: Pool, content: ContentReader, clock: Clock) -> None:
        self._pool = pool
        self._content = content
        self._clock = clock

    def of(self, task: SubmitTask) -> TaskAccepted | Rejected:
        """The acceptance of a task, or why it would be refused."""
        payload = payload_draft(task)
        seen = self._content.see(task)
        at = self._clock.wall()
        refused = refuse_submit(self._pool, task, payload, at=at, seen=seen)
        return refused or decide_submit(self._pool, task, payload, at=at, seen=seen)
