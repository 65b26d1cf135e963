"""The work queue of other systems: JetStream messages in, answers out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Rejected, Unavailable, encode_answer
from pointsman.runtime.acknowledgement import DeadLetter, DeadLetters, TransientError, settle
from pointsman.runtime.clock import Clock
from pointsman.runtime.puller import ConsumerGoneError, Puller, PullerStoppedError
from pointsman.scheduler.domain.admission import OF_THE_MOMENT
from pointsman.scheduler.leading.inbox_message import read_inbox_message
from pointsman.scheduler.leading.submissions import Submissions

_PROVISION_RETRY_S: Final = 0.5
_log = structlog.get_logger(__name__)


class RefusedTaskError(Exception):
    """The message is well formed, the scheduler does not take its task."""

    def __init__(self, refusal: Rejected, message_id: str) -> None:
        super().__init__(f"{refusal.message}; {refusal.next}" if refusal.next else refusal.message)
        self.code = refusal.code
        self.message_id = message_id


class NatsInbox:
    """Pulls messages, submits their tasks and answers on `pm.answer`.

    Acknowledged after the commit; what cannot be taken becomes a dead letter and is answered as
    rejected.
    """

    def __init__(
        self,
        nc: Client,
        submissions: Submissions,
        dead_letters: DeadLetters,
        clock: Clock,
        provision: Callable[[], Awaitable[object]],
    ) -> None:
        self._nc = nc
        self._submissions = submissions
        self._dead_letters = dead_letters
        self._clock = clock
        self._provision = provision
        self._puller = Puller(nc, subjects.INBOX_STREAM, subjects.INBOX_CONSUMER)

    async def run(self) -> None:
        """Until `stop`."""
        while True:
            try:
                messages = await self._puller.next()
            except PullerStoppedError:
                return
            except ConsumerGoneError as error:
                _log.warning("inbox_gone", code=error.code, detail=str(error))
                await self._provision()
                await asyncio.sleep(_PROVISION_RETRY_S)
                continue
            await asyncio.gather(*(self._settle(message) for message in messages))

    async def stop(self) -> None:
        """Pull no more."""
        await self._puller.stop()

    async def _settle(self, message: Msg) -> None:
        await settle(
            message, self._work, _Answering(self), tenant=subjects.tenant_of_inbox(message.subject)
        )

    async def _work(self, message: Msg) -> None:
        tenant = subjects.tenant_of_inbox(message.subject)
        request = read_inbox_message(
            tenant, message.headers or {}, message.data, now=self._clock.wall()
        )
        answer = await self._submissions.submit(
            request.task,
            door=subjects.INBOX_CONSUMER,
            request=request.identity,
            sender=request.task.source,
        )
        if isinstance(answer, Unavailable):
            raise TransientError(answer.message)
        if isinstance(answer, Rejected):
            raise RefusedTaskError(answer, request.task.command_id)
        await self.answer(tenant, request.task.command_id, answer)

    async def answer(self, tenant: str, message_id: str, answer: Answer) -> None:
        """Tell the sender; it may not be listening."""
        await self._nc.publish(subjects.answer(tenant, message_id), encode_answer(answer))

    async def bury(self, letter: DeadLetter) -> None:
        """Record a dead letter, then answer its sender."""
        await self._dead_letters.record(letter)
        first = "wait" if letter.code in OF_THE_MOMENT else "correct the message"
        refusal = Rejected(
            code=letter.code,
            message=letter.detail,
            next=f"{first} and send it under a new id, or ask an operator to redrive it",
        )
        await self.answer(letter.tenant, letter.message_id, refusal)


class _Answering:
    """Dead letters whose senders are answered."""

    def __init__(self, inbox: NatsInbox) -> None:
        self._inbox = inbox

    async def record(self, letter: DeadLetter) -> None:
        await self._inbox.bury(letter)
