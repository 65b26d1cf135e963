"""The AsyncAPI document of the bus; `docs/asyncapi.json` is its text.

Who receives what is read from the routers and the durable consumers, who sends what from the
permissions of the logins.
"""

import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from typing import Final

from nats.js.api import ConsumerConfig, StreamConfig

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Rejected, Unavailable
from pointsman.contracts.recorded import Recorded
from pointsman.runtime.settings import ServiceSettings
from tests.architecture.bus import (
    ANSWERS,
    INBOXES,
    BusError,
    Login,
    Route,
    consumer,
    logins,
    routes,
    stream_of,
)
from tests.architecture.cloud_events import POSITION_HEADERS, Published, published, sent
from tests.architecture.message_types import Schema, Schemas, list_item, type_name, words
from tests.architecture.source_tree import ROOT

VERSION: Final = "3.0.0"
REPLIES: Final = "replies"
"""The channel of all replies: its address is the inbox that a request names."""

Refusal = Rejected | Unavailable

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_DESCRIPTION: Final = (
    "Everything that travels on the bus of Pointsman, generated from its code. A receiver is a "
    "subscriber or a durable consumer; a sender is a login that the server lets publish there. "
    "Commands travel packed: a JSON array of one verb, answered by the array of their answers. "
    "Operations of one service or login share its tag."
)
_PARAMETERS: Final = {
    "device": "Name of a device",
    "executor": "Name of an executor",
    "message_id": "The id of the message that is answered, see `subjects.answer`",
    "pool": "Name of a pool",
    "tenant": "Name of a tenant",
}
_AROUND: Final = {
    "cli": "The command line",
    "observer": "Other systems that learn how tasks ended",
    "producer": "Other systems that send tasks and ratings of a tenant",
}


def text() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> Schema:
    """The document; raises what `bus.routes` raises."""
    return _Document().built()


def channel_name(address: str) -> str:
    """The address without its parameters.

    A question may go to any leader or to that of one pool: there the parameter tells them apart.
    """
    tokens = address.split(".")
    if tokens[:2] == ["pm", "query"]:
        return ".".join(token.strip("{}") for token in tokens)
    return ".".join(token for token in tokens if not _PARAMETER.fullmatch(token))


