"""Another system: it knows NATS and CloudEvents 1.0, and nothing of Pointsman's code."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

TYPE = "pointsman.task.submit.v1"
_TRIES = 10
_RETRY_S = 0.5


def cloud_event(event_id: str, source: str, data: dict[str, Any]) -> dict[str, Any]:
    """The event that asks for a task."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": TYPE,
        "datacontenttype": "application/json",
        "data": data,
    }


class Producer:
    """Sends tasks of one tenant and hears the answers.

    `on_answer` is called with the id of the event and the answer's document.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str,
        password: str,
        tenant: str,
        on_answer: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._url = url
        self._user = user
        self._password = password
        self._tenant = tenant
        self._on_answer = on_answer
        self._nc: Client | None = None

    async def connect(self) -> None:
        """Log in and listen; answers are lost to those who are not there."""
        self._nc = await nats.connect(
            self._url,
            name=self._user,
            user=self._user,
            password=self._password,
            inbox_prefix=f"_INBOX_{self._user}",
            max_reconnect_attempts=-1,
        )
        await self._nc.subscribe(f"pm.answer.{self._tenant}.*", cb=self._take_answer)
        await self._nc.flush()

    async def send_structured(self, event: dict[str, Any], *, message_id: str) -> None:
        """The whole event in the body."""
        headers = {"Content-Type": "application/cloudevents+json"}
        await self._publish(json.dumps(event).encode(), headers, message_id)

    async def send_binary(self, event: dict[str, Any], *, message_id: str) -> None:
        """Attributes as `ce-` headers, only the data in the body."""
        body = json.dumps(event["data"]).encode()
        await self.send_raw(event, body, message_id=message_id)

    async def send_raw(self, event: dict[str, Any], body: bytes, *, message_id: str) -> None:
        """Like `send_binary`, with any bytes as body."""
        attributes = {name: value for name, value in event.items() if name != "data"}
        headers = {
            f"ce-{name}": quote(str(value), safe="/:+") for name, value in attributes.items()
        }
        await self._publish(body, headers, message_id)

    async def close(self) -> None:
        """Log out."""
        if self._nc is not None:
            await self._nc.close()

    async def _publish(self, body: bytes, headers: dict[str, str], message_id: str) -> None:
        """Publish until the server has stored it; the same `Nats-Msg-Id` is stored once."""
        if self._nc is None:
            raise RuntimeError("connect first")
        stream = self._nc.jetstream()
        subject = f"pm.inbox.tasks.{self._tenant}"
        for left in reversed(range(_TRIES)):
            try:
                await stream.publish(subject, body, headers={**headers, "Nats-Msg-Id": message_id})
                return
            except (NatsError, TimeoutError):
                if not left:
                    raise
            await asyncio.sleep(_RETRY_S)

    async def _take_answer(self, message: Msg) -> None:
        self._on_answer(message.subject.rpartition(".")[2], json.loads(message.data))
