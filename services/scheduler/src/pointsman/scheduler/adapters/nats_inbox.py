"""The work queue of other systems: JetStream messages in, answers out."""

from collections.abc import Awaitable, Callable

from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer
from pointsman.runtime.acknowledgement import DeadLetter, DeadLetters
from pointsman.runtime.clock import Clock
from pointsman.runtime.puller import Puller
from pointsman.runtime.work_queue import WorkQueue
from pointsman.scheduler.domain.admission.submitting import OF_THE_MOMENT
from pointsman.scheduler.leading.group_door import GroupDoor
from pointsman.scheduler.leading.inbox_message import read_inbox_message


class NatsInbox(WorkQueue):
    """Submits the tasks of messages."""

    def __init__(
        self,
        nc: Client,
        door: GroupDoor,
        dead_letters: DeadLetters,
        clock: Clock,
        provision: Callable[[], Awaitable[object]],
    ) -> None:
        super().__init__(
            nc,
            Puller(nc, subjects.INBOX_STREAM, subjects.INBOX_CONSUMER),
            self._submit,
            dead_letters,
            next_step=_next_step,
            provision=provision,
        )
        self._door = door
        self._clock = clock

    async def _submit(self, tenant: str, message: Msg) -> tuple[str, Answer]:
        request = read_inbox_message(
            tenant, message.headers or {}, message.data, now=self._clock.wall()
        )
        answer = await self._door.submit(request.task, request=request.identity)
        return request.task.command_id, answer


def _next_step(letter: DeadLetter) -> str:
    first = "wait" if letter.code in OF_THE_MOMENT else "correct the message"
    return f"{first} and send it under a new id, or ask an operator to redrive it"
