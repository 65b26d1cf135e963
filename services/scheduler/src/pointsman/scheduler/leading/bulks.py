"""Tasks that were submitted under one name, ended with one command."""

from collections.abc import Sequence
from itertools import islice
from typing import Final
from uuid import UUID

from pointsman.contracts.bulk import BulkCancelled, CancelBulk
from pointsman.contracts.commands import Answer, CancelTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.task_states import TaskState
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.attempts.ends import decide_cancel
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import LiveLease
from pointsman.scheduler.leading.dispatch import Dispatch
from pointsman.scheduler.leading.settling import Settling

PER_COMMIT: Final = 256
"""Cancellations that are decided and recorded together; grants wait for no more than these."""

PER_COMMAND: Final = 2_048
ANSWER_WITHIN_S: Final = 1.0
"""Whatever has been ended by then is answered: an asker repeats its command after 2 s."""


class Bulks:
    """Cancels bulks, some tasks at a time."""

    def __init__(
        self,
        pool: Pool,
        settling: Settling,
        dispatch: Dispatch,
        clock: Clock,
        *,
        per_commit: int = PER_COMMIT,
        per_command: int = PER_COMMAND,
    ) -> None:
        self._per_commit = per_commit
        self._per_command = per_command
        self._pool = pool
        self._settling = settling
        self._dispatch = dispatch
        self._clock = clock

    async def cancel(self, command: CancelBulk) -> Answer:
        """End tasks of a bulk that are open now; raises what `Settling.settle` does.

        Repeating it goes on with what is left, so that the same command twice ends nothing twice.
        """
        await self._settling.lead.give_way()
        bulk, cancelled = (command.tenant, command.bulk), 0
        until = self._clock.monotonic() + ANSWER_WITHIN_S
        for _ in range(0, self._per_command, self._per_commit):
            chosen = list(islice(self._pool.bulks.get(bulk, ()), self._per_commit))
            if not chosen or self._clock.monotonic() > until:
                break
            leases = await self._end(command, chosen)
            ended = [task for task in chosen if self._was_cancelled(task)]
            for task in ended:
                self._dispatch.cancel_all(task, leases.get(task, ()))
            cancelled += len(ended)
        return BulkCancelled(cancelled=cancelled, left=len(self._pool.bulks.get(bulk, ())))

    async def _end(
        self, command: CancelBulk, chosen: Sequence[UUID]
    ) -> dict[UUID, tuple[LiveLease, ...]]:
        """Cancel tasks; the leases that they had."""
        leases: dict[UUID, tuple[LiveLease, ...]] = {}

        def decide() -> list[Decided]:
            decided: list[Decided] = []
            for name in chosen:
                task = self._pool.tasks.get(name)
                one = CancelTask(
                    command_id=command.command_id, task=name, by=command.by, reason=command.reason
                )
                end = decide_cancel(self._pool, one, at=self._clock.wall())
                if task is None or end is None:
                    continue
                leases[name] = task.leases
                decided.append(end)
            return decided

        await self._settling.settle(decide)
        return leases

    def _was_cancelled(self, task: UUID) -> bool:
        end = self._pool.dependencies.end_of(task)
        return end is not None and end.state is TaskState.CANCELLED
