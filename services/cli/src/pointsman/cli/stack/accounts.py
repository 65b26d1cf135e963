"""One NATS login per service and per producer, each with the subjects that it needs."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pointsman.contracts import subjects
from pointsman.runtime.servers import NatsUser

CLI: Final = "cli"
SCHEDULER: Final = "scheduler"
OBSERVER: Final = "observer"
"""Other systems learn with it how tasks ended."""

_STREAMS: Final = (subjects.INBOX_STREAM, subjects.FEED_STREAM, subjects.EVENT_STREAM)
_CONSUMER: Final = f"{subjects.INBOX_STREAM}.{subjects.INBOX_CONSUMER}"


@dataclass(frozen=True, slots=True)
class Account:
    """A login; answers to it arrive below `inbox_prefix`, where only it may subscribe."""

    user: str
    password: str = field(repr=False)

    @property
    def inbox_prefix(self) -> str:
        return f"_INBOX_{self.user}"


def producer(tenant: str) -> str:
    """The login of the systems that send tasks for a tenant."""
    return f"producer-{tenant}"


def new_accounts(executors: Sequence[str], tenants: Sequence[str]) -> dict[str, Account]:
    """Logins by user name, with new random passwords."""
    names = [SCHEDULER, CLI, OBSERVER, *executors, *(producer(tenant) for tenant in tenants)]
    return {name: Account(name, secrets.token_urlsafe(24)) for name in names}


def nats_users(
    accounts: dict[str, Account], *, pool: str, executors: Sequence[str], tenants: Sequence[str]
) -> list[NatsUser]:
    """What each account may do; whatever is not listed is refused by the server."""
    return [
        _scheduler(accounts[SCHEDULER], executors),
        _cli(accounts[CLI]),
        _observer(accounts[OBSERVER]),
        *(_executor(accounts[name], pool) for name in executors),
        *(_producer(accounts[producer(tenant)], tenant) for tenant in tenants),
    ]


def _user(
    account: Account, *, publish: Sequence[str] = (), subscribe: Sequence[str] = ()
) -> NatsUser:
    own = f"{account.inbox_prefix}.>"
    # The probe at the start of a service sends a message to its own inbox.
    return NatsUser(account.user, account.password, (*publish, own), (*subscribe, own))


def _inbox_of(user: str) -> str:
    return f"_INBOX_{user}.>"


def _scheduler(account: Account, executors: Sequence[str]) -> NatsUser:
    """It also provisions the streams and runs the relay, so it alone may create and fill them."""
    streams = [
        f"$JS.API.STREAM.{verb}.{stream}"
        for stream in _STREAMS
        for verb in ("INFO", "CREATE", "UPDATE", "MSG.GET")
    ]
    consumer = [
        f"$JS.API.CONSUMER.{verb}.{_CONSUMER}"
        for verb in ("INFO", "CREATE", "DURABLE.CREATE", "MSG.NEXT")
    ]
    return _user(
        account,
        publish=(
            *streams,
            *consumer,
            f"$JS.ACK.{_CONSUMER}.>",
            subjects.FEED,
            subjects.EVENT_SUBJECTS,
            "pm.lease.>",
            "pm.answer.>",
            *(_inbox_of(user) for user in (CLI, *executors)),
        ),
        subscribe=(subjects.COMMAND_SUBJECTS, subjects.QUERY_SUBJECTS, subjects.TELEMETRY_SUBJECTS),
    )


def _cli(account: Account) -> NatsUser:
    return _user(
        account,
        publish=("pm.cmd.scheduler.>", "pm.query.scheduler.*"),
        subscribe=(subjects.FEED,),
    )


def _observer(account: Account) -> NatsUser:
    own = f"{account.inbox_prefix}.>"
    return NatsUser(account.user, account.password, (), (subjects.EVENT_SUBJECTS, own))


def _executor(account: Account, pool: str) -> NatsUser:
    return _user(
        account,
        publish=(
            *(subjects.command(SCHEDULER, verb, pool) for verb in ("attach", "health", "report")),
            subjects.renewals(pool),
            "pm.stream.>",
            _inbox_of(SCHEDULER),
        ),
        subscribe=(subjects.lease(pool, account.user),),
    )


def _producer(account: Account, tenant: str) -> NatsUser:
    return NatsUser(
        account.user,
        account.password,
        (subjects.inbox(tenant),),
        (subjects.answers(tenant), f"{account.inbox_prefix}.>"),
    )
