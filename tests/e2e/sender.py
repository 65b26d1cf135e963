"""Another system that sends tasks: CloudEvents over NATS, and it hears what becomes of them."""

import json
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.cli.stack.accounts import producer
from pointsman.cli.stack.record import StackRecord
from pointsman.contracts import subjects
from pointsman.testing import wait_until
from tests.e2e.live_stack import logged_in

TYPE: Final = "pointsman.task.submit.v1"
STRUCTURED: Final = {"Content-Type": "application/cloudevents+json"}

Document = dict[str, Any]


def attributes(event_id: str, type_: str = TYPE) -> Document:
    return {"specversion": "1.0", "id": event_id, "source": "/test", "type": type_}


def structured(event_id: str, data: object, *, type_: str = TYPE) -> bytes:
    return json.dumps({**attributes(event_id, type_), "data": data}).encode()


def binary_headers(event_id: str) -> dict[str, str]:
    return {f"ce-{name}": value for name, value in attributes(event_id).items()}


def new_id() -> str:
    return f"message-{uuid4()}"


class Sender:
    """A login that may publish tasks of one tenant, with the answers that came so far."""

    def __init__(self, nc: Client, tenant: str, refusals: list[str]) -> None:
        self.nc = nc
        self.refusals = refusals
        """What the server forbade."""
        self.answers: defaultdict[str, list[Document]] = defaultdict(list)
        self._tenant = tenant

    async def listen(self) -> None:
        async def take(message: Msg) -> None:
            self.answers[message.subject].append(json.loads(message.data))

        await self.nc.subscribe(subjects.answers(self._tenant), cb=take)
        await self.nc.flush()

    async def send(self, body: bytes, headers: dict[str, str] | None = None) -> str:
        """Return when the work queue has it; gives its place there."""
        stream = self.nc.jetstream()
        ack = await stream.publish(subjects.inbox(self._tenant), body, headers=headers)
        return f"{ack.stream}:{ack.seq}"

    async def answer(self, event_id: str, *, number: int = 1) -> Document:
        """The `number`-th answer to one message."""
        answers = self.answers[subjects.answer(self._tenant, event_id)]
        await wait_until(lambda: len(answers) >= number, message=f"answer to {event_id}")
        return answers[number - 1]

    async def submit(self, data: Document) -> Document:
        """Send a structured event under a new id and wait for its answer."""
        event_id = new_id()
        await self.send(structured(event_id, data), STRUCTURED)
        return await self.answer(event_id)


@asynccontextmanager
async def sender(record: StackRecord, tenant: str) -> AsyncGenerator[Sender]:
    refusals: list[str] = []
    async with logged_in(record, producer(tenant), refusals=refusals) as nc:
        one = Sender(nc, tenant, refusals)
        await one.listen()
        yield one
