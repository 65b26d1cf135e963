"""Ratings from other systems: JetStream messages in, answers out."""

from collections.abc import Awaitable, Callable

from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Rejected
from pointsman.feedback.learning.giving import NOT_COMPLETED, Giving
from pointsman.feedback.learning.inbox_message import read_inbox_message
from pointsman.runtime.acknowledgement import DeadLetter, DeadLetters, TransientError
from pointsman.runtime.puller import Puller
from pointsman.runtime.work_queue import WorkQueue


class NatsInbox(WorkQueue):
    """Records the ratings of messages.

    A rating that came before its task completed is retried as long as the acknowledgement policy
    allows.
    """

    def __init__(
        self,
        nc: Client,
        giving: Giving,
        dead_letters: DeadLetters,
        provision: Callable[[], Awaitable[object]],
    ) -> None:
        super().__init__(
            nc,
            Puller(nc, subjects.FEEDBACK_STREAM, subjects.FEEDBACK_CONSUMER),
            self._give,
            dead_letters,
            next_step=_next_step,
            provision=provision,
        )
        self._giving = giving

    async def _give(self, tenant: str, message: Msg) -> tuple[str, Answer]:
        rating = read_inbox_message(tenant, message.headers or {}, message.data)
        answer = await self._giving.give(rating, sender=f"event {rating.source}")
        if isinstance(answer, Rejected) and answer.code == NOT_COMPLETED:
            raise TransientError(answer.message)
        return rating.command_id, answer


def _next_step(_: DeadLetter) -> str:
    return "correct the rating and send it under a new id"
