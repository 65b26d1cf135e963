"""A real server with the logins of a local stack: what is forbidden fails there."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from pointsman.cli.stack.accounts import Account, nats_users, new_accounts
from pointsman.runtime.nats_client import nats_client
from pointsman.testing.servers import nats_server

POOL: Final = "main"
EXECUTOR: Final = "executor-1"
TENANTS: Final = ("acme", "globex")


async def allowed(nc: Client, refusals: list[str]) -> bool:
    """Whether the server took what was sent: it tells of a violation before it answers a ping."""
    await nc.flush()
    return not refusals


class Bus:
    """A server with all accounts."""

    def __init__(self, url: str, accounts: dict[str, Account]) -> None:
        self.accounts = accounts
        self.url = url

    @asynccontextmanager
    async def login(self, user: str, refusals: list[str]) -> AsyncGenerator[Client]:
        """Connect; what the server refuses is noted."""

        async def note(error: Exception) -> None:
            refusals.append(str(error))

        account = self.accounts[user]
        nc = await nats_client(
            self.url,
            user=account.user,
            password=account.password,
            inbox_prefix=account.inbox_prefix,
            error_cb=note,
        )
        try:
            yield nc
        finally:
            await nc.close()

    async def may_publish(self, user: str, subject: str) -> bool:
        refusals: list[str] = []
        async with self.login(user, refusals) as nc:
            await nc.publish(subject, b"{}")
            return await allowed(nc, refusals)

    async def may_subscribe(self, user: str, subject: str) -> bool:
        refusals: list[str] = []
        async with self.login(user, refusals) as nc:
            await nc.subscribe(subject)
            return await allowed(nc, refusals)


@asynccontextmanager
async def a_bus(tmp: Path) -> AsyncGenerator[Bus]:
    accounts = new_accounts([EXECUTOR], TENANTS)
    users = nats_users(accounts, pool=POOL, executors=[EXECUTOR], tenants=TENANTS)
    async with nats_server(tmp, users=users) as server:
        yield Bus(server.url, accounts)
