"""CloudEvents 1.0 on NATS: structured (JSON in the body) and binary (`ce-` headers).

Source: CloudEvents 1.0.2 core specification and JSON format; NATS protocol binding 1.0.3-wip for
binary mode (every attribute is a header `ce-<name>`, values percent-encoded; a `Content-Type`
that starts with `application/cloudevents` means structured).
"""

import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import quote, unquote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from pointsman.contracts import strict_json
from pointsman.contracts.strict_json import MalformedJsonError
from pointsman.contracts.subjects import MAX_ID_CHARS

STRUCTURED: Final = "application/cloudevents+json"
_PREFIX: Final = "ce-"
_NAME: Final = re.compile(r"[a-z0-9]+")
_ATTRIBUTE_TYPES: Final = (str, int, bool, type(None))
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_SHOWN_CHARS: Final = 64
# What the binding writes as it is: printable ASCII without space, quotation mark and per cent.
_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class CloudEvent(BaseModel):
    """One CloudEvent with the extensions that Pointsman reads; others are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, max_length=MAX_ID_CHARS)
    source: str = Field(min_length=1, max_length=1024)
    type: str = Field(min_length=1, max_length=256)
    subject: str | None = Field(default=None, max_length=1024)
    time: AwareDatetime | None = None
    datacontenttype: str | None = Field(default=None, max_length=256)
    dataschema: str | None = Field(default=None, max_length=1024)
    traceparent: str | None = Field(default=None, max_length=64)
    correlationid: str | None = Field(default=None, max_length=256)
    causationid: str | None = Field(default=None, max_length=256)
    sequence: str | None = Field(default=None, max_length=64)
    """Decimal position in the log, for events that Pointsman publishes."""
    data: object = None
    """The JSON document of the event."""


class MalformedCloudEventError(ValueError):
    """The sender must correct the message; `code` is stable, `message_id` is its id if readable."""

    def __init__(self, code: str, message: str, *, message_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message_id = message_id


def parse(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """Read a message in either mode; data must be JSON. Raises `MalformedCloudEventError`."""
    lower = {name.lower(): value for name, value in headers.items()}
    structured = lower.get("content-type", "").lower().startswith("application/cloudevents")
    binary = any(name.startswith(_PREFIX) for name in lower)
    try:
        # A sender that forgot the content type still sends an object with `specversion`.
        if structured or not binary:
            return _validated(strict_json.parse_object(body))
        return _validated(_binary(lower, body))
    except MalformedJsonError as error:
        raise MalformedCloudEventError(
            error.code, str(error), message_id=_readable(_unquoted(lower.get(_PREFIX + "id")))
        ) from error


def _binary(headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    attributes: dict[str, object] = {
        name.removeprefix(_PREFIX): _unquoted(value)
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    attributes["data"] = strict_json.parse(body) if body else None
    return attributes


def _unquoted(value: str | None) -> str | None:
    return None if value is None else unquote(value, errors="replace")


def _readable(message_id: object) -> str | None:
    # Only an id that a correct message could have: the sender is answered on a subject with it.
    if not isinstance(message_id, str) or not 0 < len(message_id) <= MAX_ID_CHARS:
        return None
    return None if _SURROGATE.search(message_id) else message_id


def _validated(attributes: dict[str, object]) -> CloudEvent:
    message_id = _readable(attributes.get("id"))
    for name, value in attributes.items():
        if name != "data" and not (_NAME.fullmatch(name) and isinstance(value, _ATTRIBUTE_TYPES)):
            raise MalformedCloudEventError(
                "not_a_cloudevent",
                f"{name[:_SHOWN_CHARS]!r}: attributes have names of lower-case letters and digits "
                "and are strings, integers or booleans; data is JSON",
                message_id=message_id,
            )
    try:
        return CloudEvent.model_validate(attributes)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "event"
        raise MalformedCloudEventError(
            "not_a_cloudevent", f"{where}: {first['msg']}", message_id=message_id
        ) from None


def binary_headers(event: CloudEvent) -> dict[str, str]:
    """The headers of binary mode; the body is the JSON of `data`."""
    attributes = event.model_dump(mode="json", exclude={"data"}, exclude_none=True)
    return {_PREFIX + name: quote(_text(value), safe=_SAFE) for name, value in attributes.items()}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def structured_body(event: CloudEvent) -> bytes:
    """The body of structured mode; the content type is `STRUCTURED`."""
    return event.model_dump_json(exclude_none=True).encode()
