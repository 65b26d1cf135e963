"""Questions to all pools of a group, and the pool that a command is meant for."""

import asyncio
from collections.abc import Iterable
from typing import Final, TypeVar
from uuid import UUID

from pointsman.cli.client import StackClient
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.output import Printer
from pointsman.cli.stack.accounts import producer
from pointsman.cli.stack.plan import DEFAULT_TENANT
from pointsman.contracts.message import Message
from pointsman.contracts.queries import (
    AskPool,
    DeviceRow,
    ListTasks,
    OneTask,
    TaskRow,
    Why,
)
from pointsman.contracts.steering import TenantRow

ANY: Final = ""
"""Not named: every pool of the group."""

Row = TypeVar("Row")
OfTask = TypeVar("OfTask", TaskRow, Why)


async def ask_pools(
    client: StackClient, verb: str, question: Message, type_: type[Row], *, printer: Printer
) -> list[tuple[str, Row]]:
    """What each pool's leader answers; `printer` says which are silent.

    Raises `CommandError` when none answers, or the only one refuses.
    """
    pools = client.record.pools
    if len(pools) == 1:
        return [(pools[0], await client.ask(verb, question, type_))]
    answers = await _gather(client, verb, question, type_)
    for pool, answer in answers:
        if isinstance(answer, CommandError):
            printer.say(f"pool {pool} is left out: {answer.message} [{answer.code}]")
    return _answered(answers)


async def ask_rows(
    client: StackClient, verb: str, question: Message, row: type[Row], *, printer: Printer
) -> list[Row]:
    """The rows of all pools, pool by pool; raises as `ask_pools` does."""
    answers = await ask_pools(client, verb, question, list[row], printer=printer)
    return [each for _, rows in answers for each in rows]


async def ask_tasks(client: StackClient, asked: ListTasks) -> list[TaskRow]:
    """Tasks of the group, newest first; of each the latest that any leader knows."""
    pools = client.record.pools
    if len(pools) == 1:
        return await client.ask("tasks", asked, list[TaskRow])
    latest: dict[UUID, TaskRow] = {}
    for _, rows in _answered(await _gather(client, "tasks", asked, list[TaskRow])):
        for row in rows:
            known = latest.get(row.task)
            if known is None or row.position > known.position:
                latest[row.task] = row
    newest = sorted(latest.values(), key=lambda row: row.accepted_at, reverse=True)
    return newest[: asked.limit]


async def ask_owner(client: StackClient, verb: str, task: UUID, type_: type[OfTask]) -> OfTask:
    """What the leader of a task's pool says of it, else whoever knows it.

    Raises `CommandError`, `no_such_task` among others.
    """
    if len(client.record.pools) == 1:
        return await client.ask(verb, OneTask(task=task), type_)
    answers = _answered(await _gather(client, verb, OneTask(task=task), type_))
    _, first = answers[0]
    return next((answer for pool, answer in answers if answer.pool == pool), first)


async def pool_of_task(client: StackClient, task: UUID) -> str:
    """Raises `CommandError`, `no_such_task` among others."""
    if len(client.record.pools) == 1:
        return client.record.pool
    return (await ask_owner(client, "task", task, TaskRow)).pool or client.record.pool


async def pool_of_device(client: StackClient, device: str) -> str:
    """The pool that a device is attached to, else the first, which then says what is wrong."""
    if len(client.record.pools) > 1:
        for pool, rows in _answered(await _gather(client, "devices", AskPool(), list[DeviceRow])):
            if any(row.device == device for row in rows):
                return pool
    return client.record.pool


def named_pools(client: StackClient, pool: str = ANY) -> tuple[str, ...]:
    """One pool, or all of the group; raises `CommandError` for one that is not of the group."""
    pools = client.record.pools
    if pool == ANY:
        return pools
    if pool in pools:
        return (pool,)
    raise CommandError(
        f"this stack has no pool {pool!r}",
        code="no_such_pool",
        exit_code=ExitCode.NOT_FOUND,
        next_step=f"name one of {', '.join(pools)}",
    )


async def require_tenant(client: StackClient, tenant: str) -> None:
    """Raises `CommandError`, `no_such_tenant`: nobody has a login, settings or tasks as he."""
    if tenant == DEFAULT_TENANT or producer(tenant) in client.record.accounts:
        return
    for pool in client.record.pools:
        rows = await client.ask("tenants", AskPool(), list[TenantRow], pool=pool)
        if any(row.tenant == tenant for row in rows):
            return
    raise CommandError(
        f"there is no tenant {tenant!r}: nobody has sent a task as this one, and nothing is set",
        code="no_such_tenant",
        exit_code=ExitCode.NOT_FOUND,
        next_step="`pointsman tenant ls` shows the tenants; one who comes later is made known by "
        f"`pointsman tenant set {tenant} --weight 1 --reason ...`",
    )


async def _gather(
    client: StackClient, verb: str, question: Message, type_: type[Row]
) -> list[tuple[str, Row | CommandError]]:
    async def ask(pool: str) -> tuple[str, Row | CommandError]:
        try:
            return pool, await client.ask(verb, question, type_, pool=pool)
        except CommandError as error:
            return pool, error

    return list(await asyncio.gather(*(ask(pool) for pool in client.record.pools)))


def _answered(answers: Iterable[tuple[str, Row | CommandError]]) -> list[tuple[str, Row]]:
    found: list[tuple[str, Row]] = []
    failed: list[CommandError] = []
    for pool, answer in answers:
        if isinstance(answer, CommandError):
            failed.append(answer)
        else:
            found.append((pool, answer))
    if not found:
        # That nobody knows it says more than that one of them is silent.
        raise min(failed, key=lambda error: error.exit_code is not ExitCode.NOT_FOUND)
    return found
