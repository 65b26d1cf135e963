"""A message that was set aside, with its headers and its body."""

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pointsman.cli.client import StackClient
from pointsman.cli.documents import document
from pointsman.cli.output import Printer, clock
from pointsman.cli.refusals import rejected
from pointsman.cli.results import ResultMissingError, read_bytes, utf8
from pointsman.contracts.events import DeadLetterRecorded
from pointsman.contracts.queries import ListEvents
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec

_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class SetAside:
    """A dead letter as the log tells it."""

    id: UUID
    tenant: str
    event: DeadLetterRecorded

    def document(self, body: bytes | None) -> dict[str, object]:
        """As a JSON object; a body that is no text stands in `body_base64`."""
        text = None if body is None else utf8(body)
        binary = None if body is None or text is not None else base64.b64encode(body).decode()
        return {
            "dead_letter": str(self.id),
            "tenant": self.tenant,
            **document(self.event),
            "body_text": text,
            "body_base64": binary,
        }

    def text(self, body: bytes | None) -> str:
        """For people."""
        event = self.event
        lines = [
            f"dead letter  {self.id}",
            f"at (UTC)     {clock(event.at)}",
            f"tenant       {self.tenant}",
            f"subject      {event.subject}",
            f"message id   {event.message_id}",
            f"code         {event.code}",
            f"detail       {event.detail}",
            f"deliveries   {event.deliveries}",
            f"headers      {json.dumps(event.headers, indent=2, ensure_ascii=False)}",
        ]
        shown = None if body is None else utf8(body)
        if shown is not None:
            lines.append(f"body:\n{shown}")
        elif event.body is not None:
            lines.append(f"body         {event.body.size} bytes (-o json shows them as base64)")
        return "\n".join(lines)


async def find_letter(client: StackClient, dead_letter: UUID) -> SetAside:
    """The dead letter as it was last set aside; raises `CommandError`."""
    asked = ListEvents(stream=dead_letter, limit=_MOST)
    codec = EventCodec()
    for recorded in reversed(await client.ask("events", asked, list[Recorded])):
        event = codec.decode(recorded.type, bytes(recorded.data))
        if isinstance(event, DeadLetterRecorded):
            return SetAside(dead_letter, recorded.tenant, event)
    raise rejected(
        "no_such_dead_letter",
        f"there is no dead letter {dead_letter}",
        "`pointsman dead ls` shows the dead letters",
    )


async def read_body(printer: Printer, client: StackClient, letter: SetAside) -> bytes | None:
    """The bytes of the message, None when they were not stored or cannot be read, which is said."""
    if letter.event.body is None:
        return None
    try:
        return await asyncio.to_thread(
            read_bytes, client.record.data, letter.tenant, letter.event.body
        )
    except ResultMissingError as error:
        printer.say(f"the body cannot be shown: {error}")
        return None