class _Document:
    def __init__(self) -> None:
        self.schemas = Schemas()
        self.messages: dict[str, Schema] = {}
        self.channels: dict[str, Schema] = {}
        self.routes = {(route.service, route.address): route for route in routes()}
        self.replies: dict[str, list[str]] = {}

    def built(self) -> Schema:
        for route in self.routes.values():
            self._route(route)
        self._inboxes()
        self._log()
        self.channels[REPLIES] = {
            "address": None,
            "description": "The inbox that the request names as its reply subject",
            "messages": _refs({name for names in self.replies.values() for name in names}),
        }
        operations = dict(sorted(self._operations()))
        return {
            "asyncapi": VERSION,
            "info": _info(),
            "defaultContentType": "application/json",
            "servers": {"bus": _server()},
            "channels": dict(sorted(self.channels.items())),
            "operations": operations,
            "components": {
                "messages": dict(sorted(self.messages.items())),
                "schemas": dict(sorted(self.schemas.components.items())),
            },
        }

    def _route(self, route: Route) -> None:
        self._channel(route.address, words(route.request), [self._message(route.request)])
        if route.reply is None:
            return
        packed = list_item(route.request) is not None
        kinds = [route.reply]
        if (list_item(route.reply) or route.reply) != Answer:
            # What a handler raises is answered, as an array where the request is one.
            kinds.append(list[Refusal] if packed else Refusal)
        self.replies[route.address] = [self._message(kind) for kind in kinds]

    def _inboxes(self) -> None:
        self._channel(ANSWERS, "The answer to one message of an inbox", [self._message(Answer)])
        for address, (event_type, model) in INBOXES.items():
            if stream_of(address) is None:
                raise BusError(f"no stream keeps {address}: see runtime/streams.py")
            forms = sent(event_type, model, self.schemas)
            self.messages |= forms
            self._channel(address, f"CloudEvents of type `{event_type}`", list(forms))

    def _log(self) -> None:
        events = published(self.schemas)
        packed = self.schemas.of(list[Recorded])
        self.schemas.components[Recorded.__name__] |= {"oneOf": [_stored(each) for each in events]}
        self.messages["feed"] = {
            "name": "feed",
            "summary": "A pack of events",
            "headers": POSITION_HEADERS,
            "payload": packed,
        }
        self._channel(subjects.FEED, "Committed events in log order, packed", ["feed"])
        self.messages["poke"] = {
            "name": "poke",
            "summary": "Who pokes",
            "contentType": "application/octet-stream",
            "payload": {"type": "string", "format": "binary"},
        }
        self._channel(subjects.POKE, "The log has grown; whoever hears it looks there", ["poke"])
        for event in events:
            if event.message is not None:
                self.messages[event.topic] = event.message
                self._channel(subjects.event(event.topic), event.summary, [event.topic])

    def _message(self, type_: object) -> str:
        name = "Refusal" if type_ == Refusal else ""
        name = name or ("Refusal.list" if type_ == list[Refusal] else type_name(type_))
        self.messages[name] = {
            "name": name,
            "summary": words(type_),
            "payload": self.schemas.of(type_),
        }
        return name

    def _channel(self, address: str, summary: str, messages: list[str]) -> None:
        name = channel_name(address)
        found = self.channels.setdefault(name, {"address": address, "summary": summary})
        if found["address"] != address:
            raise BusError(f"{address} and {found['address']} have one name; rename a subject")
        found["messages"] = found.get("messages", {}) | _refs(set(messages))
        if parameters := _PARAMETER.findall(address):
            found["parameters"] = {
                each: {"description": f"Name of a {each}"} for each in parameters
            }
        if stream := stream_of(address):
            found["x-jetstream"] = _stream(stream)

    def _operations(self) -> Iterator[tuple[str, Schema]]:
        services = {service for service, _ in self.routes}
        addresses = [each["address"] for each in self.channels.values() if each["address"]]
        for login in logins():
            for address in addresses:
                name = channel_name(address).removeprefix("pm.")
                if login.may_send(address):
                    yield f"{login.name}.send.{name}", self._operation("send", login, address)
                receiving = self._receiving(login, address, service=login.name in services)
                if receiving is not None:
                    operation = self._operation("receive", login, address)
                    yield f"{login.name}.receive.{name}", operation | receiving

    def _receiving(self, login: Login, address: str, *, service: bool) -> Schema | None:
        """How a login receives there; None if it does not."""
        stream = stream_of(address)
        for name, durable in login.pulls():
            if stream is not None and stream.name == name:
                return {"x-jetstream-consumer": _consumer(consumer(name, durable))}
        route = self.routes.get((login.name, address))
        if route is not None:
            return {"x-handler": f"pointsman.{route.service}.handlers:{route.function}"}
        # Services poke each other beside their routers.
        outside = not service or address == subjects.POKE
        return {} if outside and login.may_hear(address) else None

    def _operation(self, action: str, login: Login, address: str) -> Schema:
        name = channel_name(address)
        channel = self.channels[name]
        operation: Schema = {
            "action": action,
            "summary": channel["summary"],
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [_in_channel(name, each) for each in channel["messages"]],
            "tags": [{"name": login.name}],
        }
        if address in INBOXES:
            operation["reply"] = _reply(channel_name(ANSWERS), [type_name(Answer)])
        elif address in self.replies:
            operation["reply"] = _reply(REPLIES, self.replies[address])
        return operation


def _info() -> Schema:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "title": "Pointsman",
        "version": project["version"],
        "description": _DESCRIPTION,
        "license": {"name": project["license"]},
        "tags": [
            {"name": login.name, "description": _AROUND.get(login.name) or _doc(login.name)}
            for login in logins()
        ],
    }


def _doc(service: str) -> str:
    return (importlib.import_module(f"pointsman.{service}").__doc__ or "").partition("\n")[0]


def _server() -> Schema:
    protocol, _, host = str(ServiceSettings.model_fields["nats_url"].default).partition("://")
    return {"host": host, "protocol": protocol, "description": "Where the local stack listens"}


def _stored(event: Published) -> Schema:
    return {"properties": {"type": {"const": event.topic}, "data": event.stored}}


def _stream(config: StreamConfig) -> Schema:
    return {
        "stream": config.name,
        "retention": config.retention,
        "discard": config.discard,
        "storage": config.storage,
        "max_age_s": config.max_age,
        "max_message_bytes": config.max_msg_size,
        "duplicate_window_s": config.duplicate_window,
    }


def _consumer(config: ConsumerConfig) -> Schema:
    return {
        "durable": config.durable_name,
        "ack_policy": config.ack_policy,
        "ack_wait_s": config.ack_wait,
        "max_deliver": config.max_deliver,
        "max_ack_pending": config.max_ack_pending,
    }


def _reply(channel: str, messages: list[str]) -> Schema:
    return {
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [_in_channel(channel, each) for each in messages],
    }


def _refs(names: set[str]) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in sorted(names)}


def _in_channel(channel: str, message: str) -> Schema:
    return {"$ref": f"#/channels/{channel}/messages/{message}"}
