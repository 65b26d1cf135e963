"""Talking to a running stack as the user `cli`."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from pointsman.cli.failures import CommandError, ExitCode, file_status
from pointsman.cli.hints import at_data
from pointsman.cli.pool_choosing import PoolChoosing
from pointsman.cli.refusals import REJECTED, refusal_in, rejected
from pointsman.cli.silence import LastTry, Silence, last_try, no_answer
from pointsman.cli.stack.accounts import CLI, SCHEDULER
from pointsman.cli.stack.plan import SERVICES
from pointsman.cli.stack.record import StackRecord, UnreadableRecordError, read_record
from pointsman.contracts import subjects
from pointsman.contracts.commands import (
    Accepted,
    Answer,
    ArchiveTasks,
    CancelTask,
    Duplicate,
    NotLeader,
    RedriveDeadLetter,
    Rejected,
    SubmitTask,
    decode_answers,
)
from pointsman.contracts.message import Message
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.packing import PackedRequests
from pointsman.runtime.packing_errors import (
    NoAnswerError,
    RequestRefusedError,
    RequestTooLargeError,
)

PATIENCE_S: Final = 5.0
"""A scheduler that was killed leads again by then."""

_CONNECT_S: Final = 2
_REQUEST_S: Final = 2.0
_RETRY_S: Final = 0.1

T = TypeVar("T")
_encoder: Final = msgspec.json.Encoder()


class StackClient:
    """Questions and commands to the scheduler of one stack."""

    def __init__(self, nc: Client, record: StackRecord) -> None:
        self.nc = nc
        self.record = record

    async def ask(
        self,
        verb: str,
        question: Message,
        type_: type[T],
        *,
        service: str = SCHEDULER,
        pool: str | None = None,
    ) -> T:
        """The answer to a question; asked again for `PATIENCE_S` while nobody answers.

        With `pool` it goes to the leader of that pool. Raises `CommandError`.
        """
        subject = subjects.query(service, verb, pool)
        body = _encoder.encode(question)
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while True:
            try:
                reply = await self.nc.request(subject, body, timeout=_REQUEST_S)
                refusal = refusal_in(reply.data)
                if refusal is None:
                    return msgspec.json.decode(reply.data, type=type_)
                if refusal.status == REJECTED:
                    raise rejected(refusal.code, refusal.message, refusal.next)
                why = (refusal.message, Silence.UNAVAILABLE, refusal.code, refusal.next)
                last = LastTry(*why)
            except NoRespondersError:
                last = LastTry("nobody answers", Silence.UNREACHABLE)
            except (NatsError, TimeoutError) as error:
                last = LastTry(f"{type(error).__name__} {error}".strip(), Silence.TIMEOUT)
            except msgspec.MsgspecError as error:
                raise _other_version(subject, str(error)) from error
            if loop.time() >= until:
                raise self._no_answer(subject, last)
            await asyncio.sleep(_RETRY_S)

    async def submit(self, command: SubmitTask, *, pool: str | None = None) -> Accepted | Duplicate:
        """To `pool`, else to the one that is expected to start it first; raises `CommandError`."""
        if pool is None and len(self.record.pools) == 1:
            answer = await self._command("submit", command)
        else:
            choosing = PoolChoosing(self.nc, self.record.pools, only=pool)
            answer = await self._answered(choosing.submit(command), choosing.stop)
        if isinstance(answer, Accepted | Duplicate):
            return answer
        raise _other_version(subjects.command(SCHEDULER, "submit"), repr(answer))

    async def cancel(self, command: CancelTask, *, pool: str | None = None) -> Answer:
        """Raises `CommandError`."""
        return await self.command(SCHEDULER, "cancel", command, pool=pool or self.record.pool)

    async def redrive(self, command: RedriveDeadLetter) -> Answer:
        """Raises `CommandError`."""
        return await self._command("redrive", command)

    async def archive(self, command: ArchiveTasks) -> Answer:
        """Raises `CommandError`."""
        return await self._command("archive", command)

    async def command(
        self, service: str, verb: str, command: Message, *, pool: str | None = None
    ) -> Answer:
        """To a service, or to the leader of one of its pools; raises `CommandError`."""
        return await self._send(subjects.command(service, verb, pool), command)

    async def _command(self, verb: str, command: Message) -> Answer:
        return await self._send(subjects.command(SCHEDULER, verb, self.record.pool), command)

    async def _send(self, subject: str, command: Message) -> Answer:
        requests: PackedRequests[Message, Answer] = PackedRequests(
            self.nc,
            subject,
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
            patience_s=PATIENCE_S,
        )
        return await self._answered(requests.ask(command), requests.stop)

    async def _answered(
        self, asking: Awaitable[Answer], stop: Callable[[], Awaitable[None]]
    ) -> Answer:
        try:
            answer = await asking
        except NoAnswerError as error:
            raise self._no_answer(error.subject, last_try(error)) from error
        except RequestRefusedError as error:
            refusal = error.refusal
            raise rejected(refusal.code, refusal.message, refusal.next) from error
        except RequestTooLargeError as error:
            raise CommandError(
                str(error), code=error.code, exit_code=ExitCode.FAILURE, next_step="send less"
            ) from error
        finally:
            await stop()
        if isinstance(answer, Rejected):
            raise rejected(answer.code, answer.message, answer.next)
        return answer

    def _no_answer(self, subject: str, last: LastTry) -> CommandError:
        parts = self.record.parts
        logs = (parts[name].log for name in (SERVICES, SCHEDULER) if name in parts)
        return no_answer(subject, last, patience_s=PATIENCE_S, log=next(logs, "its log"))


def find_stack(data: Path) -> StackRecord:
    """The record of the stack on a data directory; raises `CommandError` when none runs there."""
    record = record_of(data)
    if record is None:
        raise not_running(data)
    return record


def record_of(data: Path) -> StackRecord | None:
    """The same, None when none runs; raises `CommandError` when that cannot be told."""
    try:
        return read_record(data)
    except UnreadableRecordError as error:
        raise _unreadable(data, error) from error


def _unreadable(data: Path, error: UnreadableRecordError) -> CommandError:
    next_step = "use the release that started the stack"
    match error.__cause__:
        case PermissionError():
            next_step = "use the account that started the stack"
        case NotADirectoryError():
            next_step = f"{data} is no directory: name the data directory of a stack with --data"
        case OSError():
            next_step = "check the disk, or name another directory with --data"
        case _:
            pass
    status = file_status(error.__cause__ or error)
    return CommandError(str(error), code=error.code, exit_code=status, next_step=next_step)


def not_running(data: Path, detail: str = "") -> CommandError:
    """No stack answers for a data directory."""
    return CommandError(
        f"no stack is running on {data}" + (f" ({detail})" if detail else ""),
        code="unreachable",
        exit_code=ExitCode.UNREACHABLE,
        next_step=f"start one (pointsman up --data {data}), or name another directory with --data",
    )


@asynccontextmanager
async def connected(data: Path) -> AsyncGenerator[StackClient]:
    """A client of the stack that runs on a data directory; raises `CommandError`.

    What its errors advise holds for this directory.
    """
    try:
        async with _connected(data) as client:
            yield client
    except CommandError as error:
        error.next_step = at_data(error.next_step, data)
        raise


@asynccontextmanager
async def _connected(data: Path) -> AsyncGenerator[StackClient]:
    # Its notes about repeated requests are for services; here the command says what happened.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    record = find_stack(data)
    account = record.accounts[CLI]
    try:
        nc = await nats_client(
            record.nats_url,
            name="pointsman-cli",
            user=account.user,
            password=account.password,
            inbox_prefix=account.inbox_prefix,
            connect_timeout=_CONNECT_S,
            # The connection stays for as long as one command, which says when it broke. Without
            # the other two, the library tries for two minutes to connect in the first place.
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            error_cb=_ignore,
        )
    except (NatsError, OSError, TimeoutError) as error:
        raise _not_connected(data, error) from error
    try:
        yield StackClient(nc, record)
    finally:
        await nc.close()


def _not_connected(data: Path, error: Exception) -> CommandError:
    if "authorization" in str(error).lower():
        return CommandError(
            f"the stack on {data} refuses this login",
            code="not_permitted",
            exit_code=ExitCode.NOT_PERMITTED,
            next_step="restart the stack: its stack.json is of another start",
        )
    return not_running(data, str(error) or type(error).__name__)


def _other_version(subject: str, detail: str) -> CommandError:
    return CommandError(
        f"the answer on {subject} cannot be read: {detail}",
        code="unreadable_answer",
        exit_code=ExitCode.FAILURE,
        next_step="use the release that started the stack, or restart the stack with this one",
    )


async def _ignore(_error: Exception) -> None:
    """The library prints errors otherwise."""
