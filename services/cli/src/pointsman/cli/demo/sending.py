"""The demo's producers: one login per tenant, and the answers they got."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

from pointsman.cli.demo.messages import TENANTS, Case, PlannedMessage
from pointsman.cli.demo.producer import Producer, cloud_event
from pointsman.cli.stack.accounts import producer
from pointsman.cli.stack.record import StackRecord

_SOURCE = "/demo/documentation"


class Answers:
    """What came back on `pm.answer`."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.tasks: dict[str, str] = {}
        """Event id to task id."""
        self._changed = asyncio.Event()

    @property
    def count(self) -> int:
        return self.statuses.total()

    def take(self, event_id: str, answer: dict[str, Any]) -> None:
        """Note one answer."""
        self.statuses[str(answer["status"])] += 1
        if "task" in answer:
            self.tasks[event_id] = str(answer["task"])
        self._changed.set()

    async def wait_for(self, count: int) -> None:
        """Return when so many have come."""
        while self.count < count:
            self._changed.clear()
            await self._changed.wait()


class Senders:
    """An async context manager around the producers of all tenants."""

    def __init__(self, record: StackRecord, answers: Answers) -> None:
        accounts = {tenant: record.accounts[producer(tenant)] for tenant in TENANTS}
        self._producers = {
            tenant: Producer(
                record.nats_url,
                user=account.user,
                password=account.password,
                tenant=tenant,
                on_answer=answers.take,
            )
            for tenant, account in accounts.items()
        }

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(each.connect() for each in self._producers.values()))
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.gather(*(each.close() for each in self._producers.values()))

    async def send(self, messages: Iterable[PlannedMessage]) -> None:
        """Return when the server has stored all of them."""
        await asyncio.gather(*(self._send(message) for message in messages))

    async def _send(self, message: PlannedMessage) -> None:
        sender = self._producers[message.tenant]
        event = cloud_event(message.event_id, _SOURCE, message.data)
        # Unlike the event's id this one is new for every message, also for the duplicate.
        message_id = f"message-{message.event_id}-{message.number}"
        if message.case is Case.MALFORMED:
            await sender.send_raw(event, b'{"family": "summarize", "text": ', message_id=message_id)
        elif message.binary:
            await sender.send_binary(event, message_id=message_id)
        else:
            await sender.send_structured(event, message_id=message_id)
