"""One NATS login per service and per producer, each with the subjects that it needs."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pointsman.contracts import subjects
from pointsman.runtime.servers import NatsUser

CLI: Final = "cli"
SCHEDULER: Final = "scheduler"
RESOURCE_MONITOR: Final = "resource_monitor"
DEGRADATION: Final = "degradation"
FEEDBACK: Final = "feedback"
CONTEXT: Final = "context"
WATCHERS: Final = (RESOURCE_MONITOR, DEGRADATION, FEEDBACK, CONTEXT)
"""The services that follow the feed."""
OBSERVER: Final = "observer"
"""Other systems learn with it how tasks ended."""

_STREAMS: Final = (
    subjects.INBOX_STREAM,
    subjects.FEEDBACK_STREAM,
    subjects.FEED_STREAM,
    subjects.EVENT_STREAM,
)
_TASKS: Final = f"{subjects.INBOX_STREAM}.{subjects.INBOX_CONSUMER}"
_QUESTIONS: Final = (subjects.query(SCHEDULER, "*"), subjects.query(SCHEDULER, "*", "*"))
"""To any leader of the group, and to that of one pool."""
_EXECUTOR_TELLS: Final = ("attach", "checkpoint", "health", "report", "residency")
"""Commands of an executor to the leader of its pool."""
_RATINGS: Final = f"{subjects.FEEDBACK_STREAM}.{subjects.FEEDBACK_CONSUMER}"


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
    names = [
        SCHEDULER,
        *WATCHERS,
        CLI,
        OBSERVER,
        *executors,
        *(producer(tenant) for tenant in tenants),
    ]
    return {name: Account(name, secrets.token_urlsafe(24)) for name in names}


def nats_users(
    accounts: dict[str, Account],
    *,
    pool: str,
    executors: Sequence[str] | Mapping[str, str],
    tenants: Sequence[str],
) -> list[NatsUser]:
    """What each account may do; whatever is not listed is refused by the server.

    The executors belong to `pool`, or to those of a group that they are mapped to.
    """
    pool_of = executors if isinstance(executors, Mapping) else dict.fromkeys(executors, pool)
    return [
        _scheduler(accounts[SCHEDULER], list(pool_of)),
        _resource_monitor(accounts[RESOURCE_MONITOR]),
        _degradation(accounts[DEGRADATION]),
        _feedback(accounts[FEEDBACK]),
        _context(accounts[CONTEXT], list(dict.fromkeys((pool, *pool_of.values())))),
        _cli(accounts[CLI]),
        _observer(accounts[OBSERVER]),
        *(_executor(accounts[name], its_pool) for name, its_pool in pool_of.items()),
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
        for verb in (*_STREAM_VERBS, "MSG.GET")
    ]
    return _user(
        account,
        publish=(
            *streams,
            *_consumer(_TASKS),
            # It makes the queue of ratings for whoever reads it.
            *(f"$JS.API.CONSUMER.{verb}.{_RATINGS}" for verb in _PROVISION),
            subjects.FEED,
            subjects.POKE,
            subjects.EVENT_SUBJECTS,
            "pm.lease.>",
            "pm.answer.>",
            subjects.pool_sample("*"),
            # It gives tasks of the work queue to the pool that will start them first.
            subjects.command(SCHEDULER, "forward", "*"),
            # The reader of the feed that it shares its process with asks it for gaps.
            subjects.query(SCHEDULER, "*"),
            *(_inbox_of(user) for user in (CLI, *WATCHERS, *executors)),
        ),
        subscribe=(
            subjects.FEED,
            subjects.POKE,
            subjects.command(SCHEDULER, ">"),
            *_QUESTIONS,
            subjects.renewals("*"),
            subjects.pool_sample("*"),
        ),
    )


_STREAM_VERBS: Final = ("INFO", "CREATE", "UPDATE")
_PROVISION: Final = ("INFO", "CREATE", "DURABLE.CREATE")


def _consumer(name: str) -> list[str]:
    """What it takes to make a durable consumer and to read through it."""
    verbs = (*_PROVISION, "MSG.NEXT")
    return [*(f"$JS.API.CONSUMER.{verb}.{name}" for verb in verbs), f"$JS.ACK.{name}.>"]


def _watcher(
    account: Account, *, publish: Sequence[str] = (), subscribe: Sequence[str] = ()
) -> NatsUser:
    """A service that follows the feed, asks the scheduler and is asked by the command line."""
    return _user(
        account,
        publish=(
            *_consumer(f"{subjects.FEED_STREAM}.{account.user}"),
            *_QUESTIONS,
            subjects.POKE,
            _inbox_of(CLI),
            *publish,
        ),
        subscribe=(
            subjects.POKE,
            subjects.command(account.user, ">"),
            subjects.query(account.user, "*"),
            *subscribe,
        ),
    )


def _resource_monitor(account: Account) -> NatsUser:
    return _watcher(
        account,
        publish=(subjects.device_reading("*"), subjects.command("executor", "canary", "*")),
        subscribe=(subjects.pool_sample("*"),),
    )


def _degradation(account: Account) -> NatsUser:
    return _watcher(account, subscribe=(subjects.pool_sample("*"), subjects.device_reading("*")))


def _feedback(account: Account) -> NatsUser:
    # Whichever of the two comes first makes its queue.
    queue = (f"$JS.API.STREAM.{verb}.{subjects.FEEDBACK_STREAM}" for verb in _STREAM_VERBS)
    return _watcher(account, publish=(*queue, *_consumer(_RATINGS), "pm.answer.>"))


def _context(account: Account, pools: Sequence[str]) -> NatsUser:
    commands = (
        subjects.command(SCHEDULER, verb, pool) for pool in pools for verb in ("prepare", "submit")
    )
    return _watcher(account, publish=tuple(commands))


def _cli(account: Account) -> NatsUser:
    return _user(
        account,
        publish=(
            *(
                subject
                for service in (SCHEDULER, *WATCHERS)
                for subject in (subjects.command(service, ">"), subjects.query(service, "*"))
            ),
            subjects.query(SCHEDULER, "*", "*"),
        ),
        subscribe=(subjects.FEED, subjects.STREAM_SUBJECTS),
    )


def _observer(account: Account) -> NatsUser:
    own = f"{account.inbox_prefix}.>"
    return NatsUser(account.user, account.password, (), (subjects.EVENT_SUBJECTS, own))


def _executor(account: Account, pool: str) -> NatsUser:
    return _user(
        account,
        publish=(
            *(subjects.command(SCHEDULER, verb, pool) for verb in _EXECUTOR_TELLS),
            subjects.renewals(pool),
            subjects.STREAM_SUBJECTS,
            _inbox_of(SCHEDULER),
            _inbox_of(RESOURCE_MONITOR),
        ),
        subscribe=(
            subjects.lease(pool, account.user),
            subjects.command("executor", "canary", account.user),
        ),
    )


def _producer(account: Account, tenant: str) -> NatsUser:
    return NatsUser(
        account.user,
        account.password,
        (subjects.inbox(tenant), subjects.feedback(tenant)),
        (subjects.answers(tenant), f"{account.inbox_prefix}.>"),
    )
