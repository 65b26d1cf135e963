"""One client of a stack that submits, waits and asks why."""

from uuid import UUID, uuid4

from pointsman.cli.bench.overloading.watching import WatchedLog
from pointsman.cli.client import StackClient
from pointsman.cli.results import read_text
from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.events import TaskCompleted
from pointsman.contracts.message import BlobRef
from pointsman.contracts.queries import OneTask, Why

TASK_S = 30.0
"""How long one task of a demo may take at most."""


class Desk:
    """Submits tasks of one tenant and follows them in the log."""

    def __init__(self, client: StackClient, log: WatchedLog, tenant: str) -> None:
        self.client = client
        self.log = log
        self.tenant = tenant
        self.submitted: list[UUID] = []

    async def submit(
        self,
        family: str,
        text: str,
        *,
        model: str | None = None,
        conversation: str | None = None,
        context_tokens: int = 0,
    ) -> UUID:
        """A task of standard class; raises `CommandError`."""
        accepted = await self.client.submit(
            SubmitTask(
                command_id=str(uuid4()),
                tenant=self.tenant,
                family=family,
                payload=text.encode(),
                model=model,
                conversation=conversation,
                context_tokens=context_tokens,
            )
        )
        self.submitted.append(accepted.task)
        return accepted.task

    async def completed(self, task: UUID) -> TaskCompleted:
        """How a task completed; raises `CommandError` when it does not in time."""
        await self.log.until(
            lambda: self.log.all_ended([task]), timeout_s=TASK_S, what=f"the end of task {task}"
        )
        return next(done for event, done in self.log.completed() if event.stream == task)

    def text(self, blob: BlobRef) -> str:
        """The words of a result or payload; empty if it is no text. Blocking."""
        return read_text(self.client.record.data, self.tenant, blob) or ""

    async def why(self, task: UUID) -> str:
        """The history of a task in sentences."""
        answer = await self.client.ask("why", OneTask(task=task), Why)
        return "\n".join(answer.sentences)
