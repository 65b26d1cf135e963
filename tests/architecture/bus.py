"""What travels on the bus, read from the code: the routers, the logins and the plans of streams."""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, cast, get_type_hints

from faststream.nats import NatsRouter
from faststream.nats.subscriber.usecases import CoreSubscriber
from nats.js.api import ConsumerConfig, StreamConfig
from pydantic import BaseModel

from pointsman.cli.stack.accounts import nats_users, new_accounts, producer
from pointsman.contracts import subjects
from pointsman.contracts.feedback import GIVE_TYPE, SentRating
from pointsman.contracts.submission import SUBMIT_TYPE, TaskSubmission
from pointsman.eventstore import feed
from pointsman.runtime.streams import plans
from tests.architecture.source_tree import SERVICES, package_of

ANSWERS: Final = subjects.answers("{tenant}").replace("*", "{message_id}")

INBOXES: Final[Mapping[str, tuple[str, type[BaseModel]]]] = MappingProxyType(
    {
        subjects.inbox("{tenant}"): (SUBMIT_TYPE, TaskSubmission),
        subjects.feedback("{tenant}"): (GIVE_TYPE, SentRating),
    }
)
"""Address of a work queue -> type of the CloudEvents that are taken there, and their data."""

# Subjects that services subscribe to with wildcards, which have no names of their own.
_WILD: Final = (
    subjects.pool_sample("{pool}"),
    subjects.device_reading("{device}"),
    subjects.renewals("{pool}"),
)

_PULL: Final = "$JS.API.CONSUMER.MSG.NEXT."
_EXECUTOR: Final = "{executor}"
_TENANT: Final = "{tenant}"


class BusError(Exception):
    """Parts of the code disagree about the bus; the message names them."""


@dataclass(frozen=True, slots=True)
class Route:
    """A subscriber of a service; `address` has the parameters of its subject in braces."""

    service: str
    address: str
    request: object
    reply: object
    """None: nobody is answered."""
    function: str


@dataclass(frozen=True, slots=True)
class Login:
    """What one kind of account may publish and subscribe to."""

    name: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]

    def may_send(self, address: str) -> bool:
        return any(covers(pattern, address) for pattern in self.publish)

    def may_hear(self, address: str) -> bool:
        return any(covers(pattern, address) for pattern in self.subscribe)

    def pulls(self) -> Iterator[tuple[str, str]]:
        """Streams that it reads, each with the durable consumer."""
        for pattern in self.publish:
            if pattern.startswith(_PULL):
                stream, _, durable = pattern.removeprefix(_PULL).partition(".")
                yield stream, durable


def covers(pattern: str, address: str) -> bool:
    """Tell whether a subject with wildcards includes an address with parameters."""
    wanted, found = pattern.split("."), address.split(".")
    if wanted[-1] == ">":
        return len(found) >= len(wanted) and covers(
            ".".join(wanted[:-1]), ".".join(found[: len(wanted) - 1])
        )
    return len(wanted) == len(found) and all(
        a in {"*", b} for a, b in zip(wanted, found, strict=True)
    )


@cache
def routes() -> tuple[Route, ...]:
    """Every subscriber of every service, by service and address.

    Raises:
        ImportError: A service does not import, or has no handlers.
        BusError: A service has no router, or subscribes without a permission.
    """
    found: list[Route] = []
    for folder in SERVICES:
        service = package_of(folder).name
        own = [
            route
            for build in _builders(f"pointsman.{service}.handlers")
            for route in routes_of(service, build(**arguments(build)))
        ]
        if not own:
            raise BusError(f"{service}: no function build_*router in its handlers gives a route")
        found += sorted(own, key=lambda route: route.address)
    may_hear = {login.name: login for login in logins()}
    for route in found:
        if not may_hear[route.service].may_hear(route.address):
            raise BusError(f"{route.service} may not subscribe to {route.address}: see accounts.py")
    return tuple(found)


def _builders(module: str) -> Iterator[Callable[..., NatsRouter]]:
    for name, value in vars(importlib.import_module(module)).items():
        if (
            inspect.isfunction(value)
            and name.startswith("build_")
            and get_type_hints(value).get("return") is NatsRouter
        ):
            yield value


def arguments(build: Callable[..., NatsRouter]) -> dict[str, object]:
    hints = get_type_hints(build)
    return {name: _argument(name, hints[name]) for name in inspect.signature(build).parameters}


def _argument(name: str, type_: object) -> object:
    """Texts become parameters of addresses; the rest is only called when a message arrives."""
    if type_ is str:
        return f"{{{name}}}"
    if inspect.isclass(type_) and is_dataclass(type_):
        hints = get_type_hints(type_)
        names = [field.name for field in fields(type_)]
        if all(hints[each] is str for each in names):
            return cast("type[object]", type_)(**{each: f"{{{each}}}" for each in names})
    return object()


def routes_of(service: str, router: NatsRouter) -> Iterator[Route]:
    for subscriber in router.subscribers:
        if not isinstance(subscriber, CoreSubscriber):
            raise BusError(f"{service}: {subscriber!r} is of no known kind: add it to bus.py")
        for call in subscriber.calls:
            wrapped = call.handler
            function = wrapped._original_call  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - no public name
            hints = get_type_hints(function)
            reply = hints.pop("return")
            (request,) = hints.values()
            yield Route(
                service,
                _address(subscriber.subject.template),
                request,
                None if reply is type(None) else reply,
                function.__qualname__.rpartition(".")[2],
            )


def _address(subject: str) -> str:
    if "*" not in subject and ">" not in subject:
        return subject
    for template in _WILD:
        if covers(subject, template):
            return template
    raise BusError(f"no name is known for the wildcards of {subject}: add it to _WILD in bus.py")


@cache
def logins() -> tuple[Login, ...]:
    """Services, then those around them; executors and producers stand for all of their kind."""
    users = nats_users(
        new_accounts([_EXECUTOR], [_TENANT]),
        pool="{pool}",
        executors=[_EXECUTOR],
        tenants=[_TENANT],
    )
    kinds = {_EXECUTOR: "executor", producer(_TENANT): "producer"}
    services = {package_of(folder).name for folder in SERVICES}
    found = [Login(kinds.get(u.name, u.name), u.publish, u.subscribe) for u in users]
    return tuple(sorted(found, key=lambda login: (login.name not in services, login.name)))


def stream_of(address: str) -> StreamConfig | None:
    """The JetStream stream that keeps what is sent there."""
    for plan in plans():
        if any(covers(subject, address) for subject in plan.config.subjects or ()):
            return plan.config
    return None


def consumer(stream: str, durable: str) -> ConsumerConfig:
    """How a login reads a stream; raises `BusError` when nobody makes such a consumer."""
    for plan in plans():
        for planned in plan.consumers:
            if (plan.config.name, planned.durable_name) == (stream, durable):
                return planned
    if stream == subjects.FEED_STREAM:
        return feed._consumer(durable)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - no public name
    raise BusError(f"no plan has a consumer {durable} of {stream}")
