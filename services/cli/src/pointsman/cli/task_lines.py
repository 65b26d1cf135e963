"""Tasks from a file with one JSON object per line, and what became of each line."""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final
from uuid import uuid4

from pydantic import StringConstraints, ValidationError

from pointsman.cli.client import PATIENCE_S, StackClient
from pointsman.cli.failures import CommandError, unreadable_input
from pointsman.cli.output import Document
from pointsman.cli.pool_choosing import PoolChoosing
from pointsman.cli.silence import last_try, no_answer
from pointsman.cli.stack.accounts import SCHEDULER
from pointsman.contracts import strict_json, subjects
from pointsman.contracts.commands import (
    MAX_PAYLOAD_BYTES,
    Accepted,
    Answer,
    Duplicate,
    NotLeader,
    Rejected,
    SubmitTask,
    decode_answers,
)
from pointsman.contracts.submission import TaskSubmission, submit_command
from pointsman.runtime.packing import PackedRequests
from pointsman.runtime.packing_errors import (
    NoAnswerError,
    RequestRefusedError,
    RequestTooLargeError,
)

AT_ONCE: Final = 1_024
"""Lines that are on their way together: four full messages, so that nobody waits for nothing."""

_SOURCE: Final = "/pointsman/cli"

Ask = Callable[[SubmitTask], Awaitable[Answer]]


class TaskLine(TaskSubmission):
    """A line: a task as other systems describe it, with an id of its own if it has one."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=subjects.MAX_ID_CHARS)] | None = (
        None
    )
    """A repetition makes no second task."""


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """What became of one line."""

    line: int
    status: str
    """`accepted`, `duplicate` or `refused`."""
    id: str = ""
    task: str = ""
    code: str = ""
    message: str = ""

    def document(self) -> Document:
        """As a JSON object."""
        return {
            "line": self.line,
            "status": self.status,
            "id": self.id,
            "task": self.task or None,
            "code": self.code or None,
            "message": self.message or None,
        }


@dataclass(frozen=True, slots=True)
class Lines:
    """How the lines of a file are to be read."""

    tenant: str
    bulk: str | None
    now: float

    def command(self, number: int, body: bytes) -> SubmitTask | LineAnswer:
        """The task that a line asks for, or what is wrong with it.

        Without an id of its own, a line of a bulk has one that its number gives, so that the same
        file sent again makes no second tasks.
        """
        try:
            asked = TaskLine.model_validate(strict_json.parse_object(body))
        except strict_json.MalformedJsonError as error:
            return _refused(number, error.code, str(error))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "line"
            return _refused(number, "invalid_task", f"{where}: {first['msg']}")
        size = len(asked.text.encode())
        if size > MAX_PAYLOAD_BYTES:
            message = f"the text has {size} bytes, at most {MAX_PAYLOAD_BYTES} are taken"
            return _refused(number, "payload_too_large", message)
        bulk = asked.bulk or self.bulk
        by_number = str(uuid4()) if bulk is None else f"{bulk}/{number}"
        asked = asked.model_copy(update={"bulk": bulk})
        return submit_command(
            asked,
            command_id=asked.id or by_number,
            tenant=self.tenant,
            source=_SOURCE,
            now=self.now,
        )


@contextmanager
def numbered(path: Path) -> Generator[Iterator[tuple[int, bytes]]]:
    """The lines of a file, or of standard input (`-`), that hold something, from 1.

    Raises `CommandError`, at once where the file cannot be opened.
    """
    with _opened(path) as file:
        yield _numbered(path, file)


def _opened(path: Path) -> BinaryIO:
    try:
        return sys.stdin.buffer if path == Path("-") else path.open("rb")
    except OSError as error:
        raise unreadable_input(path, error) from error


def _numbered(path: Path, lines: BinaryIO) -> Iterator[tuple[int, bytes]]:
    try:
        for number, line in enumerate(lines, start=1):
            if body := line.strip():
                yield number, body
    except OSError as error:
        raise unreadable_input(path, error) from error


async def submit_lines(
    client: StackClient, lines: Iterator[tuple[int, bytes]], how: Lines
) -> AsyncGenerator[LineAnswer]:
    """What becomes of each line, in order.

    Raises `CommandError` when nobody answers: what was answered until then stands.
    """
    under_way: deque[asyncio.Task[LineAnswer]] = deque()
    async with _requests(client) as ask:
        try:
            for number, body in lines:
                answer = _answer(client, ask, how.command(number, body), number)
                under_way.append(asyncio.create_task(answer))
                if len(under_way) >= AT_ONCE:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for waiting in under_way:
                waiting.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)


@asynccontextmanager
async def _requests(client: StackClient) -> AsyncGenerator[Ask]:
    """The way in: to the one pool, or to those of a group, chosen line by line."""
    if len(client.record.pools) > 1:
        choosing = PoolChoosing(client.nc, client.record.pools)
        try:
            yield choosing.submit
        finally:
            await choosing.stop()
        return
    requests: PackedRequests[SubmitTask, Answer] = PackedRequests(
        client.nc,
        subjects.command(SCHEDULER, "submit", client.record.pool),
        decode_answers=decode_answers,
        is_not_leader=lambda answer: isinstance(answer, NotLeader),
        patience_s=PATIENCE_S,
    )
    try:
        yield requests.ask
    finally:
        await requests.stop()


async def _answer(
    client: StackClient, ask: Ask, command: SubmitTask | LineAnswer, number: int
) -> LineAnswer:
    if isinstance(command, LineAnswer):
        return command
    try:
        return _told(number, command.command_id, await ask(command))
    except (RequestTooLargeError, RequestRefusedError) as error:
        return _refused(number, error.code, str(error), command.command_id)
    except NoAnswerError as error:
        raise _not_answered(client, number, error) from error


def _told(number: int, command_id: str, answer: Answer) -> LineAnswer:
    match answer:
        case Accepted(task=task):
            return LineAnswer(number, "accepted", command_id, str(task))
        case Duplicate(task=task):
            return LineAnswer(number, "duplicate", command_id, str(task))
        case Rejected(code=code, message=message):
            return _refused(number, code, message, command_id)
        case _:
            return _refused(number, "unreadable_answer", repr(answer), command_id)


def _refused(number: int, code: str, message: str, command_id: str = "") -> LineAnswer:
    return LineAnswer(number, "refused", command_id, code=code, message=message)


def _not_answered(client: StackClient, first: int, error: NoAnswerError) -> CommandError:
    logs = (part.log for part in client.record.parts.values())
    silence = no_answer(
        error.subject, last_try(error), patience_s=PATIENCE_S, log=next(logs, "its log")
    )
    silence.message += f"; from line {first} on nothing is certain"
    silence.next_step += "; lines with an id, or of a bulk, can be sent again"
    return silence
