"""A sender of one tenant beside an operator who looks at what became of its messages."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from pointsman.cli.client import StackClient
from pointsman.cli.stack.accounts import CLI
from pointsman.cli.stack.record import StackRecord
from pointsman.contracts.commands import Answer, RedriveDeadLetter
from pointsman.contracts.queries import (
    DeadLetterRow,
    ListDeadLetters,
    ListTasks,
    OneTask,
    TaskRow,
)
from pointsman.testing import wait_until
from tests.e2e.live_stack import TENANT, logged_in
from tests.e2e.sender import Sender, sender

TASK: Final[dict[str, Any]] = {"family": "embed", "text": "an ordinary text"}
_MOST: Final = 1000


@dataclass(frozen=True)
class Desk:
    """A sender, and the operator's questions."""

    sender: Sender
    client: StackClient

    async def all_letters(self) -> list[DeadLetterRow]:
        asked = ListDeadLetters(limit=_MOST)
        return await self.client.ask("dead_letters", asked, list[DeadLetterRow])

    async def letters(self, event_id: str) -> list[DeadLetterRow]:
        return [row for row in await self.all_letters() if row.message_id == event_id]

    async def redrive(self, letter: DeadLetterRow) -> Answer:
        return await self.client.redrive(
            RedriveDeadLetter(command_id=str(uuid4()), dead_letter=letter.dead_letter, by="test")
        )

    async def tasks(self, tenant: str) -> list[TaskRow]:
        return await self.client.ask("tasks", ListTasks(tenant=tenant, limit=_MOST), list[TaskRow])

    async def ends_as(self, task: str, state: str) -> None:
        async def ended() -> bool:
            row = await self.client.ask("task", OneTask(task=UUID(task)), TaskRow)
            return row.state == state

        await wait_until(ended, message=f"task {task} {state}")

    async def still_works(self) -> None:
        answer = await self.sender.submit(TASK)

        assert answer["status"] == "accepted"
        await self.ends_as(answer["task"], "completed")


@asynccontextmanager
async def open_desk(record: StackRecord) -> AsyncGenerator[Desk]:
    async with sender(record, TENANT) as one, logged_in(record, CLI) as nc:
        yield Desk(one, StackClient(nc, record))
